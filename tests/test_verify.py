"""`agekit verify`: what of a run is whole, and that nothing that is damaged passes for it."""

import json
import shutil
from pathlib import Path

import pytest
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c  # type: ignore[import-untyped]

from agekit.cli import main
from agekit.train.folder import RunFolder
from agekit.train.verify import verify

from .runs import agekit_run, begin

pytestmark = pytest.mark.usefixtures("elsewhere")
RUN = Path("runs/judged")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, cache):
    """The folder of a run with all that a run can have."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("judged", settings=['run.best="lowest far.value"'])
    return place


@pytest.fixture
def run(trained):
    """A copy of it."""
    shutil.copytree(trained / RUN, RUN)
    return RunFolder(RUN)


def found(run, cache):
    return {one.part: (one.state, one.said) for one in verify(run, cache)}


def test_a_run_that_nothing_happened_to_is_whole(run, cache, capsys):
    assert {state for state, _ in found(run, cache).values()} == {"whole"}
    assert found(run, cache).keys() >= {"run.json", "recipe.toml", "plan.txt", "metrics.jsonl", "data", "held-out data"}
    assert sum(part.startswith("checkpoints/") for part in found(run, cache)) == 3
    assert sum(part.startswith("best/") for part in found(run, cache)) >= 1
    assert main(["verify", str(RUN)]) == 0
    out = capsys.readouterr().out
    assert "8 lines, up to step 12" in out
    assert out.splitlines()[-1].startswith("runs/judged: ")


@pytest.mark.parametrize("file", ["run.json", "recipe.toml", "plan.txt", "metrics.jsonl", "weights", "state.json"])
def test_what_is_damaged_or_missing_is_named(file, run, cache, capsys):
    path = {
        "weights": RUN / "checkpoints/step-000000008/weights.safetensors",
        "state.json": sorted(run.best.iterdir())[-1] / "state.json",
    }.get(file, RUN / file)
    part = str(path.parent.relative_to(RUN)) if path.parent != RUN else file
    blob = bytearray(path.read_bytes())
    blob[len(blob) // 2] ^= 1
    path.write_bytes(blob)
    assert main(["verify", "--json", str(RUN)]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    (damaged,) = (one for one in findings if one["state"] == "damaged")
    assert damaged["part"] == part
    assert file in damaged["said"]
    path.unlink()
    if file == "run.json":
        assert main(["verify", str(RUN)]) == 1
        assert "it has no run.json" in capsys.readouterr().err
    else:
        assert found(run, cache)[part][0] == "damaged"


@pytest.mark.parametrize("part", ["pictures", "events", "evaluations"])
def test_what_is_only_looked_at_is_checked_too(part, run, cache):
    if part == "evaluations":
        assert main(["eval", str(RUN), "--seeds", "1", "--count", "8", "--which", "last"]) == 0
    count = len(found(run, cache))
    assert found(run, cache)[part][0] == "whole"
    kind = {"pictures": "*.png", "events": "*tfevents*", "evaluations": "*.json"}[part]
    *_, path = sorted((RUN / part).rglob(kind))
    blob = bytearray(path.read_bytes())
    blob[len(blob) // 2] ^= 1
    path.write_bytes(blob)
    state, said = found(run, cache)[str(path.relative_to(RUN))]
    assert state == "damaged"
    assert path.name in said
    assert len(found(run, cache)) == count


@pytest.mark.parametrize("place", [3, 9, -1, -5])
def test_each_byte_of_a_picture_and_of_the_head_of_a_record_counts(place, run, cache):
    for path in (sorted(run.pictures.rglob("*.png"))[-1], next(run.events.glob("*tfevents*"))):
        blob = bytearray(path.read_bytes())
        blob[place] ^= 1
        path.write_bytes(blob)
        assert found(run, cache)[str(path.relative_to(RUN))][0] == "damaged"
    path = sorted(run.pictures.rglob("*.png"))[0]
    path.write_bytes(path.read_bytes() + b"x")
    assert "something follows its end" in found(run, cache)[str(path.relative_to(RUN))][1]


def test_a_record_of_events_that_says_it_is_endless_takes_no_memory(run, cache):
    (path,) = run.events.glob("*tfevents*")
    head = (2**63).to_bytes(8, "little")
    path.write_bytes(head + masked_crc32c(head).to_bytes(4, "little") + b"x")
    assert found(run, cache)["events"] == ("whole", "1 file")


def test_a_record_of_events_that_was_being_written_is_no_damage(run, cache):
    files = sorted(run.events.glob("*tfevents*"))
    files[-1].write_bytes(files[-1].read_bytes()[:-3])
    assert found(run, cache)["events"] == ("whole", "1 file")


def test_a_line_out_of_its_order_is_damage_and_one_that_was_being_written_is_none(run, cache):
    for checkpoint in run.checkpoints.iterdir():
        shutil.rmtree(checkpoint)
    lines = run.metrics.read_bytes().splitlines(keepends=True)
    run.metrics.write_bytes(b"".join(lines[:3]) + b'{"step": 7')
    assert found(run, cache)["metrics.jsonl"] == ("whole", "3 lines, up to step 5, and one that was being written")
    run.metrics.write_bytes(b"".join([lines[1], lines[0]]))
    assert "line 2 is of step 3, after step 4" in found(run, cache)["metrics.jsonl"][1]
    run.metrics.unlink()
    assert found(run, cache)["metrics.jsonl"][0] == "not here"


def test_prepared_data_is_looked_at_where_it_is_there(run, cache, tmp_path):
    assert {state for part, (state, _) in found(run, tmp_path).items() if "data" in part} == {"not here"}
    own = tmp_path / "own"
    shutil.copytree(cache, own)
    data = own / run.marked_data().prepared
    blob = bytearray((data / "x.npy").read_bytes())
    blob[-1] ^= 128
    (data / "x.npy").write_bytes(blob)
    assert found(run, own)["data"][0] == "damaged"
    assert found(run, own)["held-out data"][0] == "whole"
    index = data / "index.json"
    index.write_text(index.read_text().replace('"count": 40', '"count": 41'))
    assert "its hash is not what it says" in found(run, own)["data"][1]


def test_what_was_left_half_done_is_named_and_is_gone_when_the_run_has_gone_on(cache, capsys):
    agekit_run("--steps", "5")
    half = Path("runs/tiny-0001/checkpoints/.step-000000008.tmp")
    half.mkdir()
    (half / "weights.safetensors").write_bytes(b"half")
    (half / ".state.json.tmp").touch()
    Path("runs/tiny-0001/pictures/.samples.png.tmp").write_bytes(b"half")
    assert main(["verify", "runs/tiny-0001"]) == 0
    assert capsys.readouterr().out.count("left over") == 3  # with the summary
    assert main(["resume", "runs/tiny-0001", "--steps", "6"]) == 0
    assert {one.state for one in verify(RunFolder(Path("runs/tiny-0001")), cache)} == {"whole"}


def test_every_run_of_several_is_looked_at(capsys):
    Path("tiny.toml").write_text("")
    agekit_run("--seeds", "2", "--steps", "1", "--name", "mine")
    capsys.readouterr()
    assert main(["verify", "--json", "runs/mine"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["run"] for one in told] == ["runs/mine/seed-0", "runs/mine/seed-1"]
    assert main(["verify", "runs"]) == 1
    assert "is not a run's folder" in capsys.readouterr().err
