"""Files of strangers, and files in folders of strangers: links, permissions, networks that are none."""

import json
import os
import stat
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import zeros

import agekit
from agekit import RunError
from agekit.cli import main
from agekit.files import write_text

from .runs import begin
from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_what_is_written_has_the_users_permissions():
    before = os.umask(0o027)
    try:
        begin("mine", TINY, settings=["run.steps=2"])
        assert main(["report", "runs/mine", "-o", "page.html"]) == 0
        assert main(["export", "runs/mine", "--networks", "g"]) == 0
        assert main(["replay", "runs/mine", "--step", "1", "-o", "again"]) == 0
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in Path().rglob("*")}
    assert len(modes) >= 25
    assert {path: oct(mode) for path, mode in modes.items() if mode != (0o750 if path.is_dir() else 0o640)} == {}


def test_nobody_can_lay_a_link_where_a_file_is_about_to_be_written(tmp_path):
    """In a folder that others write to, the temporary name cannot be known, and a link is replaced, not followed."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("grid.json", ".grid.json.tmp", ".grid.json.1.tmp", f".grid.json.{os.getpid()}.tmp"):
        (tmp_path / name).symlink_to(victim)
    write_text(tmp_path / "grid.json", "new")
    assert victim.read_text() == "mine"
    assert (tmp_path / "grid.json").read_text() == "new"
    assert not (tmp_path / "grid.json").is_symlink()


@pytest.mark.parametrize("inner", ["metrics.jsonl", "checkpoints", "events", "pictures", "recipe.toml"])
def test_a_run_whose_parts_are_links_is_not_gone_on_with(inner, tmp_path, capsys):
    """What is resumed is written to: a stranger's folder must not lead elsewhere."""
    begin("linked", TINY, settings=["run.steps=2"])
    run, elsewhere = Path("runs/linked"), tmp_path / "elsewhere"
    (run / inner).rename(elsewhere)
    (run / inner).symlink_to(elsewhere)
    before = elsewhere.read_bytes() if elsewhere.is_file() else sorted(elsewhere.iterdir())
    assert main(["resume", "runs/linked", "--steps", "4"]) == 1
    assert f"runs/linked/{inner} is a link" in capsys.readouterr().err
    assert before == (elsewhere.read_bytes() if elsewhere.is_file() else sorted(elsewhere.iterdir()))


# ---- networks


def header(length, head=b"", data=b""):
    return length.to_bytes(8, "little") + head + data


def headed(head, data=b""):
    said = head if isinstance(head, bytes) else json.dumps(head).encode()
    return header(len(said), said, data)


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
MALFORMED = {
    "empty": b"",
    "a huge head": header(2**63),
    "a head over its bound": header(100_000_001, b"{}"),
    "no JSON": headed(b"{"),
    "deep JSON": headed(b'{"a":' + b"[" * 100_000),
    "an entry beyond the file": headed({"a": ENTRY | {"data_offsets": [0, 2**60], "shape": [2**58]}}),
    "a shape that overflows": headed({"a": ENTRY | {"shape": [2**32, 2**32, 2**32]}}, bytes(4)),
    "entries that overlap": headed({"a": ENTRY, "b": ENTRY}, bytes(4)),
    "a hole": headed({"a": ENTRY | {"data_offsets": [4, 8]}}, bytes(8)),
    "an unknown type": headed({"a": ENTRY | {"dtype": "PICKLE"}}, bytes(4)),
    "a negative offset": headed({"a": ENTRY | {"data_offsets": [-4, 0]}}, bytes(4)),
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_malformed_networks_are_refused(content, tmp_path):
    file = tmp_path / "net.safetensors"
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"net\.safetensors is no safetensors file"):
        agekit.load_network(file)


@pytest.mark.parametrize(
    "said",
    [
        *("{", "[]", "{}", "[" * 100_000),
        '{"network": 1, "recipe": 2, "fields": 3}',
        '{"network": "g", "recipe": "", "fields": {}}',
        '{"network": "__class__", "recipe": "x = 1", "fields": {"x": {}}}',
    ],
)
def test_networks_that_say_nonsense_of_themselves_are_refused(said, tmp_path):
    save_file({"a": zeros(1)}, tmp_path / "net.safetensors", {"agekit": said})
    with pytest.raises(agekit.AgekitError):
        agekit.load_network(tmp_path / "net.safetensors")
