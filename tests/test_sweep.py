"""Several runs of one recipe: groups over seeds, sweeps over values; planned, played, interrupted, gone on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import tomli_w

from agekit.cli import main
from agekit.compare.reading import runs_in, told
from agekit.errors import RecipeError, RunError
from agekit.game.game import Game
from agekit.recipe.compose import written
from agekit.sweep.axes import axis, slug
from agekit.sweep.study import opened, planned

from .runs import agekit_run, left_behind
from .tiny import TINY, recipe_of

pytestmark = pytest.mark.usefixtures("elsewhere")

JUDGED = TINY + '\n[metrics]\nfar = { reciprocity = "l1", of = "g(e(x))", to = "x" }\n'
OVER = ("--over", "players.generator.updates=1,2", "--over", "players.encoder.terms.real.divergence=kl_sphere,mmd")


@pytest.fixture(autouse=True)
def recipe(elsewhere):
    Path("tiny.toml").write_text(JUDGED)


@pytest.fixture
def interrupted(monkeypatch):
    """A context in which an interrupt comes in the n-th step, counted over all runs."""

    @contextmanager
    def after(steps):
        done = []
        step = Game.step

        def counted(self):
            done.append(self)
            if len(done) == steps:
                signal.raise_signal(signal.SIGINT)
            return step(self)

        with monkeypatch.context() as patch:
            patch.setattr(Game, "step", counted)
            yield

    return after


def states():
    return {run.name: (run.state, run.step) for run in runs_in(Path("runs"))}


# ---- groups over seeds


def test_a_group_is_the_runs_of_its_seeds_and_each_is_that_of_its_seed_alone(capsys):
    assert main(["run", "tiny.toml", "--seeds", "2", "--seed", "5", "--steps", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("run ")] == ["run 1 of 2: seed 5", "run 2 of 2: seed 6"]
    assert states() == {"tiny-0001/seed-5": ("finished", 3), "tiny-0001/seed-6": ("finished", 3)}
    assert [run.seed for run in runs_in(Path("runs"))] == [5, 6]
    end = lines[lines.index("seeds  far.value") :]
    values = [run.lines[-1]["metrics"]["far"]["value"] for run in runs_in(Path("runs"))]
    assert end[1].split()[0] == "2"
    assert float(end[1].split()[1]) == pytest.approx(sum(values) / 2, rel=0.1)
    assert "±  " in "\n".join(end)
    assert end[-1] == "folder  runs/tiny-0001"
    assert main(["run", "tiny.toml", "--seed", "6", "--steps", "3"]) == 0
    assert left_behind("tiny-0001/seed-6") == left_behind("tiny-0002")
    origins = json.loads(Path("runs/tiny-0001/seed-6/run.json").read_text())["origins"]
    assert origins["run.seed"] == "--seeds"


@pytest.mark.slow
def test_a_group_that_is_interrupted_goes_on_to_the_same_bytes(interrupted, capsys):
    assert main(["run", "tiny.toml", "--seeds", "3", "--name", "whole"]) == 0
    capsys.readouterr()
    with interrupted(17):
        assert main(["run", "tiny.toml", "--seeds", "3", "--name", "mine"]) == 130
    assert "go on    agekit resume runs/mine\n" in capsys.readouterr().out
    assert [state for name, state in states().items() if name.startswith("mine")] == [("finished", 12), ("stopped", 5)]
    for flag, value in (("--steps", "20"), ("--set", "compute.threads=1")):
        assert main(["resume", "runs/mine", flag, value]) == 1
        assert f"error: {flag}: runs/mine is of several runs" in capsys.readouterr().err
    assert main(["resume", "runs/mine", "--json"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["run"] for line in out] == ["runs/mine/seed-1", "runs/mine/seed-2"]
    for seed in range(3):
        assert left_behind(f"mine/seed-{seed}") == left_behind(f"whole/seed-{seed}")
    assert main(["resume", "runs/mine"]) == 0
    assert "run 1" not in capsys.readouterr().out


def test_names_of_groups_are_numbered_with_those_of_runs(capsys):
    agekit_run("--steps", "1")
    assert main(["run", "tiny.toml", "--seeds", "1", "--steps", "1"]) == 0
    agekit_run("--steps", "1")
    assert sorted(path.name for path in Path("runs").glob("tiny*")) == ["tiny-0001", "tiny-0002", "tiny-0003"]
    assert main(["run", "tiny.toml", "--seeds", "2", "--name", "tiny-0001"]) == 1
    assert "runs/tiny-0001 is there already" in capsys.readouterr().err
    assert main(["run", "tiny.toml", "--seeds", "0"]) == 1
    assert capsys.readouterr().err == "error: --seeds 0: one at least fits\n"
    assert main(["run", "tiny.toml", "--seeds", "10001"]) == 1
    assert capsys.readouterr().err == "error: 10,001 runs are asked for; 10,000 at most fit in one study\n"
    assert main(["run", "tiny.toml", "--seeds", "2", "--seed", str(2**63 - 1)]) == 1
    assert capsys.readouterr().err == f"error: the last seed would be {2**63}; less than 2**63 fits (run.seed)\n"


# ---- sweeps


def test_a_sweep_plays_every_combination_and_ends_with_a_table(capsys):
    command = ["sweep", "tiny.toml", *OVER, "--seeds", "2", "--steps", "2"]
    assert main([*command, "--dry-run"]) == 0
    dry = capsys.readouterr().out.splitlines()
    assert not Path("runs").exists()
    assert [line.split()[:2] for line in dry[1:]] == [
        [f"{number}-{name}/seed-{seed}", str(seed)]
        for number, name in enumerate(
            ("updates-1-divergence-kl_sphere", "updates-1-divergence-mmd") * 1
            + ("updates-2-divergence-kl_sphere", "updates-2-divergence-mmd"),
            1,
        )
        for seed in (0, 1)
    ]
    assert main(command) == 0
    (folder,) = Path("runs").glob("tiny-sweep-*")
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line.startswith("run 8 of 8: ")] == [
        'run 8 of 8: players.generator.updates=2, players.encoder.terms.real.divergence="mmd", seed 1'
    ]
    keys = ["players.generator.updates", "players.encoder.terms.real.divergence"]
    table = out[next(index for index, line in enumerate(out) if line.startswith(keys[0])) :]
    assert table[0].split() == [*keys, "seeds", "far.value"]
    assert [line.split()[:3] for line in table[1:5]] == [
        [updates, f'"{divergence}"', "2"] for updates in "12" for divergence in ("kl_sphere", "mmd")
    ]
    assert {state for state, _ in states().values()} == {"finished"}
    assert len(states()) == 8
    recipe = told(folder / "4-updates-2-divergence-mmd" / "seed-1").tree
    assert (recipe["players"]["generator"]["updates"], recipe["run"]["seed"]) == (2, 1)
    assert recipe["players"]["encoder"]["terms"]["real"]["divergence"] == "mmd"
    assert main(command) == 0
    again = capsys.readouterr().out.splitlines()
    assert [line for line in again if line] == [line for line in table if line]


def test_a_sweep_that_is_interrupted_goes_on_by_the_same_command(interrupted, capsys):
    command = ["sweep", "tiny.toml", "--over", "latent.dim=4,5", "--steps", "6"]
    with interrupted(9):
        assert main(command) == 130
    assert sorted(states().values()) == [("finished", 6), ("stopped", 3)]
    assert main(command) == 0
    assert sorted(states().values()) == [("finished", 6), ("finished", 6)]
    assert len(list(Path("runs").glob("tiny-sweep-*"))) == 1


def test_a_trial_that_fails_stops_no_other_and_is_not_tried_again_unasked(monkeypatch, capsys):
    command = ["sweep", "tiny.toml", "--over", "players.generator.updates=1,2,3", "--steps", "2", "--name", "mine"]
    step = Game.step

    def failing(self):
        updates = self.seats[1].player.updates
        if updates == 1:
            raise RunError("no such luck")
        if updates == 3:
            raise ZeroDivisionError("by 0")
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Game, "step", failing)
        assert main(command) == 1
    out = capsys.readouterr().out
    assert "failed  players.generator.updates=1, seed 0\nwhy     no such luck\n" in out
    lines = out.splitlines()
    table = lines[next(index for index, line in enumerate(lines) if line.startswith("players.generator.updates  ")) :]
    assert [line.split()[:2] for line in table[1:4]] == [["1", "0"], ["2", "1"], ["3", "0"]]
    assert "1-updates-1/seed-0  no such luck" in table
    assert "3-updates-3/seed-0  ZeroDivisionError: by 0" in table
    assert main(command) == 1
    assert "run 1 of 3" not in capsys.readouterr().out
    assert main([*command, "--retry"]) == 0
    assert "no such luck" not in capsys.readouterr().out
    assert {state for state, _ in states().values()} == {"finished"}
    assert opened(Path("runs/mine")).failures() == {}


def test_what_is_wrong_is_told_before_anything_begins(capsys):
    wrong = [
        ("players.generator.updats=1,2", "error: --over: players.generator.updats: unknown key; did you mean updates?"),
        ("latent.dim=4,0", "error: --over: latent.dim: found 0, where a whole number greater"),
        ("latent.dim", "error: --over: found 'latent.dim', where KEY=VALUE,VALUE,… fits"),
        ("latent.dim=", "error: --over: found 'latent.dim=', where"),
        ("latent.dim=3,3", "error: --over: latent.dim has 3 twice"),
    ]
    for over, said in wrong:
        assert main(["sweep", "tiny.toml", "--over", over]) == 1
        assert capsys.readouterr().err.startswith(said)
    assert main(["sweep", "tiny.toml", "--over", "latent.dim=3", "--over", "latent.dim=4"]) == 1
    assert capsys.readouterr().err == "error: --over: latent.dim is said twice\n"
    assert not Path("runs").exists()


def test_another_sweep_has_another_folder_and_a_name_that_is_taken_is_told(capsys):
    command = ["sweep", "tiny.toml", "--steps", "1"]
    for over in ("latent.dim=3", "latent.dim=4"):
        assert main([*command, "--over", over]) == 0
    assert len(list(Path("runs").glob("tiny-sweep-*"))) == 2
    assert main([*command, "--over", "latent.dim=3", "--name", "mine"]) == 0
    assert main([*command, "--over", "latent.dim=3,4", "--name", "mine"]) == 1
    assert "error: runs/mine is another sweep, of another recipe" in capsys.readouterr().err
    Path("runs/other").mkdir()
    Path("runs/other/file").touch()
    Path("runs/other/folder").mkdir()
    assert main([*command, "--over", "latent.dim=3", "--name", "other"]) == 1
    assert "error: runs/other is not the folder of several runs: study.json" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_do_not_play_one_study(monkeypatch, capsys):
    said: list[str] = []
    step = Game.step

    def other(self):
        if not said:
            code = "import sys; from agekit.cli import main; sys.exit(main(['resume', 'runs/mine']))"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
            said.append(done.stderr)
        return step(self)

    monkeypatch.setattr(Game, "step", other)
    assert main(["run", "tiny.toml", "--seeds", "2", "--steps", "1", "--name", "mine"]) == 0
    assert said[0].startswith("error: runs/mine is being played by process ")


@pytest.mark.slow
def test_a_killed_sweep_goes_on(capsys):
    code = (
        "import os\nfrom agekit.cli import main\nfrom agekit.game.game import Game\nstep, done = Game.step, []\n"
        "def fatal(self):\n    done.append(0)\n    len(done) == 11 and os.kill(os.getpid(), 9)\n    return step(self)\n"
        "Game.step = fatal\nmain(['sweep', 'tiny.toml', '--over', 'latent.dim=4,5', '--steps', '6', '--name', 'mine'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == -signal.SIGKILL
    assert states() == {"mine/1-dim-4/seed-0": ("finished", 6), "mine/2-dim-5/seed-0": ("stopped", 4)}
    command = ["sweep", "tiny.toml", "--over", "latent.dim=4,5", "--steps", "6", "--name"]
    assert main([*command, "mine"]) == main([*command, "whole"]) == 0
    assert left_behind("mine/2-dim-5/seed-0") == left_behind("whole/2-dim-5/seed-0")
    shutil.rmtree("runs")


# ---- parts


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=1,2", (1, 2)),
        (" a . b = 1.5 , 2e-3", (1.5, 0.002)),
        ("a.b=x, y", ("x", "y")),
        ('a.b="x,y",z', ('"x', 'y"', "z")),
        ('a.b="x,y","z"', ("x,y", "z")),
        ("a.b=true,false", (True, False)),
        ("a.b=linear,0.5", ("linear", 0.5)),
        ("a.b={ c = 1 }, { c = 2 }", ({"c": 1}, {"c": 2})),
        ("a.b=[1, 2], [3]", ([1, 2], [3])),
    ],
)
def test_values_are_those_of_toml_or_plain_texts(text, values):
    assert axis(text).key == "a.b"
    assert axis(text).values == values
    for value, setting in zip(values, axis(text).settings, strict=True):
        assert axis(setting).values[0] == value or not isinstance(value, str)


@pytest.mark.parametrize("value", [1, -2.5, 1e-9, True, "x", 'a "b" \\', "é", [1, [2]], {"a": {"b": "c"}, "d": []}])
def test_a_written_value_reads_as_itself(value):
    import tomllib

    assert tomllib.loads(f"value = {written(value)}") == tomllib.loads(tomli_w.dumps({"value": value}))


def test_folders_names_are_plain_whatever_the_values():
    assert slug(['a.b="x/y z"', "c.d={ e = 1 }"]) == "b-x-y-z-d-e-1"
    assert len(slug([f"a.b={'9' * 200}"])) == 60
    trials = planned(recipe_of(), [axis("a.b=" + ",".join(map(str, range(12))))], 1).trials
    assert (trials[0].folder, trials[-1].folder) == ("01-b-0/seed-0", "12-b-11/seed-0")


def test_an_axis_without_a_key_is_refused():
    for text in ("=1", ".a=1", "a.=1", "a"):
        with pytest.raises(RecipeError):
            axis(text)
