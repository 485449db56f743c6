"""The plan in execution: who is applied, in which mode, on which draws; and what moves."""

from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.distributions import Normal

import agekit
from agekit.contracts import Operand
from agekit.errors import DataError, RecipeError
from agekit.game.batches import Batches
from agekit.game.game import Game
from agekit.train.sources import load_sources

from .tiny import TINY, equal, game_of, weights_of

TERMS = "players.encoder.terms"
RUNNING = ("running_mean", "running_var", "num_batches_tracked")


def gradients_of(game, player, update=0):
    """The gradients that an update of a player leaves, by parameter, and its terms."""
    seat = next(seat for seat in game.seats if seat.player.name == player)
    terms = game.gradients(seat, update, {term.name: float(term.weight) for term in seat.player.terms})
    return {
        f"{name}.{inner}": parameter.grad
        for name, network in game.networks.items()
        for inner, parameter in network.named_parameters()
    }, terms


def running_of(game, name):
    return {key: value for key, value in weights_of(game).items() if key.startswith(name) and key.endswith(RUNNING)}


def counted(game):
    """How often each network is applied from now on, and in training mode or not."""
    calls: Counter[tuple[str, bool]] = Counter()
    for name, network in game.networks.items():
        network.register_forward_hook(lambda module, *_, name=name: calls.update([(name, module.training)]))
    return calls


def recorded(monkeypatch):
    """What is drawn from now on: the keys of codes, and the samples of data."""
    draws, taken = [], []
    draw, take = Game.draw, Batches.take

    def drawing(self, count, *key):
        drawn = draw(self, count, *key)
        draws.append((key, drawn))
        return drawn

    def taking(self, indices, *rest):
        taken.append(tuple(indices))
        return take(self, indices, *rest)

    monkeypatch.setattr(Game, "draw", drawing)
    monkeypatch.setattr(Batches, "take", taking)
    return draws, taken


# ---- calls, modes, gradients


def test_no_forward_runs_twice():
    game = game_of()
    calls = counted(game)
    gradients_of(game, "encoder")
    assert calls == {("e", True): 2, ("g", True): 2}  # e(x), e(g(z)); g(z), g(e(x))
    calls.clear()
    gradients_of(game, "generator")
    assert calls == {("e", True): 1, ("g", True): 1}  # both terms share e(g(z))


@pytest.mark.parametrize("player", ["encoder", "generator"])
def test_only_what_a_player_owns_gets_gradients_and_moves(player):
    game = game_of()
    own = player[0] if player == "encoder" else "g"
    before = weights_of(game)
    gradients, _ = gradients_of(game, player)
    assert {name[0] for name, gradient in gradients.items() if gradient is not None} == {own}
    next(seat for seat in game.seats if seat.player.name == player).optimizer.step()
    moved = {name[0] for name, tensor in weights_of(game).items() if not torch.equal(tensor, before[name])}
    assert moved == {"e", "g"}  # running statistics move everywhere,
    parameters = {f"{n}.{i}" for n, network in game.networks.items() for i, _ in network.named_parameters()}
    after = weights_of(game)
    assert {name[0] for name in parameters if not torch.equal(after[name], before[name])} == {own}  # weights here


def test_a_constant_call_keeps_no_graph_and_stop_cuts():
    plain = game_of("players.generator.terms.fake=false")
    stopped = game_of(
        "players.generator.terms.fake=false",
        'players.generator.terms.still={ reciprocity = "l2", of = "stop(e(g(z)))", to = "z" }',
    )
    a, _ = gradients_of(plain, "generator")
    b, terms = gradients_of(stopped, "generator")
    assert terms["still"] > 0
    assert all(torch.equal(a[name], b[name]) for name in a if name.startswith("g."))


def test_what_nobody_owns_is_in_evaluation_mode_unless_the_recipe_says_otherwise(tmp_path):
    path = frozen_encoder(tmp_path)
    settings = ("players.encoder=false", f'networks.e.from="{path}"', "views.reconstructions=false")
    for statistics, by_the_batch in ((None, False), ("running", False), ("batch", True)):
        more = () if statistics is None else (f'networks.e.statistics="{statistics}"',)
        game = game_of(*settings, *more)
        before = running_of(game, "e")
        game.step()
        assert not game.networks["e"].training
        assert equal(before, running_of(game, "e")) is not by_the_batch


def test_running_statistics_may_be_used_in_training():
    game = game_of('networks.e.statistics="running"')
    before = running_of(game, "e")
    game.step()
    assert game.networks["e"].training
    assert equal(before, running_of(game, "e"))


def test_running_statistics_move_in_every_pass_or_in_the_owners_alone():
    for buffers, passes in (("all", 2 + 2), ("owner", 2)):  # two in the encoder's update, one in each of two others
        game = game_of(f'networks.e.buffers="{buffers}"')
        game.step()
        counters = [value for name, value in running_of(game, "e").items() if name.endswith("tracked")]
        assert counters
        assert all(counter == passes for counter in counters)


def test_keeping_buffers_to_the_owner_leaves_gradients_alone():
    a, _ = gradients_of(game_of(), "generator")
    b, _ = gradients_of(game_of('networks.e.buffers="owner"'), "generator")
    assert all(torch.equal(a[name], b[name]) for name in a if name.startswith("g."))
    assert all(b[name] is None for name in b if name.startswith("e."))


def test_half_precision_networks_have_losses_and_codes_in_single_precision():
    game = game_of('compute.precision="bf16"')
    made = {}
    for name, network in game.networks.items():
        network.register_forward_hook(lambda _, __, output, name=name: made.update({name: output.dtype}))
    _, terms = gradients_of(game, "encoder")
    assert made == {"g": torch.bfloat16, "e": torch.float32}
    assert {value.dtype for value in terms.values()} == {torch.float32}
    single, _ = gradients_of(game_of(), "encoder")
    half, _ = gradients_of(game, "encoder")
    name = "e.network.layers.0.weight"
    assert torch.cosine_similarity(single[name].flatten(), half[name].flatten(), dim=0) > 0.9
    assert not torch.equal(single[name], half[name])


# ---- draws


def test_data_is_drawn_anew_in_each_update_by_those_who_use_it(monkeypatch):
    _, taken = recorded(monkeypatch)
    game = game_of("players.encoder.updates=2")
    for _ in range(5):
        game.step()
    assert len(taken) == 10  # the generator took none
    assert len(set(taken)) == 10
    for update in (0, 1):  # five batches of eight are an epoch of forty, whoever draws
        assert sorted(i for batch in taken[update::2] for i in batch) == list(range(40))


def test_one_text_is_one_draw_within_an_update_and_another_in_the_next(monkeypatch):
    draws, _ = recorded(monkeypatch)
    game = game_of('players.generator.terms.second={ reciprocity = "l2", of = "e(g(z2))", to = "z2" }')
    game.step()
    names = [(key[2], key[3], key[4]) for key, _ in draws]
    generators = [("generator", update, name) for update in (0, 1) for name in ("z", "z2")]
    assert names == [("encoder", 0, "z"), *generators]
    codes = [drawn for _, drawn in draws]
    assert all(not torch.equal(a, b) for i, a in enumerate(codes) for b in codes[:i])


def test_draws_do_not_depend_on_the_other_terms_or_on_what_was_drawn_before():
    game, other = (
        game_of(),
        game_of(
            "players.encoder.terms.reconstruct=false", 'players.encoder.terms.m={ divergence = "mmd", of = "e(x)" }'
        ),
    )
    other.networks["e"].load_state_dict(game.networks["e"].state_dict())
    torch.rand(3)
    _, terms = gradients_of(game, "encoder")
    torch.manual_seed(5)
    _, others = gradients_of(other, "encoder")
    assert torch.equal(terms["real"], others["real"])
    assert torch.equal(terms["fake"], others["fake"])


@pytest.mark.parametrize("change", ["run.seed=1", "step", "update"])
def test_draws_depend_on_seed_step_and_update(monkeypatch, change):
    draws, taken = recorded(monkeypatch)
    gradients_of(game_of(), "encoder")
    game = game_of(*([change] if "=" in change else []))
    game.steps_done = game.stage_step = 1 if change == "step" else 0
    gradients_of(game, "encoder", update=1 if change == "update" else 0)
    assert not torch.equal(draws[0][1], draws[1][1])
    assert taken[0] != taken[1]


def test_the_same_seed_plays_the_same_game():
    games = [game_of(), game_of()]
    for game in games:
        for _ in range(3):
            game.step()
        torch.rand(7)
    assert equal(*map(weights_of, games))


# ---- components that draw


class Noisy(agekit.Encoder):
    """A Gaussian for each picture, with a bias of its own."""

    dropout: float = agekit.option(0.0, help="share left out")

    def build(self, sees, makes):
        return NoisyModule(int(makes.shape[0] or 0), self.dropout)


class NoisyModule(nn.Module):
    def __init__(self, size, dropout):
        super().__init__()
        self.mean, self.dropout = nn.Linear(3 * 16 * 16, size), nn.Dropout(dropout)

    def forward(self, x):
        mean = self.dropout(self.mean(x.flatten(1)))
        return Normal(mean, torch.ones_like(mean))


class Dropping(agekit.Encoder):
    """Leaves out half of the picture."""

    def build(self, sees, makes):
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * 16 * 16, int(makes.shape[0] or 0)))


class Spread(agekit.Loss):
    """The mean deviation of a distribution."""

    operands = {"of": Operand(vectors=True, takes=frozenset({"distribution"}))}

    def __call__(self, of):
        return of.stddev.mean(1)


class Sliced(agekit.Reciprocity):
    """The difference along a random direction."""

    def __call__(self, of, to, *, generator):
        return ((of - to) * torch.randn(of.shape[1:], generator=generator)).flatten(1).sum(1)


COMPONENTS = {
    "noisy": ("encoders", Noisy),
    "dropping": ("encoders", Dropping),
    "spread": ("losses", Spread),
    "sliced": ("reciprocities", Sliced),
}
NOISY = ('latent.reference="gaussian"', 'networks.e={ encoder = "noisy" }')


def test_a_distribution_is_drawn_from_once_and_handed_to_losses_that_want_it():
    game = game_of(
        *NOISY,
        'players.encoder.terms.spread={ loss = "spread", of = "e(x)" }',
        'players.encoder.terms.same={ reciprocity = "l2", of = "e(x)", to = "e(x)" }',
        'players.encoder.terms.other={ reciprocity = "l2", of = "e(x)", to = "e(g(z))" }',
        components=COMPONENTS,
    )
    gradients, terms = gradients_of(game, "encoder")
    assert terms["spread"] == 1
    assert terms["same"] == 0
    assert terms["other"] > 0
    assert gradients["e.network.mean.weight"].abs().sum() > 0
    again, _ = gradients_of(game, "encoder")
    assert torch.equal(gradients["e.network.mean.weight"], again["e.network.mean.weight"])


def test_a_distribution_is_shown_as_samples():
    game = game_of(*NOISY, components=COMPONENTS)
    shown = agekit.show(game, "codes")
    assert shown.of.shape == (16, 6)
    assert torch.equal(shown.of, agekit.show(game, "codes").of)
    assert not torch.equal(shown.of, agekit.show(game, "codes", seed=3).of)


def test_networks_that_draw_do_not_depend_on_the_order_of_terms():
    a, b = (
        game_of('networks.e={ encoder = "dropping" }', *more, components=COMPONENTS)
        for more in (
            (),
            (
                "players.encoder.terms.real=false",
                'players.encoder.terms.late={ divergence = "kl_sphere", of = "e(x)" }',
            ),
        )
    )
    _, first = gradients_of(a, "encoder")
    _, second = gradients_of(b, "encoder")
    assert first["real"] == second["late"]
    assert first["fake"] == second["fake"]
    assert gradients_of(a, "encoder", update=1)[1]["real"] != first["real"]


def test_a_loss_that_draws_is_handed_a_generator_of_its_own():
    term = '={ reciprocity = "sliced", of = "g(e(x))", to = "x" }'
    game = game_of(f"{TERMS}.one{term}", f"{TERMS}.two{term}", components=COMPONENTS)
    _, terms = gradients_of(game, "encoder")
    _, again = gradients_of(game, "encoder")
    assert terms["one"] != terms["two"]
    assert (terms["one"], terms["two"]) == (again["one"], again["two"])
    assert gradients_of(game, "encoder", update=1)[1]["one"] != terms["one"]


class Kept(agekit.Reciprocity):
    """Keeps what it is handed."""

    kept: ClassVar[list[tuple[torch.Tensor, torch.Tensor]]] = []

    def __call__(self, of, to):
        self.kept.append((of.detach(), to.detach()))
        return (of - to).flatten(1).sum(1)


def test_all_mixes_of_an_update_share_their_coefficients(monkeypatch):
    monkeypatch.setattr(Kept, "kept", [])
    pairs = (("mix(z, e(x))", "e(x)"), ("z", "e(x)"), ("mix(x, g(z))", "g(z)"), ("x", "g(z)"))
    terms = (f'{TERMS}.t{i}={{ reciprocity = "kept", of = "{of}", to = "{to}" }}' for i, (of, to) in enumerate(pairs))
    gradients_of(game_of(*terms, components={"kept": ("reciprocities", Kept)}), "encoder")
    (mixed_codes, code), (z, _), (mixed, image), (x, _) = Kept.kept
    of_codes = ((mixed_codes - code) / (z - code)).median(1).values
    of_images = ((mixed - image) / (x - image)).flatten(1).median(1).values
    assert torch.allclose(of_codes, of_images, atol=1e-4)
    assert len(of_codes.unique()) == 8
    assert ((of_codes > 0) & (of_codes < 1)).all()


# ---- fields


def test_derived_fields_are_what_their_expression_says():
    game = game_of(
        'data.fields.l="grey(x)"',
        'networks.e.sees=["x", "l"]',
        *(f"{TERMS}.{name}=false" for name in ("fake", "reconstruct")),
        f'{TERMS}.real.of="e(x, l)"',
        "players.generator=false",
        "networks.g=false",
        "views.samples=false",
        "views.reconstructions=false",
        'views.codes.of="e(x, l)"',
    )
    seen = []
    game.networks["e"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    gradients_of(game, "encoder")
    ((x, luma),) = seen
    weights = torch.tensor([0.2126, 0.7152, 0.0722])
    assert torch.allclose(luma[:, 0], torch.einsum("nchw,c->nhw", x, weights), atol=1e-6)


def test_a_flip_mirrors_all_fields_of_a_sample_and_exchanges_sides(monkeypatch):
    game = game_of("data.flip=true")
    data = game.data()
    chosen = [4, 5, 6]
    mirrored = torch.tensor([True, False, True])
    plain = data.take(np.array(chosen), ["x", "mask", "factors", "label"])
    flipped = data.take(np.array(chosen), ["x", "mask", "factors", "label"], mirrored)
    assert torch.equal(flipped["label"], plain["label"])
    for name in ("x", "mask", "factors"):
        assert torch.equal(flipped[name][1], plain[name][1])
    assert torch.equal(flipped["x"][0], plain["x"][0].flip(-1))
    for name, pairs in ((name, game.fields[name].mirrored) for name in ("mask", "factors")):
        exchange = dict([*pairs, *((b, a) for a, b in pairs)])
        assert exchange
        if name == "mask":
            wanted = plain[name][0].flip(-1).apply_(lambda value, exchange=exchange: exchange.get(value, value))
            assert torch.equal(flipped[name][0], wanted)
        else:
            order = [exchange.get(index, index) for index in range(len(plain[name][0]))]
            assert torch.equal(flipped[name][0], plain[name][0][order])

    flips = []
    take = Batches.take

    def taking(self, indices, names, mirrored=None):
        flips.append(mirrored)
        return take(self, indices, names, mirrored)

    monkeypatch.setattr(Batches, "take", taking)
    for _ in range(20):
        game.step()
    assert 0.3 < torch.cat(flips).float().mean() < 0.7
    assert len({tuple(flip.tolist()) for flip in flips}) > 10


# ---- optimizers, schedules, stages


STAGES = (
    TINY
    + """
[[stages]]
name  = "first"
steps = 3

[[stages]]
name       = "second"
steps      = 2
optimizer  = "OPTIMIZER"
data.batch = 20
players.encoder.terms.reconstruct.weight = 7.5
"""
)


def staged(optimizer):
    return STAGES.replace("OPTIMIZER", optimizer)


@pytest.mark.parametrize("optimizer", ["fresh", "carried"])
def test_a_stage_changes_what_it_names_and_begins_with_fresh_or_carried_optimizers(optimizer, monkeypatch):
    _, taken = recorded(monkeypatch)
    game = game_of(text=staged(optimizer))
    assert (game.stage_steps, game.total_steps, game.steps_per_epoch) == (3, 5, 5)
    for _ in range(3):
        report = game.step()
    before = weights_of(game)
    carried = {
        name: value.clone() for name, value in game.seats[0].optimizer.state[game.seats[0].parameters[0]].items()
    }
    game.enter(1)
    assert (game.stage_step, game.stage_steps, game.steps_per_epoch, game.steps_done) == (0, 2, 2, 3)
    assert equal(before, weights_of(game))
    state = game.seats[0].optimizer.state[game.seats[0].parameters[0]]
    assert equal(dict(state), carried if optimizer == "carried" else {})
    assert report.weights["encoder"]["reconstruct"] == 5
    assert game.step().weights["encoder"]["reconstruct"] == 7.5
    game.step()
    assert [len(batch) for batch in taken] == [8, 8, 8, 20, 20]
    assert sorted(taken[3] + taken[4]) == list(range(40))  # its epochs are counted from its own beginning


def test_what_a_stage_says_of_its_length_counts_before_what_the_run_says():
    for said, steps in (("steps = 3", 3), ("epochs = 2", 10), ("", 12)):
        game = game_of(text=f"{TINY}\n[[stages]]\n{said}")
        assert (game.stage_steps, game.total_steps) == (steps, steps)
    assert game_of("run.epochs=3", "run.steps=4").stage_steps == 4
    assert game_of("run.stop_after=5").total_steps == 5


def test_a_batch_larger_than_the_data_is_refused_before_anything_is_played():
    with pytest.raises(DataError, match="40 samples, fewer than one batch of 41 in the stage 'second'"):
        game_of(text=staged("fresh").replace("batch = 20", "batch = 41"))


def test_rates_and_weights_follow_their_schedules():
    game = game_of(
        "run.steps=4",
        'players.encoder.optimizer={ lr = { schedule = "linear", start = 1e-3, end = 0.0 } }',
        f'{TERMS}.reconstruct.weight={{ schedule = "steps", value = 8.0, factor = 0.5, every = 2, unit = "steps" }}',
    )
    reports = [game.step() for _ in range(4)]
    assert [r.rates["encoder"] for r in reports] == pytest.approx([1e-3, 7.5e-4, 5e-4, 2.5e-4])
    assert [r.weights["encoder"]["reconstruct"] for r in reports] == [8, 8, 4, 4]
    assert {r.rates["generator"] for r in reports} == {2e-4}
    assert game.seats[0].optimizer.param_groups[0]["lr"] == reports[-1].rates["encoder"]


def test_the_rate_of_a_schedule_is_the_one_that_moves_the_weights():
    still = game_of('players.encoder.optimizer={ lr = { schedule = "constant", value = 0.0 } }')
    before = {name: tensor.detach().clone() for name, tensor in still.networks["e"].named_parameters()}
    still.step()
    assert equal(before, dict(still.networks["e"].named_parameters()))


def test_terms_are_the_means_over_the_updates_of_a_step():
    game = game_of("players.generator.optimizer={ lr = 0.0 }", 'networks.e.buffers="owner"')
    game.seats = game.seats[1:]
    seen = [gradients_of(game, "generator", update)[1]["recover"] for update in (0, 1)]
    assert game.step().terms["generator"]["recover"] == pytest.approx(sum(map(float, seen)) / 2)
    assert seen[0] != seen[1]


# ---- running averages, weights from elsewhere


def test_a_running_average_follows_weights_and_statistics_and_copies_counters():
    game = game_of('networks.t={ average_of = "e", decay = 0.75 }')
    start = weights_of(game)
    assert all(torch.equal(value, start[f"e{name[1:]}"]) for name, value in start.items() if name[0] == "t")
    game.step()
    after = weights_of(game)
    names = [name for name in after if name[0] == "t"]
    assert sum(name.endswith("num_batches_tracked") for name in names) == 1
    for name in names:
        now, was = after[f"e{name[1:]}"], start[name]
        wanted = now if name.endswith("num_batches_tracked") else 0.75 * was + 0.25 * now
        assert torch.allclose(after[name], wanted, atol=1e-7)
        assert not torch.equal(after[name], was)
    assert not any(parameter.requires_grad for parameter in game.networks["t"].parameters())


def frozen_encoder(folder):
    """The weights of a tiny encoder of another seed, in a file."""
    path = folder / "e.safetensors"
    tensors = game_of("run.seed=9").networks["e"].state_dict()
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


def test_weights_come_from_a_file_and_averages_begin_there(tmp_path):
    game = game_of(f'networks.e.from="{frozen_encoder(tmp_path)}"', 'networks.t={ average_of = "e" }')
    load_sources(game)
    there = game_of("run.seed=9").networks["e"].state_dict()
    assert equal(dict(game.networks["e"].state_dict()), dict(there))
    assert equal(dict(game.networks["t"].state_dict()), dict(there))


def test_weights_of_another_network_are_refused(tmp_path):
    game = game_of(f'networks.e.from="{frozen_encoder(tmp_path)}"', "networks.e.width=2")
    with pytest.raises(agekit.RunError, match=r"networks.e.from = .*of another network: .* fits"):
        load_sources(game)
    (tmp_path / "text").write_text("no tensors")
    for path, said in (("text", "is no safetensors file"), ("absent", "does not exist")):
        game = game_of(f'networks.e.from="{tmp_path / path}"')
        with pytest.raises(agekit.RunError, match=said):
            load_sources(game)


# ---- networks that do not keep their word


class Wide(agekit.Encoder):
    """Makes a number too many."""

    def build(self, sees, makes):
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, int(makes.shape[0] or 0) + 1))


class Deaf(agekit.Encoder):
    """Sees other pictures than it is told."""

    def build(self, sees, makes):
        return nn.Linear(5, int(makes.shape[0] or 0))


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        (Wide, r"networks.e: makes \[2, 7\] of a batch of 2, where z \[6\]"),
        (Deaf, "networks.e: cannot be applied to x"),
    ],
)
def test_a_network_that_makes_another_shape_is_refused_at_once(encoder, said):
    with pytest.raises(RecipeError, match=said):
        game_of('networks.e={ encoder = "odd" }', components={"odd": ("encoders", encoder)})
