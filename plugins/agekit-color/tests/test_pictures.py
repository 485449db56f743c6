"""What is promised of saved pictures: colourings keep the luminance of their photograph, and differ from each other."""

import numpy as np
import pytest
from agekit.__main__ import main
from PIL import Image

SIDE, ENLARGED, ROWS = 32, 2, 3
TINY = {
    "data.size": SIDE,
    "data.count": 64,
    "data.held_out.count": 16,
    "data.batch": 16,
    "networks.g.width": 8,
    "networks.g.blocks": 1,
    "networks.e.width": 8,
    "players.generator.optimizer.lr": 0.02,
    "players.encoder.optimizer.lr": 0.002,
    "views.colourings.count": 8 * ROWS,
    "metrics.luminance.count": 16,
    "metrics.diversity.count": 16,
    "metrics.reconstructions.count": 16,
    "run.steps": 25,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a short run, learnt so fast that its colours are strong."""
    folder = tmp_path_factory.mktemp("colouring")
    settings = [text for key, value in TINY.items() for text in ("--set", f"{key}={value}")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGEKIT_CACHE", str(folder / "cache"))
        assert main(["run", "age_toyfaces_color", "--out", str(folder), "--name", "run", *settings]) == 0
    return folder / "run"


def pairs(path, rows):
    """Photographs and colourings of a saved grid, uint8 [rows, 8, h, w, 3] each."""
    picture = np.asarray(Image.open(path).convert("RGB"))[::ENLARGED, ::ENLARGED]
    assert picture.shape == (rows * (SIDE + 2) + 2, 8 * (2 * SIDE + 4) + 4, 3)
    tiles = np.stack(
        [
            [picture[2 + (SIDE + 2) * row :, 4 + (2 * SIDE + 4) * column :][:SIDE, : 2 * SIDE] for column in range(8)]
            for row in range(rows)
        ]
    )
    return tiles[..., :SIDE, :], tiles[..., SIDE:, :]


def lab(saved):
    """L, a and b of 8-bit sRGB [..., 3], by the formulas of the standards."""
    srgb = saved / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = linear @ (matrix / matrix.sum(axis=1, keepdims=True)).T
    x, y, z = np.moveaxis(np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def held(photographs, colourings):
    """That 8-bit luminance, 0 to 255, moves by 1 at most wherever no channel is at an end, and so none is clipped."""
    before, after = (np.round(lab(each)[..., 0] * 2.55) for each in (photographs, colourings))
    inside = ((colourings > 0) & (colourings < 255)).all(axis=-1)
    assert inside.mean() > 0.2
    assert np.abs(before - after)[inside].max() <= 1
    chroma = np.linalg.norm(lab(colourings)[..., 1:], axis=-1)
    assert chroma[inside].mean() > 5
    return inside


def test_luminance_is_kept_in_the_pictures_of_a_run(run):
    photographs, colourings = pairs(run / "pictures" / "colourings.png", ROWS)
    assert (photographs == photographs[:, :1]).all()
    held(photographs, colourings)


def test_codes_differ_in_colour(run):
    _, colourings = pairs(run / "pictures" / "colourings.png", ROWS)
    ab = lab(colourings)[..., 1:]
    apart = [np.linalg.norm(ab[:, i] - ab[:, j], axis=-1).mean() for i in range(8) for j in range(i)]
    assert min(apart) > 0.5


def test_luminance_is_kept_in_a_persons_own_pictures_of_random_pixels(run, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (ROWS, SIDE, SIDE, 3), dtype=np.uint8)
    for index, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    out = tmp_path / "coloured.png"
    given = [str(tmp_path / f"{index}.png") for index in range(ROWS)]
    assert main(["reconstruct", str(run), *given, "--view", "colourings", "--out", str(out)]) == 0
    photographs, colourings = pairs(out, ROWS)
    assert (photographs == noise[:, None]).all()
    inside = held(photographs, colourings)
    lost = np.abs(lab(photographs)[..., 0] - lab(colourings)[..., 0])[~inside]
    assert lost.max() > 1
