"""Run folders of strangers that hold nonsense: each command says what is wrong, and none ends in a traceback."""

import json
import shutil
from pathlib import Path

import pytest

from agekit.cli import main
from agekit.files import sealed, unsealed

from .runs import begin
from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")

DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def sound(tmp_path_factory, cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("sound"))
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("one", TINY, settings=["run.steps=2"])
        return Path("runs/one").absolute()


def told(words, capsys):
    """What a command says; it ends well, or with one error, and never with a traceback."""
    status = main(words)
    said = capsys.readouterr()
    assert status in (0, 1), words
    assert "Traceback" not in said.err + said.out
    assert status == 0 or said.err.startswith("error: "), words
    return said.out + said.err


LOOKING = (["runs"], ["compare", "runs/one", "runs/one"], ["report", "runs/one", "-o", "page.html"])
USING = (["sample", "runs/one", "-o", "grid.png"], ["resume", "runs/one", "--steps", "3"],
         ["replay", "runs/one", "--step", "2"], ["export", "runs/one", "--out", "networks"])  # fmt: skip


@pytest.mark.parametrize(
    ("file", "content"),
    [
        *(("run.json", content) for content in ("", "3", "{}", DEEP, '{"format": 1}', '{"format": 1, "recipe": 3}')),
        *(("metrics.jsonl", content) for content in ("3\n", "[]\n", '"step"\n', '{"step": "x"}\n', '{"step": 1}\n')),
        *(("metrics.jsonl", content) for content in (f"{DEEP}\n", '{"step": 1e999}\n', '{"step": 1, "terms": 3}\n')),
        *(
            ("metrics.jsonl", f'{{"step": 1, "{key}": {value}}}\n')
            for key in ("metrics", "sentinel", "gradients", "clock")
            for value in ('"x"', "[1]", '{"a": {"b": "c"}}')
        ),
        *(("recipe.toml", content) for content in ("views = 3", "run = []", "[", "\x00", "run.stop_after = 'x'")),
        *(("plan.txt", content) for content in ("\x00", "\x1b")),
    ],
)  # fmt: skip
def test_nonsense_in_a_run_is_told(file, content, sound, tmp_path, capsys):
    shutil.copytree(sound, "runs/one")
    (Path("runs/one") / file).write_text(content)
    for words in LOOKING:
        told(words, capsys)


STATES = {
    "a stage that is not there": {"stage": 99},
    "a step that is none": {"step": "x"},
    "no hashes": {"sha256": []},
    "a sentinel of another kind": {"sentinel": {"nonsense": 1}},
    "optimizers of nobody": {"optimizers": {"x": 1}},
    "bytes that are not there": {"metrics_bytes": 10**18},
    "fewer bytes than none": {"metrics_bytes": -5},
    "a clock that runs back": {"elapsed_seconds": "yesterday"},
}


@pytest.mark.parametrize("change", STATES.values(), ids=STATES)
def test_a_checkpoint_that_is_sealed_and_nonsense_is_told(change, sound, capsys):
    shutil.copytree(sound, "runs/one")
    file = Path("runs/one/checkpoints/step-000000002/state.json")
    state = json.loads(file.read_text())
    file.write_text(json.dumps(sealed({**unsealed(state), **change})))
    for words in USING:
        told(words, capsys)
