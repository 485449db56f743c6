"""Plugins: found one by one, and one that is broken breaks nothing else."""

import importlib.util
import re
import types
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from agekit import hookimpl
from agekit.cli import main
from agekit.errors import PluginError
from agekit.plugins import Loaded, Plugin, add, load
from tests.fakes import Cloud, Fixed

PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"
CORAL, PYPROJECT = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[:2]


def found(name: str) -> tuple[Loaded, Plugin]:
    loaded = load()
    (plugin,) = [plugin for plugin in loaded.plugins if plugin.name == name]
    return loaded, plugin


def module(name: str, **members: object) -> ModuleType:
    made = types.ModuleType(name)
    vars(made).update(members)
    return made


HEAD = """\
import agekit
from tests.fakes import Cloud, Fixed
@agekit.hookimpl
def agekit_register(registries):
"""


def test_the_example_of_the_page_is_a_whole_plugin(installed, bare):
    installed("coral", CORAL)
    loaded, plugin = found("coral")
    assert (plugin.error, plugin.origin, plugin.version) == ("", "agekit-coral (agekit_coral)", "1.5")
    coral: Any = loaded.registries.divergences["coral"]
    assert loaded.registries.divergences.entries["coral"].owner == "coral"
    p, q = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)).double(), torch.eye(3).double()
    gap = torch.cov(p.T, correction=0) - torch.cov(q.T, correction=0)
    assert coral()(p, q).item() == pytest.approx((gap**2).sum().item() / 9)
    assert coral(diagonal=True)(p, q).item() == pytest.approx((gap.diagonal() ** 2).sum().item() / 3)
    assert list(coral.operands) == ["of", "to"]
    assert coral.model_fields["diagonal"].description == "variances only"


def test_the_page_s_packaging_names_the_entry_point_and_the_range():
    import tomllib

    project = tomllib.loads(PYPROJECT)["project"]
    assert project["entry-points"]["agekit"] == {"coral": "agekit_coral"}
    assert project["dependencies"] == ["agekit>=0.1,<0.2"]


REGISTER = "@agekit.hookimpl\ndef agekit_register(registries):\n    registries.{}.add('mine', Mine)"


def registering(shelf: str, contract: str, body: str) -> str:
    """The code of a plugin that registers one class."""
    lines = "\n    ".join(body.splitlines())
    return f"import agekit\nclass Mine(agekit.{contract}):\n    {lines}\n" + REGISTER.format(shelf)


CALL = "def __call__(self, x): return x"
BROKEN = {
    "raises at import": ("raise RuntimeError('no such card')", "RuntimeError: no such card"),
    "exits at import": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "is not python": ("def", "SyntaxError"),
    "imports what is not there": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "raises in its hook": (HEAD + "    raise ValueError('later')", "ValueError: later"),
    "names a hook that is not there": (
        "import agekit\n@agekit.hookimpl\ndef agekit_registr(registries): pass",
        "unknown hook 'agekit_registr'",
    ),
    "breaks the contract": (
        HEAD + "    registries.reciprocities.add('fixed', Fixed)",
        "where a subclass of Reciprocity fits",
    ),
    "names by a number": (
        HEAD + "    registries.divergences.add(3, Fixed)",
        "a name is lower-case letters, digits and",
    ),
    "registers an instance": (
        HEAD + "    registries.divergences.add('fixed', Fixed())",
        "found Fixed(direction='qp'), where a subclass of Divergence fits",
    ),
    "has an option that TOML cannot say": (
        registering("losses", "Loss", f"operands = {{}}\nkind: type = agekit.option(int, help='a type')\n{CALL}"),
        "loss 'mine' of bad: an option takes what TOML cannot say: Cannot generate a JsonSchema",
    ),
    "declares no operands": (
        registering("losses", "Loss", CALL),
        "its operands are None, where a dictionary of names to agekit.Operand fits",
    ),
    "declares operands that are none": (
        registering("losses", "Loss", f"operands = {{'of': 'x'}}\n{CALL}"),
        "its operands are {'of': 'x'}, where a dictionary of names to agekit.Operand fits",
    ),
    "declares an operand like none": (
        registering("losses", "Loss", f"operands = {{'of': agekit.Operand(like='to')}}\n{CALL}"),
        "the operand 'of' is to be like 'to', and none is called so",
    ),
    "compares with what there is not": (
        registering("divergences", "Divergence", "compares = 'sample'\ndef __call__(self, x, y): return x"),
        "the operand 'to' takes sample, where samples, reference, distribution fit",
    ),
    "has an operator that cannot be made": (
        registering(
            "operators",
            "Operator",
            f"def model_post_init(self, _): raise OSError('gone')\ndef space(self, *s): return s\n{CALL}",
        ),
        "operator 'mine' of bad: it cannot be made: OSError: gone",
    ),
    "has a data set without a licence": (
        registering("datasets", "Dataset", "def fields(self): return {}\ndef open(self): return None"),
        "dataset 'mine' of bad: it says no licence",
    ),
    "names recipes that are not there": (
        "import agekit, pathlib\n@agekit.hookimpl\ndef agekit_recipes(): return pathlib.Path('/no/such')",
        "where the path of a folder fits",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_plugin_that_is_broken_is_listed_with_its_reason(name, installed, bare):
    code, reason = BROKEN[name]
    installed("bad", code)
    installed("good", HEAD + "    registries.divergences.add('fixed', Fixed)")
    loaded, plugin = found("bad")
    assert reason in plugin.error
    assert "Traceback" in plugin.details
    assert "Traceback" not in plugin.error
    assert [broken.name for broken in loaded.broken] == ["bad"]
    assert loaded.registries.divergences["fixed"] is Fixed


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no such card')", "RuntimeError: no such card"),
        (
            HEAD + "    registries.divergences.add('mmd', Fixed)",
            "divergence 'mmd' of bad: the name is taken by agekit.builtin",
        ),
        (
            HEAD + "    registries.datasets.add('mine', Fixed)",
            "dataset 'mine' of bad: found <class 'tests.fakes.Fixed'>, where a subclass of Dataset fits",
        ),
        (
            HEAD + "    registries.divergences.add('mine', agekit.Divergence)",
            "divergence 'mine' of bad: Divergence does not define __call__",
        ),
    ],
    ids=["raises at import", "a taken name", "the wrong contract", "half a contract"],
)
def test_a_broken_plugin_is_listed_and_leaves_recipes_alone(code, reason, installed, capsys):
    installed("bad", code)
    installed("good", HEAD + "    registries.divergences.add('fixed', Fixed)")
    assert main(["plugins"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert next(row for row in rows if row.startswith("bad ")).endswith(f"broken: {reason}")
    assert next(row for row in rows if row.startswith("good ")).endswith("well")
    mine = ["age_mnist", "age_celeba_mmd", "vae_toyfaces"]
    assert main(["validate", *mine]) == 0
    said = capsys.readouterr()
    assert [line.split(":")[0] for line in said.out.splitlines()] == mine
    assert said.err.splitlines() == [f"warning: plugin bad (agekit-bad (agekit_bad)) is broken: {reason}"]
    assert main(["validate", "age_mnist", "--set", "players.encoder.terms.real.divergence=fixed"]) == 0


def test_every_hook_is_on_the_page():
    from agekit import hooks

    names = [name for name, hook in vars(hooks).items() if hasattr(hook, "agekit_spec")]
    assert len(names) >= 3
    assert [name for name in names if name not in PAGE.read_text(encoding="utf-8")] == []


def test_a_plugin_that_fails_half_way_leaves_nothing(installed, bare):
    installed("half", HEAD + "    registries.divergences.add('cloud', Cloud)\n    raise ValueError('half-way')")
    loaded, plugin = found("half")
    assert plugin.error == "ValueError: half-way"
    assert "cloud" not in loaded.registries.divergences


def test_a_plugin_whose_recipes_fail_leaves_nothing(installed, bare):
    recipes = "@agekit.hookimpl\ndef agekit_recipes():\n    raise OSError('gone')\n"
    installed("half", HEAD + "    registries.divergences.add('cloud', Cloud)\n" + recipes)
    loaded, plugin = found("half")
    assert plugin.error == "OSError: gone"
    assert "cloud" not in loaded.registries.divergences


def test_an_interrupt_is_no_broken_plugin(installed, bare):
    installed("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load()


def test_a_name_that_is_taken_breaks_the_later_plugin_and_names_both(installed, bare):
    installed("first", HEAD + "    registries.divergences.add('mine', Fixed)")
    installed("second", HEAD + "    registries.divergences.add('mine', Cloud)")
    loaded, plugin = found("second")
    assert plugin.error == "divergence 'mine' of second: the name is taken by first"
    assert loaded.registries.divergences["mine"] is not Cloud


@pytest.mark.parametrize(
    ("requires", "error"),
    [
        ("agekit>=0.1,<0.2", ""),
        ("agekit", ""),
        ("", ""),
        ("other>=9", ""),
        ('agekit>=9; extra == "more"', ""),
        ("agekit>=9,<10", "needs agekit<10,>=9, and this is agekit "),
        ("AgeKit<0.1", "needs agekit<0.1, and this is agekit "),
    ],
)
def test_a_plugin_for_another_version_is_not_imported(requires, error, installed, bare):
    installed("old", "open(__file__ + '.imported', 'w').close()", requires)
    _, plugin = found("old")
    assert plugin.error.startswith(error)
    assert bool(plugin.error) == bool(error)
    file = importlib.util.find_spec("agekit_old")
    assert file is not None
    assert Path(f"{file.origin}.imported").exists() == (not error)


def test_a_module_at_hand_is_a_plugin():
    @hookimpl
    def agekit_register(registries):
        registries.divergences.add("cloud", Cloud)

    loaded = Loaded()
    add(loaded, module("mine", agekit_register=agekit_register), "mine")
    assert loaded.registries.divergences.entries["cloud"].owner == "mine"
    with pytest.raises(PluginError, match=r"^plugin again: divergence 'cloud' of again: the name is taken by mine$"):
        add(loaded, module("again", agekit_register=agekit_register), "again")


def test_a_plugin_ships_recipes(tmp_path, installed, bare):
    (tmp_path / "shipped").mkdir()
    folder = f"pathlib.Path({str(tmp_path / 'shipped')!r})"
    installed("ships", f"import agekit, pathlib\n@agekit.hookimpl\ndef agekit_recipes(): return {folder}")
    loaded, plugin = found("ships")
    assert not plugin.error
    assert tmp_path / "shipped" in loaded.recipes


def test_plugins_are_listed_with_their_health(installed, bare, capsys):
    installed("bad", "raise RuntimeError('no such card')")
    installed("good", "")
    assert main(["plugins"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["plugin", "origin", "version", "health"]
    assert [row.split("  ")[0] for row in rows[1:] if "agekit_bad" in row or "agekit_good" in row] == ["bad", "good"]
    (bad,) = [row for row in rows if row.startswith("bad")]
    assert bad.endswith("1.5      broken: RuntimeError: no such card")
    assert main(["plugins", "--traceback"]) == 0
    assert 'raise RuntimeError("no such card")' in capsys.readouterr().out.replace("'", '"')


def test_a_data_set_that_has_to_be_told_something_is_listed_with_it(installed, bare, capsys):
    code = "import agekit\nfrom tests.fakes import Shapes\nclass Needy(Shapes):\n"
    code += "    'Needs a place.'\n    where: str = agekit.option(help='a place')\n"
    hook = "@agekit.hookimpl\ndef agekit_register(registries):\n    registries.datasets.add('needy', Needy)"
    installed("needy", code + hook)
    assert main(["data", "list"]) == 0
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert ["needy", "needs:", "where"] in rows


def test_a_recipe_of_a_plugin_that_is_no_utf_8_is_listed(tmp_path, installed, bare, capsys):
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "odd.toml").write_bytes(b"# caf\xe9\n")
    folder = f"pathlib.Path({str(tmp_path / 'shipped')!r})"
    installed("ships", f"import agekit, pathlib\n@agekit.hookimpl\ndef agekit_recipes(): return {folder}")
    assert main(["list", "recipes"]) == 0
    assert any(line.split()[1:] == ["odd", "caf\ufffd"] for line in capsys.readouterr().out.splitlines())


def test_every_command_goes_on_beside_options_of_any_kind(installed, capsys):
    body = "operands = {'of': agekit.Operand()}\npairs: dict[str, int] = agekit.option({'a': 1}, help='pairs')\n" + CALL
    installed("odd", registering("losses", "Loss", body))
    for command in (["list"], ["show", "loss", "mine"], ["schema"], ["data", "list"], ["plugins"]):
        assert main(command) == 0
    assert "{'a': 1}" in capsys.readouterr().out
