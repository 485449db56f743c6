"""`agekit plugin new`: from one command to a green test and a run, without an edit."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from agekit import testing
from agekit.cli import main
from agekit.cli.plugin_new import kinds
from agekit.game.load import load_recipe
from agekit.plugins import load

FILES = {
    "README.md",
    "agekit_$name/__init__.py",
    "agekit_$name/recipes/$name.toml",
    "pyproject.toml",
    "tests/test_conformance.py",
}


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A function that begins a plugin of a kind, and installs it for the time of a test; its folder."""

    def begin(kind: str, name: str = "") -> Path:
        name = name or f"my-{kind}"
        assert main(["plugin", "new", name, "--kind", kind, "--to", str(tmp_path)]) == 0
        folder = Path(tmp_path) / f"agekit-{name}"
        install(folder)
        monkeypatch.syspath_prepend(folder)
        return folder

    yield begin
    for module in [one for one in sys.modules if one.startswith("agekit_my_")]:
        del sys.modules[module]


def install(folder: Path) -> None:
    """What pip writes of a package, beside it."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    requires = [f"Requires-Dist: {text}" for text in project["dependencies"]]
    head = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    (info / "METADATA").write_text("\n".join([*head, *requires]) + "\n")
    entries = [f"{name} = {module}" for name, module in project["entry-points"]["agekit"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[agekit]", *entries]) + "\n")


@pytest.mark.parametrize("kind", kinds())
def test_what_is_begun_is_whole_keeps_its_promises_and_is_used_by_its_recipe(kind, begun):
    folder = begun(kind)
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    written = {path for path in written if ".dist-info" not in path and "__pycache__" not in path}
    assert written == {path.replace("$name", f"my_{kind}") for path in FILES}
    assert not any("$" in path.read_text() for path in folder.rglob("*") if path.suffix in (".py", ".toml", ".md"))
    loaded = load()
    (subject,) = testing.subjects(loaded, f"agekit-my-{kind}")
    assert (subject.shelf.key, subject.name) == (kind, f"my_{kind}")
    bad = [(one.check, one.reason) for one in testing.examine(subject) if one.verdict == "fail"]
    assert bad == []
    recipe = folder / f"agekit_my_{kind}" / "recipes" / f"my_{kind}.toml"
    assert f"my_{kind}" in recipe.read_text().split("[data]")[1]
    assert load_recipe(recipe, loaded).run.steps == 20


def test_there_is_a_starter_for_most_kinds():
    assert kinds() == sorted(kinds())
    assert len(kinds()) == 11


def test_it_is_formatted_and_clean(begun):
    for number, kind in enumerate(kinds()):
        begun(kind, f"my-{kind}-{number}")
    folders = Path(begun("divergence", "my-last")).parent
    for command in (["format", "--check"], ["check", "--ignore", "RUF012"]):  # a class constant is a constant
        arguments = [sys.executable, "-m", "ruff", *command, "--line-length", "120", "--isolated", str(folders)]
        # from there, as its author would: beside agekit's own checkout it would pass for a part of it
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False, cwd=folders)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_from_the_command_to_a_green_test_and_a_run_that_uses_it(begun, tmp_path):
    folder = begun("divergence")
    paths = os.pathsep.join([str(folder), str(Path(__file__).parent.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "AGEKIT_CACHE": str(tmp_path / "cache")}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env=environment,
            cwd=folder,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert re.search(r"17 passed, 2 skipped", run("pytest", "-q", "-p", "no:cacheprovider"))
    assert "step 20" in run("agekit", "run", "my_divergence", "--device", "cpu")
    assert (folder / "runs" / "my_divergence-0001" / "pictures" / "samples.png").exists()


def test_the_lines_that_it_prints_are_the_next_to_type(begun, capsys):
    folder = begun("divergence")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{folder}  a plugin with the divergence my_divergence"
    assert [line.split() for line in lines[1:3]] == [["pip", "install", "-e", str(folder)], ["pytest", str(folder)]]
    assert lines[3].endswith(" run my_divergence")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["My Divergence"], "'My Divergence' is no name for a plugin: my-divergence would be one"),
        (["2nd"], "'2nd' is no name for a plugin: nd would be one"),
        (["../up"], "'../up' is no name for a plugin: up would be one"),
        (["é"], "'é' is no name for a plugin: my-divergence would be one"),
        (["mmd"], "the name mmd is taken by agekit.builtin: my-mmd would be free"),
        (["agekit-baselines"], "the name baselines is taken by baselines: my-baselines would be free"),
        (["quickstart"], "the name quickstart is that of a recipe: my-quickstart would be free"),
        (["x", "--kind", "divergense"], "--kind 'divergense': did you mean divergence?"),
    ],
)
def test_a_name_or_a_kind_that_does_not_fit_is_told(arguments, said, capsys, tmp_path):
    assert main(["plugin", "new", *arguments, "--to", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"error: {said}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_as_it_is(begun, tmp_path, capsys):
    folder = begun("divergence")
    (folder / "README.md").write_text("mine")
    assert main(["plugin", "new", "agekit-other", "--to", str(folder / "README.md")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    (tmp_path / "agekit-other").mkdir()
    assert main(["plugin", "new", "agekit-other", "--to", str(tmp_path)]) == 1
    assert "agekit-other is there already, and is left as it is" in capsys.readouterr().err
    assert (folder / "README.md").read_text() == "mine"
    assert list((tmp_path / "agekit-other").iterdir()) == []
