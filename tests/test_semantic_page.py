"""The page on the semantic loss: verdicts by paired differences, its tables, and its picture."""

import pytest
import torch

from benchmarks.semantic_page import COLUMNS, SHOWN, grid, outcome, page

EVEN = dict.fromkeys(COLUMNS, 0.5)


def arms(**agreement: list[float]) -> dict[str, list[dict[str, float]]]:
    """Three seeds an arm, the same everywhere but where the generator's agreement is said to differ."""
    seeds = [{**EVEN, **{name: values[seed] for name, values in agreement.items()}} for seed in range(3)]
    rows = {row: [EVEN] * 3 for row in ("none", "none, as encoder", "none, as generator", "encoder", "pixels")}
    return {**rows, "generator": seeds}


def lines_of(rows: dict[str, list[dict[str, float]]], arm: str) -> list[str]:
    return [line for line in outcome(rows).splitlines() if line.startswith(f"- **agreement, {arm}**")]


def test_a_difference_counts_where_its_interval_leaves_out_nothing():
    said = lines_of(arms(iou=[0.6, 0.61, 0.62], l1=[0.6, 0.61, 0.62], codes=[0.2, 0.9, 0.5]), "generator")
    assert len(said) == 3
    for line in said:
        assert "Better: IoU +0.110 ± 0.025; worse: L1 +0.1100 ± 0.0248; no difference" in line
        assert "codes +0.033 ± 0.872" in line


def test_equal_runs_show_no_difference():
    for line in lines_of(arms(), "encoder"):
        assert "No difference that these seeds show: IoU +0.000" in line
        assert "etter" not in line
        assert "orse" not in line


def test_one_seed_is_said_to_be_one():
    rows = {row: [seed[0]] for row, seed in ((row, seeds[:1]) for row, seeds in arms(iou=[0.6] * 3).items())}
    assert "Better: IoU +0.100 (one seed)" in outcome(rows)


@pytest.mark.parametrize("photographs", [False, True])
def test_the_page_has_every_arm_and_says_what_is_left_out(photographs):
    worlds = ["toyfaces", "celebamask"][: 1 + photographs]
    parsers = {f"{world}-s": {"metrics": {"mean_iou": 0.91, "pixel_accuracy": 0.98}} for world in worlds}
    marks = {world: dict.fromkeys(arms(), 300) | {"none, as generator": 984} for world in worlds}
    text = page({"picture": "a.png"}, parsers, dict.fromkeys(worlds, arms(iou=[0.6, 0.61, 0.62])), marks)
    assert "| AGE, as much compute as agreement, generator | 984 | 0.500 ± 0.000 |" in text
    assert "| agreement, generator | 300 | 0.610 ± 0.025 |" in text
    assert ("Left out of this page" in text) == (not photographs)


def test_the_picture_has_two_rows_an_arm():
    pictures = torch.zeros(SHOWN, 3, 32, 32)
    names = ("inputs", "true_parses", "reconstructions", "parses")
    shown = {arm: dict.fromkeys(names, pictures) for arm in ("none", "encoder", "generator", "pixels")}
    assert grid(shown, side=32, margin=100).size == (100 + SHOWN * 32, 10 * 32)
