"""The house itself: what may see what, how large its parts are, and what is never done in it."""

import ast
import doctest
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import agekit

HOUSE = Path(__file__).parent.parent
ROOT = HOUSE / "agekit"
FILES = sorted(ROOT.rglob("*.py"))
PLUGINS = sorted(path for path in (HOUSE / "plugins").rglob("*.py") if "tests" not in path.parts)

FLOORS = {
    "printable": -1,
    **dict.fromkeys(["errors", "contracts", "files", "memory", "statistics"], 0),
    **dict.fromkeys(["recipe", "registry", "commands", "hooks", "data", "report", "lock"], 1),
    **dict.fromkeys(["game", "plugins"], 2),
    **dict.fromkeys(["train", "lab", "testing"], 3),
    **dict.fromkeys(["evaluate", "look"], 4),
    **dict.fromkeys(["compare", "export"], 5),
    "sweep": 6,
    **dict.fromkeys(["cli", "api"], 7),
    "__main__": 8,
}
PUBLIC = {"", "contracts", "errors", "files", "hooks", "registry", "data", "printable", "statistics", "builtin"}
"""What built-ins and plugins may see: the package's own names, and the rooms that make components."""

WITHOUT_TORCH = [
    "commands.py",
    "contracts",
    "errors",
    "files",
    "hooks",
    "recipe",
    "registry.py",
    "plugins.py",
    "cli/__init__.py",
]
PLANNERS = ["bind", "bound", "check", "graph", "judged", "messages", "passes", "plan", "schema", "scope", "stages"]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_of(path: Path) -> str:
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(path: Path, node: ast.AST | None = None) -> Iterator[str]:
    """The absolute names of the modules that a file imports anywhere, for types alone excepted."""
    package = module_of(path).split(".")
    base = package if path.name == "__init__.py" else package[:-1]
    for inner in ast.iter_child_nodes(node or tree(path)):
        if isinstance(inner, ast.expr) or only_for_types(inner):
            continue
        if isinstance(inner, ast.Import):
            yield from (alias.name for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom):
            start = ".".join(base[: len(base) - inner.level + 1]) if inner.level else ""
            module = ".".join(part for part in (start, inner.module) if part)
            yield from (f"{module}.{alias.name}" for alias in inner.names) if module == "agekit" else (module,)
        yield from imports(path, inner)


def rooms(path: Path) -> set[str]:
    """The rooms of agekit that a file imports; its public names are the room without a name."""
    seen = {name.split(".")[1] if "." in name else "" for name in imports(path) if name.split(".")[0] == "agekit"}
    return {"" if room in (*agekit.__all__, "__version__") else room for room in seen}


def test_the_house_is_looked_at_whole():
    assert len(FILES) >= 90
    assert {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in FILES} <= {*FLOORS, "__init__", "builtin"}


@pytest.mark.parametrize("path", [p for p in FILES if "builtin" not in p.parts], ids=module_of)
def test_imports_go_downwards_only(path):
    if path == ROOT / "__init__.py":
        assert rooms(path) == set()
        return
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    upwards = {room for room in rooms(path) - {own, ""} if FLOORS.get(room, 9) >= FLOORS[own]}
    assert upwards == set()


def test_built_ins_and_plugins_see_what_a_third_party_sees():
    looked_at = [path for path in (*FILES, *PLUGINS) if "builtin" in path.parts or path in PLUGINS]
    assert len(looked_at) >= 15
    assert {str(path): rooms(path) - PUBLIC for path in looked_at if rooms(path) - PUBLIC} == {}


def test_nothing_imports_the_built_ins():
    others = [path for path in (*FILES, *PLUGINS) if "builtin" not in path.parts]
    assert [path for path in others if "builtin" in rooms(path)] == []


def test_recipes_registries_and_the_planner_import_no_torch():
    paths = [
        path for start in WITHOUT_TORCH for path in [ROOT / start, *(ROOT / start).rglob("*.py")] if path.is_file()
    ]
    paths += [ROOT / "game" / f"{name}.py" for name in PLANNERS]
    assert len(paths) >= 25
    heavy = {"torch", "numpy", "PIL"}
    assert {str(p): n for p in paths for n in imports(p) if n.split(".")[0] in heavy} == {}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    yield from (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))


def test_files_and_functions_are_small():
    assert [str(path) for path in (*FILES, *PLUGINS) if len(path.read_text().splitlines()) > 300] == []
    long = [
        f"{path}:{function.name}"
        for path in (*FILES, *PLUGINS)
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno >= 60
    ]
    assert long == []


def test_the_names_of_the_package_are_sorted_and_there():
    assert agekit.__all__ == sorted(agekit.__all__)
    assert len(agekit.__all__) >= 30
    for name in agekit.__all__:
        assert getattr(agekit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        agekit.nothing  # noqa: B018


def test_every_public_function_and_class_says_what_it_is():
    silent = [
        f"{module_of(path)}.{node.name}"
        for path in FILES
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if not ast.get_docstring(node)
    ]
    assert silent == []
    assert [module_of(path) for path in FILES if not ast.get_docstring(tree(path))] == []


def test_examples_in_docstrings_run():
    attempted = 0
    for path in FILES:
        if path.name == "__main__.py":
            continue
        results = doctest.testmod(importlib.import_module(module_of(path)))
        assert results.failed == 0
        attempted += results.attempted
    written = sum(path.read_text().count(">>> ") for path in FILES)
    assert attempted == written
    assert attempted >= 8


def test_what_is_needed_is_declared():
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=\[]", text)[0].lower().replace("-", "_") for text in project["dependencies"]}
    extras = [text for extra in ("mat", "onnx", "plots", "testing") for text in project["optional-dependencies"][extra]]
    declared |= {re.split(r"[<>=\[]", text)[0].lower() for text in extras}
    called_otherwise = {"pil": "pillow", "pydantic_core": "pydantic"}
    import sys

    used = {name.split(".")[0].lower() for path in FILES for name in imports(path)}
    used -= {*(name.lower() for name in sys.stdlib_module_names), "agekit"}
    assert {called_otherwise.get(name, name) for name in used} <= declared
    assert "torch" in used
