"""The comparison: what its page says, its picture, and the whole of it in small."""

import pytest
import torch
from PIL import Image

from benchmarks.compare import main
from benchmarks.compare_page import grid, page
from benchmarks.keeping import made_by


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def result(**looks):
    metrics = {"reconstruction": {"value": 0.1}, "codes": {"excess": 0.2}}
    metrics |= {name: {"ratio": value, "kept": value} for name, value in looks.items()}
    faces = {"valid": 0.25, "coverage": 0.5, "rough": 0.75, "rough_coverage": 0.9, "distance": 0.12}
    faces["distance_p99"] = 0.0875
    return {"seconds": 0.5, "metrics": {"faces": faces, **(metrics if looks else {})}}


PROTOCOL = {
    "steps": 10,
    "probe_steps": 20,
    "count": 30,
    "faces": 40,
    "batch": 8,
    "rough": 0.2,
    "seed": 5,
    "width": 6,
    "picture": "a.png",
}


@pytest.mark.parametrize(
    ("sharpness", "edges", "verdict"),
    [(0.5, 0.5, "is blurrier, as"), (0.5, 0.9, "by one measure and not by the other"), (0.9, 0.9, "is not blurrier")],
)
def test_the_page_says_what_comes_out_either_way(sharpness, edges, verdict):
    results = {
        "AGE": result(sharpness=0.8, edges=0.7),
        "generator-recon": result(sharpness=sharpness, edges=edges),
        "DCGAN": result(),
    }
    text = page(PROTOCOL, result(), results)
    assert "| AGE | 0.100 | 0.80 | 0.70 | 0.200 | 25.0% | 0.50 | 75.0% | 0.90 | 0.120 | 0.50 |" in text
    assert "| DCGAN | – | – | – | – | 25.0% | 0.50 | 75.0% | 0.90 | 0.120 | 0.50 |" in text
    assert verdict in text
    assert "0.0875" in text


def test_the_picture_has_a_row_for_each_system_and_one_for_the_inputs():
    shown = noise(12, 3, 32, 32)
    rows = {"AGE": {"samples": shown, "reconstructions": shown, "inputs": shown}, "DCGAN": {"samples": shown}}
    sheet = grid(rows, side=32, margin=100)
    assert sheet.size == (100 + 24 * 32 + 16, 3 * 32)
    assert sheet.crop((100 + 12 * 32 + 16, 64, *sheet.size)).getextrema() == ((255, 255),) * 3  # DCGAN has no encoder


@pytest.mark.slow
def test_the_whole_of_it_in_small_is_resumed(elsewhere, tmp_path, capfd):
    systems = ["age_toyfaces", "dcgan_toyfaces"]
    small = ["--steps=1", "--probe-steps=1", "--width=2", "--faces=64", "--count=16", "--processes=1"]
    given = [*small, f"--out={tmp_path / 'kept'}", f"--page={tmp_path / 'page.md'}", "--systems", *systems]
    assert main(given) == 0
    assert capfd.readouterr().out.count("1 of 1 steps") == 3
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")][1:] == [
        "| held-out faces", "| AGE", "| DCGAN"
    ]  # fmt: skip
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.height == 3 * 64
    assert main(given) == 0
    assert "1 of 1 steps" not in capfd.readouterr().out
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == text

    assert main([*given, "--faces=65"]) == 0
    assert capfd.readouterr().out.count("1 of 1 steps") == 3


def test_a_result_is_kept_for_the_very_recipe_and_weights_it_was_made_by(elsewhere, tmp_path):
    recipe, weights = tmp_path / "mine.toml", tmp_path / "e.safetensors"
    weights.write_bytes(b"1")
    said = [f'networks.e.from="{weights}"']

    def digest(text):
        recipe.write_text(f'extends = "age_toyfaces"\n{text}', encoding="utf-8")
        return made_by(str(recipe), said)

    whole = digest("")
    assert digest("# a comment\n[about]\nsummary = 'other words'") == whole
    assert len({whole, digest("[run]\nepochs = 3"), digest("[networks]\ne = { width = 3 }")}) == 3
    weights.write_bytes(b"2")
    assert digest("") != whole
