"""The plan in execution: who is applied, in which mode, on which draws; and what moves."""

from collections import Counter

import pytest
import torch

from agekit.contracts import DataField
from agekit.game.batches import Layout, as_values

from .tiny import equal, game_of, gradients_of, recorded, weights_of

TERMS = "players.encoder.terms"
RUNNING = ("running_mean", "running_var", "num_batches_tracked")


def running_of(game, name):
    return {key: value for key, value in weights_of(game).items() if key.startswith(name) and key.endswith(RUNNING)}


def counted(game):
    """How often each network is applied from now on, and in training mode or not."""
    calls: Counter[tuple[str, bool]] = Counter()
    for name, network in game.networks.items():
        network.register_forward_hook(lambda module, *_, name=name: calls.update([(name, module.training)]))
    return calls


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


def test_what_nobody_owns_is_in_evaluation_mode_unless_the_recipe_says_otherwise():
    settings = ("players.encoder=false", 'networks.e.from="elsewhere"', "views.reconstructions=false")
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


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_are_laid_out_as_convolutions_like_it_and_have_the_same_values(channels_last, dtype):
    stored = torch.randint(0, 256, (4, 3, 6, 5), dtype=torch.uint8)
    layout = Layout(torch.device("cpu"), dtype, channels_last)
    values = as_values(stored, DataField("image", (3, 6, 5)), layout)
    assert torch.equal(values, stored.to(dtype) / 127.5 - 1)
    assert values.is_contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
