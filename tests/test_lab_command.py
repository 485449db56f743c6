"""`agekit lab`: what it prints, saves and refuses."""

import re
import statistics
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image

import agekit
from agekit.builtin.divergences import SphereKL
from agekit.cli import arguments, main
from agekit.cli.lab import batches_of, lab
from agekit.errors import AgekitError
from agekit.game.load import load_recipe
from agekit.game.views import Gallery
from agekit.lab import memory
from agekit.lab.departures import DEPARTURES
from agekit.plugins import load
from agekit.train.folder import open_run
from agekit.train.recovery import restore_last

from .laboratory import builtin_divergences, rows_of
from .runs import begin, events_of
from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")

SMALL = ["--dim", "6", "--batch", "8,16", "--repetitions", "3"]


@pytest.fixture(autouse=True)
def no_matplotlib(monkeypatch):
    """As for most: the plot, which takes seconds, has a test of its own."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def test_a_table_is_printed_and_saved(capsys):
    assert main(["lab", "kl_gaussian", "sigreg:slices=4", *SMALL]) == 0
    said = capsys.readouterr()
    assert "against gaussian, dimension 6; 3 draws of each cloud, seed 0" in said.out
    assert all(departure.name in said.out for departure in DEPARTURES)
    assert "gradient signal-to-noise" in said.out
    assert (
        said.err
        == "warning: lab/table-0001/power.png needs matplotlib, which is not here: pip install 'agekit[plots]'\n"
    )
    rows = rows_of("lab/table-0001/table.csv")
    assert len(rows) == 2 * 2 * (1 + len(DEPARTURES))
    assert {row["divergence"] for row in rows} == {"kl_gaussian", "sigreg:slices=4"}
    bases = {(row["divergence"], row["batch"]): row for row in rows if row["codes"] == "null"}
    for row in rows:
        assert (row["reference"], row["dim"], row["repetitions"], row["seed"]) == ("gaussian", "6", "3", "0")
        base = bases[row["divergence"], row["batch"]]
        if row["codes"] != "null":
            power = (float(row["mean"]) - float(base["mean"])) / float(base["sd"])
            assert float(row["power"]) == pytest.approx(power, rel=1e-6, abs=1e-6)
        if row["known"]:
            assert float(row["error"]) == pytest.approx(float(row["mean"]) - float(row["known"]), rel=1e-5, abs=1e-8)
    assert {int(row["batch"]) for row in rows_of("lab/table-0001/costs.csv")} == {8, 16, 32, 64}
    assert [row["divergence"] for row in rows_of("lab/table-0001/scaling.csv")] == ["kl_gaussian", "sigreg:slices=4"]
    assert said.out.endswith("\nsaved in lab/table-0001\n")


def test_tensorboard_has_a_run_for_each_divergence():
    assert main(["lab", "kl_gaussian", "sigreg:slices=4", *SMALL]) == 0
    folders = sorted(path.name for path in Path("lab/table-0001/events/gaussian-6").iterdir())
    assert folders == ["kl_gaussian", "sigreg_slices=4"]
    events = events_of("lab/table-0001/events/gaussian-6/kl_gaussian")
    powers = {e.step: e.value for e in events.Scalars("power/shift")}
    written = {int(r["batch"]): float(r["power"]) for r in rows_of("lab/table-0001/table.csv") if r["codes"] == "shift"}
    assert powers.keys() == written.keys() == {8, 16}
    assert "cost/peak_bytes" in events.Tags()["scalars"]


def test_numbers_are_those_of_the_seed():
    names = ["kl_gaussian", "mmd:to=z2", "sliced_wasserstein:slices=4"]
    for seed, out in (("7", "first"), ("7", "again"), ("8", "other")):
        assert main(["lab", *names, *SMALL, "--seed", seed, "--out", out]) == 0
    first, again, other = (Path(out, "table-0001/table.csv").read_bytes() for out in ("first", "again", "other"))
    assert first == again
    assert first != other


@pytest.mark.slow
def test_what_does_not_apply_is_said(capsys):
    assert main(["lab", "--reference", "sphere", "--dim", "6", "--batch", "4,9", "--repetitions", "3"]) == 0
    said = capsys.readouterr().out
    assert "n/a  gaussian_kl_full, n = 4: 4 codes span no covariance in dimension 6" in said
    assert "left out  cramer_wold: cramer_wold has no closed form for the reference sphere" in said
    rows = rows_of("lab/table-0001/table.csv")
    assert {row["divergence"] for row in rows} >= {*builtin_divergences()} - {"cramer_wold"}
    assert {row["codes"] for row in rows} == {"", "null", *(d.name for d in DEPARTURES)} - {"scale", "heavy_tail"}
    assert [row["batch"] for row in rows if row["refused"]] == ["4"]


def test_a_match_names_the_weight(capsys):
    assert main(["lab", "--match", "moments", "moments", "--dim", "4", "--repetitions", "3"]) == 0
    said = capsys.readouterr().out
    assert "moments with weight 1 has the gradient norm of moments with weight 1" in said
    assert "half-way to departures from gaussian, dimension 4" in said
    assert main(["lab", "--match", "kl_sphere", "mmd", "--dim", "4", "--repetitions", "3", "--batch", "8,16"]) == 0
    said = capsys.readouterr().out
    assert "departures from sphere, dimension 4" in said
    rows = rows_of("lab/match-0002/match.csv")
    assert {row["batch"] for row in rows} == {"8", "16"}
    median = statistics.median(float(row["weight"]) for row in rows)
    found = re.search(r"mmd with weight (\S+) has", said)
    assert found
    assert float(found[1]) == pytest.approx(median, rel=1e-3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["kl_shpere"], "no divergence is called 'kl_shpere'; did you mean kl_sphere?"),
        (["mmd", "--batch", "16,x"], "--batch 16,x: found 'x', where whole numbers from 2 on"),
        (["mmd", "--batch", "16,1"], "--batch 16,1: found '1', where whole numbers from 2 on"),
        (["cramer_wold", "--reference", "sphere"], "cramer_wold has no closed form for the reference sphere"),
        (["mmd", "--reference", "spher"], "no reference is called 'spher'; did you mean sphere?"),
        (["mmd", "--dim", "0"], "dim: found 0, where a whole number greater than or equal to 1 fits"),
        (["mmd", "--repetitions", "2"], "--repetitions 2: of fewer than 3 no standard error is known"),
        (["mmd", "--seed", "-1"], "--seed -1: a whole number from 0 on fits"),
        (["mmd", "--match", "mmd", "energy"], "--match names both divergences; mmd is one too many"),
        (["--in-game", "nowhere", "--dim", "4"], "the reference and the dimension are the run's"),
        (["--in-game", "nowhere"], "nowhere"),
        (["kl_sphere", *SMALL, "--out", "file/inside"], "cannot be written"),
    ],
)
def test_what_cannot_be_measured_is_told(words, said, capsys):
    Path("file").touch()
    assert main(["lab", *words]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert said in told


def test_results_are_numbered_and_stand_beside_each_other():
    for _ in range(2):
        assert main(["lab", "kl_gaussian", *SMALL]) == 0
    assert main(["lab", "--match", "moments", "moments", "--dim", "4", "--repetitions", "3"]) == 0
    folders = sorted(path.name for path in Path("lab").iterdir() if path.is_dir())
    assert folders == ["match-0001", "table-0001", "table-0002"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError("odd"), OSError(28, "No space left on device")])
def test_what_is_not_finished_leaves_nothing_and_what_cannot_be_saved_is_told_first(error, monkeypatch, capsys):
    def fails(*_):
        assert [path.name for path in Path("lab").iterdir() if path.is_dir()] == ["table-0001"]
        raise error

    monkeypatch.setattr("agekit.cli.lab.study", fails)
    if isinstance(error, ValueError):
        with pytest.raises(ValueError, match="odd"):
            main(["lab", "kl_gaussian", *SMALL])
    else:
        assert main(["lab", "kl_gaussian", *SMALL]) == (130 if error is KeyboardInterrupt else 1)
    assert not [path for path in Path("lab").iterdir() if path.is_dir()]
    if isinstance(error, OSError):
        assert capsys.readouterr().err == "error: lab/table-0001 cannot be written: No space left on device\n"
    Path("file").touch()
    assert main(["lab", "kl_gaussian", *SMALL, "--out", "file"]) == 1
    assert "file cannot be written: File exists" in capsys.readouterr().err


def test_a_reader_who_goes_away_loses_nothing(monkeypatch):
    def goes_away(_):
        raise BrokenPipeError

    monkeypatch.setattr("agekit.cli.lab._print", goes_away)
    with pytest.raises(BrokenPipeError):
        lab(arguments.parser("")[0].parse_args(["lab", "kl_gaussian", *SMALL]))
    assert Path("lab/table-0001/table.csv").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process")
def test_codes_that_do_not_fit_into_memory_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(memory, "free_bytes", lambda: 200_000_000)
    assert main(["lab", "kl_gaussian", "--batch", "16,4000000", "--repetitions", "3"]) == 0
    told = "n/a  kl_gaussian, n = 4000000: a call on 4,000,000 codes of dimension 64 needs more memory than the 0.2 GB"
    assert told in capsys.readouterr().out
    assert [row["batch"] for row in rows_of("lab/table-0001/table.csv") if row["refused"]] == ["4000000"]
    for words in (["kl_gaussian", "--batch", "4000000"], ["--batch", "4000000"], ["--dim", "20000"]):
        assert main(["lab", *words, "--repetitions", "3"]) == 1
        assert "needs more memory than the 0.2 GB that are free" in capsys.readouterr().err
    assert main(["lab", "--match", "kl_gaussian", "mmd", "--batch", "4000000", "--repetitions", "3"]) == 1
    assert "error: kl_gaussian: a call on 4,000,000 codes" in capsys.readouterr().err
    assert not Path("lab/match-0001").exists()
    assert len(torch.ones(100_000_000)) == 100_000_000  # afterwards there is no limit


def test_batches_are_sorted_and_told_once():
    assert batches_of(" 64, 16,64") == (16, 64)
    with pytest.raises(AgekitError, match="found ''"):
        batches_of("16,")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("trained"))
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("seen", TINY)
        return Path("runs/seen").resolve()


def test_the_codes_of_a_run_are_measured(trained, capsys):
    words = ["lab", "kl_sphere", "mmd", "--in-game", str(trained), "--repetitions", "3"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "step 12, against sphere" in said
    rows = rows_of("lab/in-game-0001/table.csv")
    assert {row["codes"] for row in rows} == {"null", "e(x)", "e(g(z))"}
    assert {row["batch"] for row in rows} == {"8"}  # the run's own
    assert {row["dim"] for row in rows} == {"6"}
    far = [float(row["power"]) for row in rows if row["codes"] != "null"]
    assert min(far) > 2  # twelve steps do not make a sphere
    assert main(words) == 0
    first, again = (Path(f"lab/in-game-000{i}/table.csv").read_bytes() for i in (1, 2))
    assert first == again


def test_all_codes_of_a_run_at_once_are_those_that_it_shows(trained):
    """A batch of all 40 samples leaves nothing to chance."""
    assert main(["lab", "kl_sphere", "--in-game", str(trained), "--repetitions", "3", "--batch", "40"]) == 0
    row = next(row for row in rows_of("lab/in-game-0001/table.csv") if row["codes"] == "e(x)")
    folder = open_run(trained)
    gallery = Gallery(agekit.build(load_recipe(folder.recipe, load(), name="tiny")))
    assert restore_last(folder, gallery.game, gallery)
    value = SphereKL()(gallery.show("codes", count=40).of).item()
    assert float(row["mean"]) == pytest.approx(value, rel=1e-4)
    assert float(row["sd"]) == pytest.approx(0, abs=1e-6)


def test_divergences_are_matched_on_the_codes_of_a_run(trained, capsys):
    assert main(["lab", "--match", "kl_sphere", "kl_gaussian", "--in-game", str(trained), "--repetitions", "3"]) == 0
    assert "kl_gaussian with weight 1 has the gradient norm of kl_sphere with weight 1" in capsys.readouterr().out
    assert [row["codes"] for row in rows_of("lab/match-0001/match.csv")] == ["e(x)", "e(g(z))"]
    assert main(["lab", "mmd", "--in-game", str(trained), "--batch", "41"]) == 1
    assert "a batch of 41: the run's data makes 40 codes e(x)" in capsys.readouterr().err


@pytest.mark.skipif(not find_spec("matplotlib"), reason="matplotlib is an extra")
def test_the_plot_is_a_picture(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "matplotlib")
    assert main(["lab", "kl_gaussian", "gaussian_kl_full", "--dim", "6", "--batch", "4,8", "--repetitions", "3"]) == 0
    assert capsys.readouterr().err == ""
    with Image.open("lab/table-0001/power.png") as image:
        assert image.format == "PNG"
        assert image.width > 600
        assert len(image.convert("RGB").getcolors(1 << 20) or []) > 50
    assert not [path for path in Path("lab/table-0001").iterdir() if path.name.endswith(".tmp")]
