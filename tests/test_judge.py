"""Judging: on which samples, in which batches, with which statistics; and that it moves nothing."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import agekit
from agekit.builtin.divergences import MMD, SphereKL
from agekit.contracts import Divergence, Loss, Metric, Operand, Space
from agekit.errors import RecipeError
from agekit.game.batches import Batches
from agekit.game.judge import BATCH, Judge
from agekit.game.views import Gallery

from .tiny import equal, game_of, weights_of

HELD_OUT = 'data.held_out={ split = "test" }'
LOSS = 'metrics.far={ reciprocity = "l1", of = "g(e(x))", to = "x" }'
VIEWS = ("samples", "reconstructions", "codes")
CODES = 'metrics.codes={ divergence = "kl_sphere", of = "e(x)" }'


class Kept(Metric):
    """The vectors themselves: where each begins, and how many there are."""

    operands = {"of": Operand(vectors=True)}

    def rows(self, vectors):
        return vectors

    def values(self, rows, spaces):
        assert set(spaces) == {"of"}
        return {"first": rows[0, 0].item(), "sum": rows.double().sum().item(), "count": len(rows)}


class Lumped(Loss):
    """One number for a whole batch."""

    operands = {"of": Operand()}

    def __call__(self, x):
        return x.mean()


class Short(Kept):
    """A row too few."""

    def rows(self, vectors):
        return vectors[1:]


class Picky(Kept):
    """Refuses what it is given."""

    def values(self, rows, spaces):
        raise ValueError(f"finds {len(rows)} rows of {spaces['of']} too few")


class Scattered(Divergence):
    """The square of a sum along a random direction: no mean of batches, and another with every draw."""

    def __call__(self, p, *, generator):
        return (p @ torch.randn(p.shape[1], generator=generator)).sum().square()


COMPONENTS = {
    "kept": ("metrics", Kept),
    "short": ("metrics", Short),
    "picky": ("metrics", Picky),
    "lumped": ("losses", Lumped),
    "scattered": ("divergences", Scattered),
}


def playing(*settings):
    """A tiny game that has moved."""
    game = game_of(*settings, components=COMPONENTS)
    for _ in range(3):
        game.step()
    return game


def judged(game, **options):
    return {name: dict(one.values) for name, one in Judge(Gallery(game), **options).judge().items()}


def networks_alone(game, x):
    """Codes and reconstructions, each sample judged by itself with running statistics."""
    with torch.no_grad():
        e, g = (game.networks[name].eval() for name in ("e", "g"))
        codes = e(x)
        return codes, g(codes)


def held_out(game):
    """The samples that are held out, all, in order."""
    return game.held_out.take(np.arange(game.held_out.length), ["x"])["x"]


def takings(monkeypatch):
    """What is taken of data from now on: the part, and the samples."""
    taken = []
    take = Batches.take

    def taking(self, indices, *rest):
        taken.append((self, tuple(indices)))
        return take(self, indices, *rest)

    monkeypatch.setattr(Batches, "take", taking)
    return taken


def test_a_loss_of_each_sample_is_averaged_over_all_that_are_held_out():
    game = playing(HELD_OUT, LOSS, 'metrics.far.statistics="running"')
    x = held_out(game)
    _, again = networks_alone(game, x)
    expected = np.abs(again.double().numpy() - x.double().numpy()).mean(dtype=np.float64)
    assert judged(game, batch=8) == {"far": {"value": pytest.approx(expected, rel=1e-6)}}


def test_a_divergence_is_taken_once_of_all_codes_with_its_ideal_beside_it():
    game = playing(HELD_OUT, CODES, 'metrics.codes.statistics="running"', 'metrics.codes.divergence="gaussian_kl"')
    codes, _ = networks_alone(game, held_out(game))
    mean, variance = codes.double().mean(0).numpy(), codes.double().var(0, correction=0).numpy()
    expected = 0.5 * (6 * variance + 6 * mean**2 - 1 - np.log(6 * variance)).mean()
    (values,) = judged(game, batch=5).values()
    assert values["value"] == pytest.approx(expected, rel=1e-5)
    assert values["excess"] == values["value"] - values["ideal"]
    by_batch = np.mean([SphereKL()(part).item() for part in codes.split(7)])
    assert abs(by_batch - expected) > 0.02


def test_a_divergence_of_what_is_no_code_has_no_ideal():
    """The reference is that of the codes: it says nothing of other vectors, though they may be compared with it."""
    (values,) = judged(playing(HELD_OUT, 'metrics.odd={ divergence = "kl_gaussian", of = "factors" }')).values()
    assert values.keys() == {"value"}


def test_codes_are_compared_with_draws_or_with_other_codes():
    game = playing(
        HELD_OUT,
        *(
            f'metrics.{name}={{ divergence = "mmd", of = "e(x)", statistics = "running"{to} }}'
            for name, to in (("draws", ', to = "z"'), ("fakes", ', to = "e(g(z))"'))
        ),
    )
    codes, _ = networks_alone(game, held_out(game))
    z = game.draw(21, 0, "judge", "z")
    with torch.no_grad():
        fakes = game.networks["e"](game.networks["g"](z))
    expected = {"draws": z, "fakes": fakes}
    found = judged(game, batch=4)
    assert found.keys() == expected.keys()
    for name, cloud in expected.items():
        assert found[name] == {"value": pytest.approx(MMD()(codes, cloud).item(), rel=1e-3, abs=1e-6)}


def test_numbers_depend_on_no_batch_size_and_no_draw_that_went_before():
    settings = [
        HELD_OUT,
        LOSS,
        CODES,
        'metrics.fakes={ metric = "kept", of = "e(g(z))", count = 70 }',
        'metrics.random={ divergence = "scattered", of = "e(g(z))", count = 70 }',
    ]
    game = playing(*settings)
    whole = judged(game)
    assert whole["fakes"]["count"] == 70 > BATCH
    for batch in (1, 7, 100):
        torch.rand(batch)
        parts = judged(game, batch=batch)
        assert parts.keys() == whole.keys() == {"far", "codes", "fakes", "random"}
        for name, values in whole.items():
            assert parts[name] == pytest.approx(values, rel=1e-4, abs=1e-5)
    assert judged(game) == whole


def test_judging_moves_nothing_and_is_repeatable():
    watched, left_alone = (playing(HELD_OUT, LOSS, CODES) for _ in range(2))
    before = weights_of(watched)
    modes = {m: m.training for network in watched.networks.values() for m in network.modules()}
    first = agekit.judge(watched)
    assert equal(before, weights_of(watched))
    assert modes == {m: m.training for network in watched.networks.values() for m in network.modules()}
    assert agekit.judge(watched) == first
    watched.step()
    left_alone.step()
    assert equal(weights_of(watched), weights_of(left_alone))


def test_each_protocol_says_what_was_judged():
    settings = [LOSS, CODES, "metrics.codes.count=10", 'metrics.fakes={ metric = "kept", of = "e(g(z))" }']
    for more, data, all_there in (([HELD_OUT], "held out", 21), ([], "training", 40)):
        taken = Judge(Gallery(playing(*settings, *more))).judge()
        said = {name: (one.protocol.data, one.protocol.count) for name, one in taken.items()}
        assert said == {"far": (data, all_there), "codes": (data, 10), "fakes": ("draws", 1024)}
        assert taken["fakes"].values["count"] == 1024
        assert {one.protocol.statistics for one in taken.values()} == {"recalibrated"}


def test_the_samples_are_the_same_for_all_metrics_and_held_out(monkeypatch):
    game = playing(
        HELD_OUT,
        LOSS,
        CODES,
        "metrics.far.count=9",
        "metrics.codes.count=9",
        'metrics.far.statistics="running"',
        'metrics.codes.statistics="running"',
    )
    taken = takings(monkeypatch)
    judged(game)
    judged(game, batch=4)
    assert {part for part, _ in taken} == {game.held_out}
    whole, *parts = (chosen for _, chosen in taken)
    assert len(set(whole)) == len(whole) == 9
    assert list(whole) == sorted(whole)
    assert sum(parts, ()) == whole
    assert [len(part) for part in parts] == [3, 3, 3]


@pytest.mark.parametrize("statistics", ["recalibrated", "running", "batch"])
def test_batch_norm_goes_by_the_statistics_that_are_asked_for(statistics):
    game = playing(
        HELD_OUT, 'metrics.codes={ metric = "kept", of = "e(x)" }', f'metrics.codes.statistics="{statistics}"'
    )
    gallery = Gallery(game)
    (found,) = Judge(gallery).judge().values()
    assert ("e(x)" in gallery.statistics) == (statistics == "recalibrated")
    network, x = game.networks["e"], held_out(game)
    with torch.no_grad():
        buffers = gallery.statistics.get("e(x)", {name: b.clone() for name, b in network.named_buffers()})
        network.train(statistics == "batch")
        codes = torch.func.functional_call(network, buffers, (x,))
    assert found.values["first"] == pytest.approx(codes[0, 0].item(), rel=1e-4, abs=1e-5)


def test_what_metrics_alone_apply_is_calibrated_on_training_data(monkeypatch):
    game = playing(HELD_OUT, CODES, 'metrics.codes.of="e(g(e(x)))"', *(f"views.{n}=false" for n in VIEWS))
    taken = takings(monkeypatch)
    gallery = Gallery(game)
    gallery.recalibrate()
    assert gallery.statistics.keys() == {"e(x)", "g(e(x))", "e(g(e(x)))"}
    assert {part for part, _ in taken} == {game.batches}


@pytest.mark.parametrize(
    ("entry", "said", "at_once"),
    [
        ('loss = "lumped", of = "x"', "loss lumped: makes one number of 2 samples, where a loss that is judged", True),
        ('metric = "short", of = "e(x)"', "metric short: makes [1, 6] of 2 samples, where one row each fits", True),
        ('metric = "picky", of = "e(x)"', "metric picky: finds 21 rows of z [6] too few", False),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name_before_training_where_that_is_seen(entry, said, at_once):
    game = playing(HELD_OUT, f"metrics.odd={{ {entry} }}")
    judge = Judge(Gallery(game))
    with pytest.raises(RecipeError) as refused:
        (judge.rehearse if at_once else judge.judge)()
    assert str(refused.value).startswith(f"--set: metrics.odd: {said}")
    if not at_once:
        judge.rehearse()


def test_spaces_name_the_operands_and_their_classes():
    seen = []

    class Spaced(Metric):
        """Looks at the spaces."""

        operands = {"of": Operand(), "to": Operand()}

        def rows(self, masks, codes):
            return masks.flatten(1)[:, :1]

        def values(self, rows, spaces):
            seen.append(spaces)
            return {"rows": len(rows)}

    components = {"spaced": ("metrics", Spaced)}
    game = game_of(HELD_OUT, 'metrics.seen={ metric = "spaced", of = "mask", to = "e(x)" }', components=components)
    assert agekit.judge(game) == {"seen": {"rows": 21}}
    (spaces,) = seen
    assert spaces["of"].classes == game.fields["mask"].classes != ()
    assert spaces["to"] == Space("z", (6,))


def test_the_metric_that_is_shown_to_plugins_is_taken(tmp_path):
    page = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(class Range.*?)```", page, re.DOTALL)
    (tmp_path / "shown.py").write_text(f"import agekit\nimport torch\n\n{shown}", encoding="utf-8")
    found = importlib.util.spec_from_file_location("shown", tmp_path / "shown.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    game = game_of(
        HELD_OUT, 'metrics.all={ metric = "range", of = "x" }', components={"range": ("metrics", module.Range)}
    )
    x = held_out(game)
    assert agekit.judge(game) == {"all": {"least": x.min().item(), "most": x.max().item()}}
