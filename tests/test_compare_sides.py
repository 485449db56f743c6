"""Comparing runs: which belong together, how recipes, compute and numbers differ, and pictures of the same draws."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from PIL import Image
from scipy import stats  # type: ignore[import-untyped]

from agekit.cli import main
from agekit.compare.contrast import recipes, rows, spent
from agekit.compare.interval import Interval, student
from agekit.compare.reading import told
from agekit.compare.sides import sides_of
from agekit.errors import RunError
from agekit.evaluate import Wanted, evaluate
from agekit.game.cost import cost
from agekit.game.describe import describe_plan
from agekit.game.scope import scope_of
from agekit.plugins import load
from agekit.train.folder import open_run

from .runs import begin
from .tiny import TINY, recipe_of

JUDGED = TINY + '\n[metrics]\nfar = { reciprocity = "l1", of = "g(e(x))", to = "x" }\n'
JUDGED += 'codes = { divergence = "kl_gaussian", of = "e(x)" }\n'
SHORT = "run.stop_after=3"
HEAVY = {"torch", "numpy", "PIL", "safetensors"}
WITHOUT = ("players.encoder.terms.reconstruct=false", "players.generator.terms.recover.weight=2")


@pytest.fixture(scope="module")
def played(tmp_path_factory, cache):
    """A folder with groups of three seeds of two recipes, and a run of more steps."""
    home = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("AGEKIT_CACHE", str(cache))
        for seed in range(3):
            begin(f"a-{seed}", JUDGED, settings=[f"run.seed={seed}", SHORT])
            begin(f"b-{seed}", JUDGED, settings=[f"run.seed={seed}", SHORT, *WITHOUT])
        begin("long", JUDGED, settings=["run.stop_after=4", "players.generator.updates=1"])
    return home


@pytest.fixture(autouse=True)
def there(elsewhere, played, tmp_path):
    """A copy of it, to work in."""
    shutil.copytree(played / "runs", tmp_path / "runs")


def value(name, metric="far", key="value"):
    return told(Path("runs") / name).lines[-1]["metrics"][metric][key]


def one(sides, metric="far", key="value"):
    return next(row for row in rows(sides) if row.name == (metric, key))


# ---- which belong together


@pytest.mark.parametrize(
    "given",
    [
        ["runs/a-", "runs/b-"],
        ["runs/a-*", "runs/b-?"],
        [f"runs/{side}-{seed}" for side in "ab" for seed in range(3)],
        [f"runs/{side}-{seed}" for seed in range(3) for side in "ab"],
        ["groups/a", "groups/b"],
        ["groups/a", "runs/b-0", "runs/b-1", "runs/b-2"],
    ],
)
def test_runs_of_one_recipe_are_a_side_however_they_are_named(given):
    for side in "ab":
        for seed in range(3):
            shutil.copytree(f"runs/{side}-{seed}", f"groups/{side}/seed-{seed}")
    first, second = sides_of(given)
    assert [*first.runs] == [*second.runs] == [0, 1, 2]
    assert (first.left_out, second.left_out) == ((), ())
    assert "players.encoder.terms.reconstruct.weight" in recipes([first, second])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["runs/a-"], "runs/a-: all of one recipe, which leaves nothing to compare; name another run, too"),
        (["runs/a-0", "runs/a-1"], "runs/a-0, runs/a-1: all of one recipe"),
        (
            ["runs/lang", "runs/a-"],
            "runs/lang is no run, no folder of runs, and no name of one begins so; did you mean runs/long?",
        ),
        (
            ["nowhere/x", "runs/a-"],
            "nowhere/x is no run, no folder of runs, and no name of one begins so; there is none",
        ),
        (["runs", "runs/a-0"], "runs has runs of several recipes: runs/a-0 and runs/b-0 differ in players.encoder"),
        (["runs/[al]*", "runs/b-0"], "runs/[al]* has runs of several recipes: runs/a-0 and runs/long differ in "),
        (["twice", "runs/b-0"], "twice has two runs of seed 1: twice/x and twice/y; name one of them"),
        (["torn", "runs/b-0"], "torn/run.json cannot be read"),
    ],
)
def test_what_does_not_belong_together_is_told(given, said, capsys):
    shutil.copytree("runs/a-1", "twice/x")
    shutil.copytree("runs/a-1", "twice/y")
    shutil.copytree("runs/a-1", "torn")
    Path("torn/run.json").write_text("{")
    assert main(["compare", *given]) == 1
    assert capsys.readouterr().err.startswith(f"error: {said}")


def test_two_runs_of_one_seed_and_recipe_are_two_sides_and_a_run_that_is_behind_is_left_out(capsys):
    shutil.copytree("runs/a-0", "runs/again")
    assert len(sides_of(["runs/a-0", "runs/again"])) == 2
    behind = Path("runs/a-2")
    shutil.rmtree(behind)
    begin("a-2", JUDGED, settings=["run.seed=2", SHORT, "run.stop_after=2"])
    shutil.copy("runs/a-0/recipe.toml", behind / "recipe.toml")
    first, _ = sides_of(["runs/a-", "runs/b-"])
    assert [*first.runs] == [0, 1]
    assert main(["compare", "runs/a-", "runs/b-"]) == 0
    assert "left out  runs/a-2 stands at step 2, and others at 3" in capsys.readouterr().out


# ---- how they differ


def test_recipes_are_compared_value_by_value():
    sides = sides_of(["runs/a-", "runs/b-", "runs/long"])
    found = recipes(sides)
    assert found["players.generator.terms.recover.weight"] == [4, 2, 4]
    assert found["players.generator.updates"] == [2, 2, 1]
    assert found["run.stop_after"] == [3, 3, 4]
    assert [isinstance(value, str) for value in found["players.encoder.terms.reconstruct.of"]] == [True, False, True]
    assert "run.seed" not in found
    assert len(found) == 7


def test_compute_is_that_of_the_plan(capsys):
    sides = sides_of(["runs/a-", "runs/b-", "runs/long"])
    took = [spent(side.first) for side in sides]
    assert [one.steps for one in took] == [3, 3, 4]
    assert [one.images for one in took] == [3 * 8, 3 * 8, 4 * 8]
    for side, one in zip(sides, took, strict=True):
        printed = [line.split() for line in (side.first.folder.plan).read_text().splitlines() if "one update:" in line]
        updates = (1, side.first.tree["players"]["generator"]["updates"])
        gflop = sum(times * float(line[2]) for times, line in zip(updates, printed, strict=True))
        assert one.flops is not None
        assert one.flops / one.steps / 1e9 == pytest.approx(gflop, abs=0.02)
    assert str(took[1].flops) != str(took[0].flops)
    recipe = recipe_of(text=JUDGED)
    scope = scope_of(recipe)
    assert "one update" in describe_plan(recipe, scope, cost(recipe, scope))
    assert main(["compare", "runs/a-", "runs/b-"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    marks = {line[0]: line[-1] for line in lines if line and line[-1] in ("equal", "UNEQUAL")}
    assert marks == {"steps": "equal", "images": "equal", "operations": "UNEQUAL"}


def test_differences_are_paired_by_seed():
    row = one(sides_of(["runs/a-", "runs/b-"]))
    gaps = [value(f"b-{seed}") - value(f"a-{seed}") for seed in range(3)]
    (gap,) = row.gaps
    assert gap is not None
    assert (gap.count, gap.mean) == (3, pytest.approx(fmean(gaps)))
    half = stats.ttest_rel(
        [value(f"b-{s}") for s in range(3)], [value(f"a-{s}") for s in range(3)]
    ).confidence_interval()
    assert gap.half == pytest.approx((half.high - half.low) / 2)
    assert row.means[0] is not None
    assert row.means[0].mean == pytest.approx(fmean(value(f"a-{s}") for s in range(3)))
    partly = one(sides_of(["runs/a-[01]", "runs/b-[12]"])).gaps[0]
    assert partly is not None
    assert (partly.count, partly.mean, partly.half) == (1, pytest.approx(gaps[1]), None)
    assert one(sides_of(["runs/a-0", "runs/b-1"])).gaps == (None,)


def test_numbers_of_different_protocols_are_marked_and_not_subtracted(capsys):
    begin("other", JUDGED, settings=["metrics.far.count=9", SHORT])
    assert main(["compare", "runs/a-", "runs/other"]) == 0
    lines = capsys.readouterr().out.splitlines()
    far = next(line for line in lines if line.startswith("far ")).split()
    assert (far[5], far[-2], far[-1]) == ("a", "b", "-")
    codes = next(line for line in lines if line.startswith("codes ")).split()
    assert codes[-1] not in ("a", "b", "-")
    said = "reciprocity l1(of = g(e(x)), to = x), in training: {} samples of training, recalibrated statistics"
    assert [line[3:] for line in lines if line[:3] in ("a  ", "b  ")] == [said.format(40), said.format(9)]
    for name in ("a-0", "other"):
        list(evaluate(open_run(Path("runs") / name), Wanted(metrics=("far",), seeds=2, count=20), load()))
    row = one(sides_of(["runs/a-0", "runs/other"]))
    assert not row.mixed
    assert row.gaps[0] is not None
    assert "20 samples of training" in row.numbers[0][0].said


def test_all_is_told_as_json_too(capsys):
    assert main(["compare", "runs/a-", "runs/b-", "--json", "--metrics", "codes"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [side["runs"] for side in told["sides"]] == [{str(s): f"runs/{n}-{s}" for s in range(3)} for n in "ab"]
    assert told["recipe"]["players.generator.terms.recover.weight"] == {"A": 4, "B": 2}
    assert {row["metric"] for row in told["metrics"]} == {"codes"}
    (row,) = [row for row in told["metrics"] if row["value"] == "value"]
    assert row["one_protocol"] is True
    assert row["sides"][0]["each"] == {str(s): value(f"a-{s}", "codes") for s in range(3)}
    assert row["differences"][0]["count"] == 3
    assert main(["compare", "runs/a-", "runs/b-", "--metrics", "fra"]) == 1
    assert capsys.readouterr().err == "error: --metrics fra: no run has it at its last step; did you mean far?\n"


def test_nothing_heavy_is_loaded():
    code = (
        "import sys\nfrom agekit.__main__ import main\nstatus = main(sys.argv[1:])\n"
        f"print(status, sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "compare", "runs/a-", "runs/b-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "0 []\n"
    assert "B - A" in done.stdout


# ---- pictures


def test_pictures_are_of_the_same_draws_and_inputs(capsys):
    assert main(["compare", "runs/a-", "runs/b-", "--pictures", "out.png"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("\npictures  out.png\n")
    with Image.open("out.png") as image:
        whole = np.asarray(image)
        assert image.info["A"] == "runs/a-0"
    assert len(whole) % 5 == 0
    bands = np.split(whole, 5)  # samples of A and B; inputs, and reconstructions of A and B
    assert all((band != 255).any() for band in bands)
    shutil.copytree("runs/a-0", "runs/again")
    assert main(["compare", "runs/a-0", "runs/again", "--pictures", "same.png"]) == 0
    with Image.open("same.png") as image:
        rows = np.split(np.asarray(image), 5)
    bands = [row[:, -8 * 68 :] for row in rows]  # the pictures, without the titles
    assert (bands[0] == bands[1]).all()
    assert (bands[3] == bands[4]).all()
    assert not (bands[2] == bands[3]).all()


def test_pictures_of_other_draws_or_data_are_told(capsys):
    begin("wide", JUDGED, settings=[SHORT, "latent.dim=7", "data.count=48"])
    assert main(["compare", "runs/a-0", "runs/wide", "--pictures", "out.png"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1].strip() for line in out if "not the same" in line] == [
        "samples: the draw z is not the same on all sides",
        "reconstructions: the data is not the same on all sides",
    ]
    with Image.open("out.png") as image:
        assert image.size[1] % 6 == 0
    begin("blind", JUDGED, settings=[SHORT, "views.samples=false", "views.reconstructions=false"])
    assert main(["compare", "runs/a-0", "runs/blind", "--pictures", "no.png"]) == 1
    assert "error: the recipes have no view of pictures in common" in capsys.readouterr().err
    assert main(["compare", "runs/a-0", "runs/b-0", "--pictures", "no/where.png"]) == 1
    assert "error: no/where.png cannot be written" in capsys.readouterr().err


# ---- intervals


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 10, 31, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_student_s_t_is_scipy_s(freedom, confidence):
    assert student(freedom, confidence) == pytest.approx(stats.t.ppf((1 + confidence) / 2, freedom), rel=1e-10)


def test_an_interval_is_scipy_s():
    values = [0.3, 0.9, 0.4, 0.1]
    low, high = stats.t.interval(0.95, 3, fmean(values), stats.sem(values))
    found = Interval.of(values)
    assert found.half is not None
    assert [found.mean - found.half, found.mean + found.half] == pytest.approx([low, high])
    assert not found.shows
    assert not Interval.of([-1.0, 1.1, 0.2]).shows
    assert Interval.of([1.0, 1.01, 1.02]).shows
    assert Interval.of([1.0]).half is None
    assert Interval.of([1.0, math.inf]).half is None


@pytest.mark.parametrize(
    ("mean", "half", "said", "signed"),
    [
        (0.312345, 0.0123, "0.312 ± 0.012", "+0.312 ± 0.012"),
        (12.3, 4.567, "12.3 ± 4.6", "+12.3 ± 4.6"),
        (-0.0004, 0.02, "-0.0004 ± 0.02", "-0.0004 ± 0.02"),
        (123456.0, 12.0, "123456 ± 12", "+123456 ± 12"),
        (0.5, 0.0, "0.5 ± 0", "+0.5 ± 0"),
        (0.123456, None, "0.1235", "+0.1235"),
    ],
)
def test_a_mean_is_written_to_the_digits_that_its_interval_has(mean, half, said, signed):
    assert (Interval(mean, half, 3).said, Interval(mean, half, 3).signed) == (said, signed)


def test_a_side_needs_no_more_than_its_folder():
    with pytest.raises(RunError, match="nothing to compare"):
        sides_of(["runs/a-0"])
