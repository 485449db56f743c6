"""Built-in metrics against independent numpy in float64, and their laws."""

import math

import numpy as np
import pytest
import torch

import agekit
from agekit.builtin.metrics import PSNR, SSIM, Edges, IoU, Sharpness, Spectrum, Spread
from agekit.contracts import Space
from agekit.plugins import load

from .tiny import game_of

CLASSES = ("ground", "disc", "square", "star")
SPACES = {"of": Space("scores of mask", (4, 5, 6)), "to": Space("mask", (5, 6), CLASSES)}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n, channels=3, height=7, width=9, seed=0):
    return torch.rand(n, channels, height, width, generator=generator(seed)) * 2 - 1


def taken(metric, *operands, parts=1, spaces=None):
    """The values of a metric whose rows are made of so many parts of each operand."""
    chunks = zip(*(operand.tensor_split(parts) for operand in operands), strict=True)
    return metric.values(torch.cat([metric.rows(*chunk) for chunk in chunks]), spaces or {})


def test_all_metrics_are_tested_here():
    entries = load().registries.metrics.entries.values()
    here = [entry.name for entry in entries if entry.component.__module__ == "agekit.builtin.metrics"]
    assert here == ["iou", "psnr", "ssim", "sharpness", "edges", "spread", "spectrum"]


# ---- intersection over union


def scored(n=11):
    scores = torch.randn(n, 4, 5, 6, generator=generator())
    scores[:, 3] -= 100  # never found
    return scores, torch.randint(0, 3, (n, 5, 6), generator=generator(1))


def iou_of(scores, classes):
    """By sets of elements, one class after another."""
    found, true = scores.numpy().argmax(1).ravel(), classes.numpy().ravel()
    sets = {name: (set(np.flatnonzero(found == c)), set(np.flatnonzero(true == c))) for c, name in enumerate(CLASSES)}
    return {name: len(p & t) / len(p | t) for name, (p, t) in sets.items() if p | t}, (found == true).mean()


@pytest.mark.parametrize("parts", [1, 4])
def test_iou_is_that_of_all_samples_together(parts):
    scores, classes = scored()
    expected, accuracy = iou_of(scores, classes)
    found = taken(IoU(), scores, classes, parts=parts, spaces=SPACES)
    assert list(found) == ["mean_iou", "pixel_accuracy", "ground", "disc", "square"]
    assert found == pytest.approx(
        {"mean_iou": np.mean(list(expected.values())), "pixel_accuracy": accuracy, **expected}, rel=1e-12
    )


def test_the_counts_are_exact_and_a_row_each():
    scores, classes = scored(3)
    rows = IoU().rows(scores, classes)
    assert (rows.shape, rows.dtype) == ((3, 4, 4), torch.int64)
    for row, score, truth in zip(rows, scores, classes, strict=True):
        found = score.argmax(0)
        for t in range(4):
            for p in range(4):
                assert row[t, p] == ((truth == t) & (found == p)).sum()


def test_a_class_that_is_found_and_does_not_occur_counts_against_the_mean():
    scores, classes = scored()
    classes = classes.clamp(max=1)
    found = taken(IoU(), scores, classes, spaces=SPACES)
    assert found["square"] == 0
    assert found["mean_iou"] == pytest.approx((found["ground"] + found["disc"]) / 3)


def test_iou_is_one_where_all_is_right_and_serves_labels_too():
    truth = torch.tensor([0, 2, 2, 1])
    scores = torch.nn.functional.one_hot(truth, 4).float()
    spaces = {"of": Space("scores of label", (4,)), "to": Space("label", (), CLASSES)}
    assert taken(IoU(), scores, truth, spaces=spaces) == {
        "mean_iou": 1.0,
        "pixel_accuracy": 1.0,
        "ground": 1.0,
        "disc": 1.0,
        "square": 1.0,
    }


def test_scores_that_do_not_belong_to_the_classes_are_refused():
    scores, classes = scored()
    for wrong in (classes[:, :4], classes[:5]):
        with pytest.raises(ValueError, match=r"scores \[11, 4, 5, 6\] do not belong to classes"):
            IoU().rows(scores, wrong)


# ---- pictures


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_psnr_is_the_mean_over_images_in_decibels(dtype):
    one, other = images(6).to(dtype), images(6, seed=1).to(dtype)
    a, b = one.double().numpy(), other.double().numpy()
    expected = np.mean([10 * np.log10(4 / ((p - q) ** 2).mean()) for p, q in zip(a, b, strict=True)])
    assert taken(PSNR(), one, other, parts=2) == {"psnr": pytest.approx(expected, rel=1e-6)}


def ssim_of(p, q):
    """By the definition, one window after another, in float64."""
    at = np.arange(11) - 5
    window = np.exp(-(at[:, None] ** 2 + at**2) / (2 * 1.5**2))
    window /= window.sum()
    found = []
    for a, b in zip(p.reshape(-1, *p.shape[-2:]), q.reshape(-1, *q.shape[-2:]), strict=True):
        for i in range(a.shape[0] - 10):
            for j in range(a.shape[1] - 10):
                u, v = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
                m, n = (window * u).sum(), (window * v).sum()
                uu, vv = (window * (u - m) ** 2).sum(), (window * (v - n) ** 2).sum()
                uv = (window * (u - m) * (v - n)).sum()
                c, d = 0.02**2, 0.06**2
                found.append((2 * m * n + c) * (2 * uv + d) / ((m**2 + n**2 + c) * (uu + vv + d)))
    return np.mean(found)


def test_ssim_is_that_of_windows_taken_one_by_one():
    one, other = images(3, height=13, width=15), images(3, height=13, width=15, seed=1)
    near = (0.8 * one + 0.2 * other).clamp(-1, 1)
    for target in (other, near):
        expected = np.mean([ssim_of(p, q) for p, q in zip(one.double().numpy(), target.double().numpy(), strict=True)])
        assert taken(SSIM(), one, target, parts=2) == {"ssim": pytest.approx(expected, rel=1e-6)}
    assert taken(SSIM(), one, one)["ssim"] == pytest.approx(1, abs=1e-12)
    with pytest.raises(ValueError, match="11×11 at least, fit; found"):
        SSIM().rows(one[..., :10], one[..., :10])


def test_the_spectrum_is_that_of_the_covariance():
    vectors = torch.randn(50, 4, generator=generator()) * torch.tensor([2.0, 1.0, 0.5, 1e-3])
    found = taken(Spectrum(), vectors, parts=3)
    covariance = np.cov(vectors.double().numpy().T, bias=True)
    eigenvalues = np.linalg.eigvalsh(covariance)[::-1]
    shares = eigenvalues / eigenvalues.sum()
    expected = {
        "effective_rank": np.exp(-(shares * np.log(shares)).sum()),
        "participation": 1 / (shares**2).sum(),
        "share_of_first": shares[0],
        "dead": 1,
        **{f"eigenvalue_{i + 1}": value for i, value in enumerate(eigenvalues)},
        **{f"variance_{i + 1}": value for i, value in enumerate(np.diag(covariance))},
    }
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_psnr_of_a_known_error_and_of_none():
    image = images(2)
    assert taken(PSNR(), image + 0.2, image)["psnr"] == pytest.approx(20, abs=1e-4)
    assert taken(PSNR(), image, image)["psnr"] == math.inf
    with pytest.raises(ValueError, match="has no counterpart"):
        PSNR().rows(image, image[:, :1])


def luma_gradient(pictures):
    """The differences of luma to the right and downwards, wherever there are both."""
    pictures = pictures.double().numpy()
    luma = pictures[:, 0] if pictures.shape[1] == 1 else np.tensordot([0.2126, 0.7152, 0.0722], pictures, (0, 1))
    return luma[:, :-1, 1:] - luma[:, :-1, :-1], luma[:, 1:, :-1] - luma[:, :-1, :-1]


def gradient_of(pictures):
    """The mean gradient magnitude of luma."""
    along, across = luma_gradient(pictures)
    return np.sqrt(along**2 + across**2).mean()


@pytest.mark.parametrize("channels", [1, 3])
def test_sharpness_is_the_ratio_of_mean_gradients(channels):
    one, other = images(5, channels), 0.3 * images(5, channels, seed=1)
    expected = gradient_of(one), gradient_of(other)
    found = taken(Sharpness(), one, other, parts=3)
    assert found == pytest.approx({"ratio": expected[0] / expected[1], "of": expected[0], "to": expected[1]}, rel=1e-6)


def test_sharpness_of_ramps_and_of_the_same_and_of_the_blurred():
    ramp = (torch.arange(8.0)[None, :] * 0.03 + torch.arange(6.0)[:, None] * 0.04).expand(2, 3, 6, 8)
    assert taken(Sharpness(), ramp, ramp) == pytest.approx({"ratio": 1, "of": 0.05, "to": 0.05}, rel=1e-4)
    sharp = images(4)
    blurred = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    assert taken(Sharpness(), blurred, sharp)["ratio"] < 0.6
    assert math.isnan(taken(Sharpness(), torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))["ratio"])


@pytest.mark.parametrize("shape", [(2, 2, 8, 8), (2, 3, 1, 8), (2, 8)])
@pytest.mark.parametrize("metric", [Sharpness(), Edges()], ids=repr)
def test_gradients_are_those_of_pictures(metric, shape):
    with pytest.raises(ValueError, match="gradients are those of images of 1 or 3 channels"):
        metric.rows(torch.zeros(shape), torch.zeros(shape))


@pytest.mark.parametrize("channels", [1, 3])
def test_edges_are_the_slope_of_a_regression_through_the_origin(channels):
    one, other = images(5, channels), images(5, channels, seed=1)
    ours, theirs = (np.concatenate([part.ravel() for part in luma_gradient(of)]) for of in (one, other))
    expected = np.linalg.lstsq(theirs[:, None], ours, rcond=None)[0].item()
    assert taken(Edges(), one, other, parts=3) == pytest.approx({"kept": expected}, rel=1e-5)


def test_edges_that_are_fainter_blurred_or_strewn_with_noise():
    target = images(64)
    noise = torch.randn(target.shape, generator=generator(5))
    assert taken(Edges(), target / 2 + 0.3, target)["kept"] == pytest.approx(0.5, rel=1e-5)
    assert taken(Edges(), torch.nn.functional.avg_pool2d(target, 3, 1, 1), target)["kept"] < 0.5
    assert taken(Edges(), target + noise, target)["kept"] == pytest.approx(1, abs=0.05)
    assert taken(Sharpness(), target + noise, target)["ratio"] > 1.3


# ---- vectors


def test_spread_is_that_of_the_covariance():
    codes = torch.randn(50, 5, generator=generator(), dtype=torch.float64) * torch.tensor([1, 1, 0.5, 0.1, 3.0]) + 2
    c = codes.numpy()
    shares = np.linalg.eigvalsh(np.cov(c.T))
    shares /= shares.sum()
    expected = {
        "mean_norm": np.sqrt((c.mean(0) ** 2).sum()),
        "standard_deviation": np.sqrt(((c - c.mean(0)) ** 2).mean()),
        "effective_rank": np.exp(-(shares * np.log(shares)).sum()),
    }
    assert taken(Spread(), codes, parts=7) == pytest.approx(expected, rel=1e-10)


def test_the_effective_rank_is_the_number_of_directions_that_are_used_alike():
    corners = torch.cat([torch.eye(6), -torch.eye(6)])
    assert taken(Spread(), corners)["effective_rank"] == pytest.approx(6)
    line = torch.linspace(-1, 1, 9)[:, None] * torch.ones(6)
    assert taken(Spread(), line)["effective_rank"] == pytest.approx(1, abs=1e-6)
    point = torch.ones(9, 6)
    assert taken(Spread(), point) == pytest.approx({"mean_norm": 6**0.5, "standard_deviation": 0, "effective_rank": 1})


def test_all_of_them_are_taken_in_a_game():
    settings = (
        'data.held_out={ split = "test" }',
        'metrics.noise={ metric = "psnr", of = "g(e(x))", to = "x" }',
        'metrics.sharp={ metric = "sharpness", of = "g(z)", to = "x" }',
        'metrics.codes={ metric = "spread", of = "e(x)" }',
    )
    found = agekit.judge(game_of(*settings))
    assert {name: list(values) for name, values in found.items()} == {
        "noise": ["psnr"],
        "sharp": ["ratio", "of", "to"],
        "codes": ["mean_norm", "standard_deviation", "effective_rank"],
    }
    assert all(math.isfinite(value) for values in found.values() for value in values.values())
