"""The factor probe: faces are told from noise, and their kinds are counted as the closed form expects."""

import numpy as np
import pytest
import torch

from agekit.builtin.face_probe import PARTS, FaceProbe, expected_kinds, kind_of
from agekit.builtin.portrait import STYLES
from agekit.builtin.toyfaces import FACTORS, ToyFaces, draw_factors

from .tiny import game_of

COUNT = 64


def real(count: int = COUNT) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Real faces, their own factors, and scores that are sure of their styles."""
    source = ToyFaces(size=16, count=count, split="test").open()
    samples = [source.read(i) for i in range(count)]
    x = torch.from_numpy(np.stack([sample["x"] for sample in samples])) / 127.5 - 1
    factors = torch.from_numpy(np.stack([sample["factors"] for sample in samples]))
    return x, factors, torch.eye(len(STYLES))[[int(sample["label"]) for sample in samples]]


def judged(*operands: torch.Tensor, threshold: float = 0.02) -> dict[str, float]:
    probe = FaceProbe(threshold=threshold)
    return dict(probe.values(probe.rows(*operands), {}))


def test_faces_that_are_read_rightly_are_valid_and_at_no_distance():
    values = judged(*real())
    assert values["valid"] == 1
    assert values["distance_p99"] < 1 / 127
    assert values["coverage"] == pytest.approx(1, abs=0.15)


def test_noise_another_face_and_another_style_are_not_valid():
    x, factors, style = real()
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for operands in ((noise, factors, style), (x, factors.flip(0), style), (x, factors, style.roll(1, dims=1))):
        values = judged(*operands, threshold=0.008)
        assert values["valid"] < 0.1
        assert values["coverage"] < 0.15


def test_the_distance_is_the_mean_absolute_difference():
    x, factors, style = real(8)
    rows = FaceProbe().rows((x + 0.25).clamp(max=10), factors, style)
    np.testing.assert_allclose(rows[:, 0], 0.25, atol=1 / 127)
    assert judged(x + 0.25, factors, style, threshold=0.26)["valid"] == 1
    assert judged(x + 0.25, factors, style, threshold=0.24)["valid"] == 0
    assert judged(x + 0.15, factors, style)["valid"] == 0
    assert judged(x + 0.15, factors, style)["rough"] == 1
    assert judged(x + 0.25, factors, style)["rough"] == judged(x + 0.25, factors, style)["rough_coverage"] == 0


def test_half_of_the_pairs_of_real_faces_of_one_kind_are_rough_faces_of_each_other():
    source, distances = ToyFaces(count=1024, split="test").open(), []
    kinds: dict[int, np.ndarray] = {}
    for sample in map(source.read, range(1024)):
        kind = kind_of(sample["factors"].tolist(), int(sample["label"]))
        if (other := kinds.pop(kind, None)) is None:
            kinds[kind] = sample["x"]
        else:
            distances.append(np.abs(sample["x"] / 127.5 - other / 127.5).mean())
    assert len(distances) > 300
    assert np.mean(np.array(distances) <= FaceProbe().rough) == pytest.approx(0.5, abs=0.06)


def test_one_face_again_and_again_covers_one_kind():
    operands = [operand[:1].expand(COUNT, *operand.shape[1:]) for operand in real()]
    assert judged(*operands)["coverage"] == pytest.approx(1 / expected_kinds(COUNT))


def test_the_expected_number_of_kinds_is_that_of_real_faces():
    counts = [len({kind_of(*face(seed, i)) for i in range(500)}) for seed in range(6)]
    assert np.mean(counts) == pytest.approx(expected_kinds(500), rel=0.03)
    assert expected_kinds(1) == pytest.approx(1)
    assert expected_kinds(10**7) == pytest.approx(432)


def face(seed: int, index: int) -> tuple[list[float], int]:
    factors, style = draw_factors(seed, 0, index)
    return list(factors.values()), style


def test_kinds_are_numbered_without_gaps():
    corners = [0.0, 1.0]
    at = dict.fromkeys(FACTORS, 0.5)
    ends = {kind_of(list((at | dict.fromkeys(PARTS, end)).values()), style) for end in corners for style in (0, 5)}
    assert (min(ends), max(ends)) == (0, 431)


def test_a_recipe_judges_what_two_networks_read():
    probe = """
[data]
dataset = "toyfaces"
size    = 16
batch   = 8

[networks]
p = { encoder = "small", width = 2, makes = "factors" }
h = { encoder = "small", width = 2, makes = "label" }

[players.reader]
owns = ["p", "h"]
[players.reader.terms]
factors = { reciprocity = "l1", of = "p(x)", to = "factors" }
style   = { loss = "cross_entropy", of = "h(x)", to = "label" }

[metrics]
faces = { metric = "face_probe", of = "x", factors = "p(x)", style = "h(x)", count = 16 }

[run]
steps = 1
"""
    from agekit.api import judge

    values = judge(game_of(text=probe))["faces"]
    assert list(values) == ["valid", "coverage", "rough", "rough_coverage", "distance", "distance_p99"]
    assert values["valid"] == 0  # its data is noise
