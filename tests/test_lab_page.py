"""docs/lab.md: that it can be written anew, that it holds every built-in, and that its sentences are true."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from agekit.lab.tables import uncertain

from .laboratory import DOCS, KNOWN, SEEN, builtin_divergences, rows_of, standard_error


@pytest.mark.slow
@pytest.mark.usefixtures("elsewhere")
def test_the_page_can_be_written_anew_and_holds_every_built_in():
    command = [sys.executable, str(DOCS / "lab.py"), "--dim", "5", "--batch", "8", "--repetitions", "3"]
    command += ["--grown", "8", "--out", "."]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    for folder in (Path(), DOCS):
        text = (folder / "lab.md").read_text()
        rows = {reference: rows_of(folder / f"lab_{reference}.csv") for reference in ("gaussian", "sphere")}
        for table in rows.values():
            measured = {row["divergence"].partition(":")[0] for row in table}
            assert measured == set(builtin_divergences())
            assert all(f"\n{row['divergence']} " in text for row in table)
            powers = [row for row in table if row["power"]]
            assert len(powers) >= 6 * len(measured)
            assert all(float(row["power_standard_error"]) >= 0 for row in powers)
            shown = [uncertain(float(row["power"]), float(row["power_standard_error"])) for row in powers]
            assert all(f" {cell}" in text for cell in shown)


def test_the_page_repeats_the_known_blindness():
    """Within three standard errors, as the lab itself."""
    rows = {(row["divergence"], row["codes"]): row for row in rows_of(DOCS / "lab_gaussian.csv")}
    for label, powers in KNOWN.items():
        for codes, power in zip(SEEN, powers, strict=True):
            row, base = rows[label, codes], rows[label, "null"]
            assert (row["dim"], row["batch"]) == ("64", "64")
            error = standard_error(power, float(row["sd"]) / float(base["sd"]), int(row["repetitions"]))
            assert float(row["power"]) == pytest.approx(power, abs=3 * error), (label, codes)


def test_what_the_page_says_it_shows_is_in_its_numbers():
    power, signal, null = {}, {}, {}
    for reference in ("gaussian", "sphere"):
        for row in rows_of(DOCS / f"lab_{reference}.csv"):
            key = reference, row["divergence"], row["codes"]
            signal[key] = float(row["signal"])
            if row["codes"] == "null":
                null[key[:2]] = float(row["error"]) / float(row["sd"])
            else:
                power[key] = float(row["power"])
    diagonal = {"gaussian_kl", "kl_gaussian", "kl_gaussian:formula=age-2018"}
    kernels = {"mmd", "energy", "sliced_wasserstein", "sigreg", "cramer_wold"}
    near = {"gaussian_kl_full:shrinkage=0.5", "frechet", "kl_neighbours", "uniformity"}
    structure = {"correlation", "duplicates", "low_rank"}
    for label, codes in product(diagonal, structure):
        assert abs(power["gaussian", label, codes]) < 0.3
    assert all(power["gaussian", label, "antipodes"] < -4 for label in diagonal)
    assert {c for r, label, c in power if label == "kl_vmf" and abs(power[r, label, c]) > 1.1} == {"shift"}
    assert all(1 < power["gaussian", label, "duplicates"] < 4 for label in kernels)
    assert power["gaussian", "mmd", "duplicates"] == pytest.approx(
        2 * power["gaussian", "mmd:to=z2", "duplicates"], rel=0.1
    )
    for label, codes in product({"sigreg", "ksd", "cramer_wold:to=z2"}, structure):
        assert abs(power["sphere", label, codes]) < 0.5
    assert all(power["gaussian", label, "duplicates"] > 10 for label in near)
    assert null["gaussian", "frechet"] > 40
    assert all(power["gaussian", label, "scale"] < -3 for label in ("frechet", "moments"))
    assert max(value for (*_, codes), value in power.items() if codes == "missing_mode") < 1.1
    far = {label for (r, label, c), s in signal.items() if (r, c) == ("gaussian", "duplicates") and s > 0.2}
    assert far == {"frechet", "moments", "kl_sphere"}
