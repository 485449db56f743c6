"""Comparisons of whole sets: numbers against plain numpy, and how the engine hands sets over."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from agekit.builtin.comparisons import PRDC, Neighbours
from agekit.builtin.divergences import pairwise
from agekit.contracts import Comparison, Operand, Operator, Space
from agekit.errors import RecipeError
from agekit.game.judge import Judge
from agekit.game.views import Gallery
from agekit.train.features import Features

from .tiny import game_of

HELD_OUT = 'data.held_out={ split = "test" }'


class Sizes(Comparison):
    """How large the sets are, and what is in them."""

    operands = {"of": Operand(), "to": Operand()}

    def __call__(self, of, to):
        return {"of": len(of), "to": len(to), "sum": of.double().sum().item(), "other": to.double().sum().item()}


class Odd(Operator):
    """Means of channels, counting how often it is called."""

    calls: ClassVar[int] = 0

    def provenance(self):
        return {"resizing": "none", "sha256": "f" * 64}

    def space(self, *operands):
        return Space("features", (3,))

    def __call__(self, x):
        type(self).calls += 1
        return x.mean((2, 3))


COMPONENTS = {"sizes": ("metrics", Sizes), "odd": ("operators", Odd)}


def clouds(n=60, m=45, d=5):
    chance = np.random.default_rng(0)
    return chance.normal(size=(n, d)), chance.normal(0.3, 0.8, size=(m, d))


def prdc_of(generated, real, k):
    """By the definitions, from whole matrices of distances."""

    def apart(a, b):
        return np.linalg.norm(a[:, None] - b[None], axis=2)

    about_real = np.sort(apart(real, real), axis=1)[:, k]
    about_generated = np.sort(apart(generated, generated), axis=1)[:, k]
    between = apart(real, generated)
    inside = between <= about_real[:, None]
    return {
        "precision": inside.any(0).mean(),
        "recall": (between <= about_generated[None]).any(1).mean(),
        "density": inside.sum(0).mean() / k,
        "coverage": inside.any(1).mean(),
    }


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("tile", [2**19, 64])
def test_precision_recall_density_and_coverage_follow_their_definitions(k, tile, monkeypatch):
    monkeypatch.setitem(pairwise.TILE, "cpu", tile)
    generated, real = clouds()
    found = PRDC(k=k)(torch.tensor(generated), torch.tensor(real))
    assert found == pytest.approx(prdc_of(generated, real, k), rel=1e-12)
    assert 0 < found["precision"] < 1


def test_a_set_is_as_precise_as_itself_and_nothing_of_one_far_away():
    one = torch.tensor(clouds()[0])
    assert PRDC()(one, one) == {"precision": 1, "recall": 1, "density": pytest.approx(6 / 5), "coverage": 1}
    assert set(PRDC()(one + 100, one).values()) == {0.0}
    with pytest.raises(ValueError, match="5 points have no 5 nearest neighbours: 6 or more fit"):
        PRDC()(one[:5], one)


def test_neighbours_are_the_nearest_in_root_mean_square():
    samples, others = clouds()
    expected = np.linalg.norm(samples[:, None] - others[None], axis=2).min(1) / np.sqrt(5)
    found = Neighbours()(torch.tensor(samples).reshape(-1, 1, 5), torch.tensor(others).reshape(-1, 1, 5))
    assert found["mean"] == pytest.approx(expected.mean())
    assert found["least"] == pytest.approx(expected.min())
    assert found["p01"] == pytest.approx(np.quantile(expected, 0.01))


def test_sets_differ_in_number_and_come_whole():
    entry = 'metrics.sizes={ metric = "sizes", of = "g(z)", to = "x", generated = 70 }'
    game = game_of(HELD_OUT, entry, components=COMPONENTS)
    (found,) = Judge(Gallery(game), batch=8).judge().values()
    assert (found.values["of"], found.values["to"]) == (70, 21)
    x = game.judged_data().take(np.arange(21), ["x"])["x"]
    assert found.values["other"] == pytest.approx(x.double().sum().item(), rel=1e-9)
    assert found.protocol.said == "on 21 held-out samples and 70 draws, recalibrated statistics"
    again = Judge(Gallery(game), batch=50).judge()["sizes"].values
    assert again["sum"] == pytest.approx(found.values["sum"], rel=1e-4)
    other = Judge(Gallery(game), seed=5).judge()["sizes"].values
    assert other["sum"] != pytest.approx(found.values["sum"], rel=1e-4)


def test_data_of_training_is_judged_where_that_is_asked_for():
    entry = 'metrics.sizes={ metric = "sizes", of = "g(z)", to = "x", on = "training", count = 40 }'
    game = game_of(HELD_OUT, entry, components=COMPONENTS)
    (found,) = Judge(Gallery(game)).judge().values()
    assert (found.protocol.data, found.values["of"], found.values["to"]) == ("training", 40, 40)
    x = game.data().take(np.arange(40), ["x"])["x"]
    assert found.values["other"] == pytest.approx(x.double().sum().item(), rel=1e-9)


def test_features_of_real_samples_are_kept_and_those_that_move_are_not(tmp_path, monkeypatch):
    entry = 'metrics.sizes={ metric = "sizes", of = "odd(g(z))", to = "odd(x)" }'
    game = game_of(HELD_OUT, entry, components=COMPONENTS)
    memory = Features(tmp_path / "features", "fingerprint")
    monkeypatch.setattr(Odd, "calls", 0)
    told = []
    first = Judge(Gallery(game), memory=memory).judge(lambda done, total: told.append((done, total)))
    assert (Odd.calls, told[-1]) == (2, (42, 42))
    again = Judge(Gallery(game), memory=memory).judge()
    assert Odd.calls == 3
    assert again == first
    assert len(list((tmp_path / "features").iterdir())) == 1
    Odd.calls = 0
    Judge(Gallery(game), memory=memory, seed=1).judge()
    assert Odd.calls == 1, "all samples are the same ones, whichever the seed"
    Judge(Gallery(game), memory=Features(tmp_path / "features", "another"), seed=1).judge()
    assert Odd.calls == 3


def test_features_of_some_samples_are_those_that_the_seed_chose(tmp_path, monkeypatch):
    game = game_of(
        HELD_OUT, 'metrics.sizes={ metric = "sizes", of = "x", to = "odd(x)", count = 9 }', components=COMPONENTS
    )
    memory = Features(tmp_path / "features", "fingerprint")
    monkeypatch.setattr(Odd, "calls", 0)
    for seed in (0, 1, 0):
        Judge(Gallery(game), memory=memory, seed=seed).judge()
    assert Odd.calls == 2


def test_a_damaged_file_of_features_is_made_again(tmp_path):
    memory = Features(tmp_path / "features", "fingerprint")
    memory.keep("one", torch.ones(3, 2))
    kept = memory.recall("one")
    assert kept is not None
    assert torch.equal(kept, torch.ones(3, 2))
    assert memory.recall("two") is None
    (file,) = (tmp_path / "features").iterdir()
    file.write_bytes(b"damaged")
    assert memory.recall("one") is None


def test_a_comparison_that_refuses_is_named():
    entry = 'metrics.few={ metric = "prdc", of = "e(g(z))", to = "e(x)", count = 4 }'
    with pytest.raises(RecipeError, match=r"metrics\.few: metric prdc: 4 points have no 5 nearest neighbours"):
        Judge(Gallery(game_of(HELD_OUT, entry))).judge()
    with pytest.raises(RecipeError, match=r"metrics\.few: of is to be vectors"):
        game_of('metrics.few={ metric = "prdc", of = "g(z)", to = "x" }')
