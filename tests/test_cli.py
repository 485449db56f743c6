"""The command line: what it prints, what it refuses, and how it ends."""

import json
from pathlib import Path

import pytest

from agekit import __version__, plugins
from agekit.cli import common, main
from agekit.cli.arguments import parser

TRAINING = ["run", "resume", "sweep", "runs", "compare"]
TRAINING += ["sample", "reconstruct", "interpolate", "encode", "edit", "nearest", "export", "board", "report"]
COMMANDS = [*TRAINING, "lab", "plan", "validate", "copy", "schema", "list", "show", "plugins"]
COMMANDS += ["check", "plugin", "data"]


pytestmark = pytest.mark.usefixtures("nowhere")


def wrong(recipe: str) -> str:
    Path("wrong.toml").write_text(f'extends = "age_mnist"\n{recipe}\n')
    return "wrong.toml"


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n    {name}" not in text] == []


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("data", "plugin")])
def test_every_command_has_its_help_and_may_show_tracebacks(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "--traceback" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["nothing"], ["data"], ["run"], ["run", "a", "--stepz", "3"], ["run", "a", "--steps", "x"]]
)
def test_wrong_usage_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: agekit" in capsys.readouterr().err


def test_the_version_is_the_package_s(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"agekit {__version__}\n"


def test_plan_prints_modes_draws_and_cost(told):
    status, out, _ = told("plan", "age_mnist")
    assert status == 0
    rows = [line.split() for line in out]
    assert ["recipe", "age_mnist"] in rows
    encoder = rows[rows.index(next(r for r in rows if r[:2] == ["player", "encoder:"])) :]
    assert next(row for row in encoder if row and row[0] == "e(g(z))")[1] == "trained"
    assert next(row for row in encoder if row and row[0] == "g(e(x))")[1] == "through"
    lines = [line.strip() for line in out]
    assert "-1 × fake: divergence kl_sphere(of = e(g(z)))" in lines
    assert [line for line in lines if "in turn" in line] == [
        "led back in turn, each with its graph: real, reconstruct; fake"
    ]
    assert sum("one update:" in line for line in out) == 2


def test_plan_follows_the_stages(told):
    text = """\
[[stages]]
epochs = 1
players.generator = false
[[stages]]
steps = 7
players.encoder.terms.more = { reciprocity = "l2", of = "g(z2)", to = "g(e(x))" }
"""
    out = told("plan", wrong(text))[1]
    assert [line for line in out if line.startswith("stage ")] == [
        "stage stage 1: 1 epoch, batch 64, optimizers fresh",
        "stage stage 2: 7 steps, batch 64, optimizers carried",
    ]
    assert sum(line.split()[:2] == ["g(z2)", "constant"] for line in out) == 1
    one, two = [line for line in out if line.startswith("  networks: ")]
    assert "g fixed (running statistics)" in one
    assert "g trained by generator (batch statistics)" in two


def test_validate_reports_each_of_several(told):
    bad = wrong("[data]\nbatc = 3\n[latent]\ndim = 'x'")
    status, out, err = told("validate", "age_mnist", bad, "no_such", "age_celeba.toml")
    assert status == 1
    assert out[0] == "age_mnist: valid (mnist; players encoder, generator; 1 stage)"
    assert out[1:4] == [
        "wrong.toml: 2 problems",
        "  wrong.toml:3: data.batc: unknown key; did you mean batch?",
        "  wrong.toml:5: latent.dim: found 'x', where a whole number fits",
    ]
    assert out[4] == "no_such: 1 problem"
    assert out[5].startswith("  no such recipe: no_such; ")
    assert out[6] == "age_celeba.toml: valid (celeba; players encoder, generator; 2 stages)"
    assert err == ["2 of 4 recipes cannot be used"]


def test_validate_takes_settings(told):
    assert told("validate", "age_mnist", "--set", "latent.dim=32")[0] == 0
    status, out, _ = told("validate", "age_mnist", "--set", "latent.dim=0")
    assert status == 1
    assert out[1] == "  --set: latent.dim: found 0, where a whole number greater than or equal to 1 fits"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[data]\nbatc = 3", "wrong.toml:3: data.batc: unknown key; did you mean batch?"),
        (
            "[players.encoder.terms]\nreal = { of = 'e(e(x))' }",
            "wrong.toml:3: players.encoder.terms.real.of: e sees x [",
        ),
        (
            "[players.encoder]\nowns = ['e', 'g']",
            "owns: g is owned twice, by encoder and by generator",
        ),
        ("[players.encoder.terms]\nreal = { to = 'y' }", "wrong.toml:3: players.encoder.terms.real.to: unknown key"),
        ("not toml", "wrong.toml:2: not TOML: "),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_wrong_recipe_is_one_clear_message(told, command, text, said):
    status, out, err = told(command, wrong(text))
    assert (status, out) == (1, [])
    assert err[0].startswith("error: ")
    assert said in err[0]


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--steps", "0", "run.stop_after: found 0, where a whole number greater than or equal to 1 fits"),
        ("--seed", "-1", "run.seed: found -1, where a whole number greater than or equal to 0 fits"),
        ("--device", "3", "compute.device: found 3, where text fits"),
        ("--micro-batch", "0", "compute.micro_batch: found 0, where a whole number greater than or equal to 1 fits"),
    ],
)
def test_a_flag_is_told_by_its_own_name(told, flag, value, said):
    assert told("run", "age_mnist", flag, value) == (1, [], [f"error: {flag}: {said}"])


def test_flags_say_how_it_is_computed():
    words = ["--micro-batch", "8", "--no-channels-last", "--compile", "--no-graphs", "--no-deterministic"]
    given = parser("")[0].parse_args(["run", "age_mnist", *words])
    compute = common.recipe(given.recipe, given.set, plugins.load(), common.said_by_flags(given)).compute
    assert compute.micro_batch == 8
    assert compute.compile
    assert [compute.channels_last, compute.graphs, compute.deterministic] == [False] * 3


def test_the_number_of_steps_is_set_where_a_recipe_counts_epochs(told):
    assert told("validate", "age_mnist", "--set", "run.steps=2")[0] == 0
    assert told("validate", wrong("[run]\nsteps = 2\nepochs = 3"))[1][1:] == [
        "  wrong.toml:4: run.epochs: found 3, where one of steps and epochs fits, and steps = 2 is there too"
    ]


def test_a_traceback_is_shown_on_request(capsys):
    from agekit.errors import RecipeError

    with pytest.raises(RecipeError):
        main(["plan", wrong("[data]\nbatc = 3"), "--traceback"])


def test_a_missing_data_set_says_how_to_get_it(told, tmp_path):
    status, out, err = told("run", "age_mnist", "--device", "cpu")
    assert (status, out) == (1, [])
    assert err[0].startswith(f"error: mnist is not in {tmp_path / 'data' / 'mnist'}: there is no such folder")
    ways = [line.strip() for line in err[1:]]
    assert ways[0] == "To get it:"
    assert "- agekit data get mnist" in ways
    assert "- say where you have it: --set data.root=FOLDER" in ways
    assert not (tmp_path / "runs").exists()


def test_data_list_says_what_is_at_hand(told):
    status, out, _ = told("data", "list")
    assert status == 0
    rows = {line.split("  ")[0]: line for line in out}
    assert "yes, 8,192 samples" in rows["toyfaces"]
    assert " no " in rows["celeba"]
    assert len(rows) >= 9


def test_data_get_refuses_what_it_does_not_know_or_may_not_fetch(told):
    assert told("data", "get", "minst")[2] == ["error: no data set is called 'minst'; did you mean mnist?"]
    status, _, err = told("data", "get", "celeba", "--yes")
    assert status == 1
    assert err[0].startswith("error: celeba cannot be fetched automatically")


def test_copy_hands_out_a_recipe_to_edit(told):
    assert told("copy", "age_mnist")[0] == 0
    assert Path("age_mnist.toml").read_text().startswith("# AGE on MNIST")
    assert told("validate", "age_mnist.toml")[0] == 0
    assert told("copy", "age_mnist.toml", "mine.toml")[1] == [
        "mine.toml  copied from age_mnist.toml; agekit run mine.toml"
    ]


def test_copy_leaves_what_is_there(told):
    Path("age_mnist.toml").write_text("mine")
    assert told("copy", "age_mnist") == (1, [], ["error: age_mnist.toml is there already, and is left as it is"])
    assert Path("age_mnist.toml").read_text() == "mine"


def test_copy_names_what_it_cannot_do(told):
    assert told("copy", "age_minst")[2] == ["error: no recipe is called 'age_minst'; did you mean age_mnist?"]
    status, _, err = told("copy", "age_mnist", "nowhere/mine.toml")
    assert status == 1
    assert err[0].startswith("error: nowhere/mine.toml cannot be written: ")


def test_schema_is_printed_or_written(told):
    status, out, _ = told("schema")
    assert status == 0
    assert json.loads("\n".join(out))["title"] == "an agekit recipe"
    assert told("schema", "--out", "recipe.json")[0] == 0
    assert json.loads(Path("recipe.json").read_text()) == json.loads("\n".join(out))
    assert told("schema", "--out", "no/recipe.json")[0] == 1


def test_names_cannot_play_with_the_terminal(told):
    status, out, err = told("validate", "a\x1b[31m.toml", "\udcff.toml")
    assert status == 1
    assert "\x1b" not in "".join(out + err)
    assert out[0] == "a\\x1b[31m.toml: 1 problem"
