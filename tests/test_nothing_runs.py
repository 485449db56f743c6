"""Nothing that is read is run: no code in the tree can, but what is listed here with its reason; and none does.

The first half reads the code; the second lets Python itself tell what it imports, compiles, unpickles and starts while
files of strangers are read.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).parent.parent
FILES = sorted(
    path for place in ("agekit", "plugins") for path in (HOUSE / place).rglob("*.py") if "tests" not in path.parts
)

MODULES = {
    "pickle",
    "pickletools",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "jsonpickle",
    "yaml",
    "xml",
    "lxml",
    "runpy",
    "code",
    "codeop",
    "pty",
    "imp",
    "ctypes",
    "cffi",
    "builtins",
    "subprocess",
    "multiprocessing",
    "http",
    "urllib",
    "socketserver",
    "xmlrpc",
    "ftplib",
    "smtplib",
    "requests",
}
"""Modules by which data becomes code, a process is started, or a connection is made."""

CALLS = re.compile(
    r"(exec|eval|compile|__import__)\Z"
    r"|(\w+\.)*(import_module|spec_from_file_location|spec_from_loader|exec_module|load_module|run_path|run_module)\Z"
    r"|(\w+\.)*(extractall|unpack_archive|mktemp|urlopen|build_opener|Popen|find_class)\Z"
    r"|(np|numpy)\.load\Z|torch\.(load|export\.load|jit\.load|hub\.\w+|package\.\w+|classes\.load_library)\Z"
    r"|os\.(system|popen|fork|exec\w+|spawn\w+|posix_spawn\w*)\Z|subprocess\.\w+\Z|entry\.load\Z"
)
"""Calls by which text becomes code, or a process."""

OWN = "a room of agekit's own, by a name that is written in it and in no file"
READ = "parses addresses; what it fetches is checked by its hash, over TLS: tests/test_data_get.py"
PRINTS = "its own processes, which are given picklable objects of ours; what they are given is no file's contents"

ALLOWED = {
    ("agekit/__init__.py", "import_module"): OWN,
    ("agekit/evaluate/__init__.py", "import_module"): OWN,
    ("agekit/cli/__init__.py", "import_module"): OWN,
    ("agekit/plugins.py", "importlib.import_module"): "the built-ins, which are named in it",
    ("agekit/plugins.py", "entry.load"): "installed plugins are code, and only what pip installed is found",
    ("agekit/testing/ranks.py", "import_module"): "the conformance kit, of a plugin that is under test",
    ("agekit/testing/ranks.py", "multiprocessing"): PRINTS,
    ("agekit/testing/datasets.py", "multiprocessing"): "whether a data set can be sent to a process; it is not read",
    ("agekit/data/reading.py", "multiprocessing"): PRINTS,
    ("agekit/cli/board.py", "os.execv"): "TensorBoard, by our own interpreter; test_board_is_of_what_is_installed",
    ("agekit/builtin/cifar_pickle.py", "pickle"): "an unpickler that finds four names, and makes nothing of them",
    ("agekit/data/prepared.py", "np.load"): "with allow_pickle=False",
    ("agekit/memory.py", "ctypes"): "two calls of the C library that is loaded already; no file is named",
    ("agekit/train/verify.py", "np.load"): "with allow_pickle=False",
    (
        "agekit/recipe/tables.py",
        "compile",
    ): "the key compute.compile, by which networks are compiled; it is true or false",
    ("agekit/data/get.py", "http"): READ,
    ("agekit/data/get.py", "urllib"): READ,
    ("agekit/data/get.py", "urllib.request.build_opener"): READ,
    ("agekit/train/sources.py", "torch.export.load"): "an exported program, which is code, under --trust alone",
    ("plugins/agekit-metrics/agekit_metrics/lpips.py", "pickletools"): "reads instructions, and follows none",
    ("plugins/agekit-metrics/agekit_metrics/score.py", "torch.load"): "a file of known hash, with weights_only=True",
}
"""All that there is, with why it lets no stranger in."""


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def dangerous(path):
    """The modules and the names in a file that could make code of data."""
    for node in ast.walk(tree(path)):
        modules, names = [], []
        if isinstance(node, ast.Import):
            modules = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [(node.module or "").partition(".")[0]]
        elif isinstance(node, ast.Name | ast.Attribute):
            names = [ast.unparse(node)]
        yield from (name for name in modules if name in MODULES)
        yield from (name for name in names if CALLS.match(name))


def test_no_code_in_the_tree_makes_code_of_data_but_what_is_listed():
    found = {(str(path.relative_to(HOUSE)), name) for path in FILES for name in dangerous(path)}
    assert len(FILES) >= 200
    assert found == ALLOWED.keys()


def test_the_search_finds_what_it_looks_for(tmp_path):
    """Each way in, written down, is seen; what only resembles one is not."""
    bad = ["exec('x')", "eval(x)", "__import__(x)", "import pickle", "from subprocess import run", "os.system(x)",
           "importlib.import_module(x)", "torch.load(f)", "np.load(f)", "torch.hub.load(x)", "zip.extractall(x)",
           "import yaml", "torch.jit.load(x)", "os.execv(x, y)"]  # fmt: skip
    good = ["network.eval()", "re.compile(x)", "torch.compile(x)", "json.loads(x)", "from .pickle import x"]
    for index, line in enumerate([*bad, *good]):
        file = tmp_path / f"{index}.py"
        file.write_text(line)
        assert bool([*dangerous(file)]) == (line in bad), line


def test_what_is_listed_is_what_its_reason_says():
    calls = {
        (str(path.relative_to(HOUSE)), ast.unparse(node.func)): node
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and (str(path.relative_to(HOUSE)), ast.unparse(node.func)) in ALLOWED
    }
    given = {place: {one.arg: ast.unparse(one.value) for one in node.keywords} for place, node in calls.items()}
    assert given["agekit/data/prepared.py", "np.load"]["allow_pickle"] == "False"
    assert given["plugins/agekit-metrics/agekit_metrics/score.py", "torch.load"]["weights_only"] == "True"
    reader = tree(HOUSE / "agekit/builtin/cifar_pickle.py")
    classes = [node for node in ast.walk(reader) if isinstance(node, ast.ClassDef) and node.bases]
    assert [[ast.unparse(base) for base in node.bases] for node in classes] == [["pickle.Unpickler"]]
    assert "find_class" in {node.name for node in ast.walk(reader) if isinstance(node, ast.FunctionDef)}
    used = {ast.unparse(node) for node in ast.walk(reader) if isinstance(node, ast.Attribute)}
    assert {name for name in used if name.startswith("pickle.")} == {"pickle.Unpickler", "pickle.UnpicklingError"}


# ---- what Python tells of itself

WATCHED = [
    "import",
    "exec",
    "compile",
    "pickle.find_class",
    "marshal.loads",
    "marshal.load",
    "code.__new__",
    "ctypes.dlopen",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
    "socket.connect",
    "socket.bind",
    "urllib.Request",
    "ftplib.connect",
]

SCRIPT = r"""
import ast, json, os, sys
from pathlib import Path

from agekit import builtin
from agekit.builtin.cifar_pickle import read_batch
from agekit.cli import main
from agekit.errors import AgekitError

watched, seen, on = set(json.loads(sys.argv[1])), [], []

def hook(event, arguments):
    if on and event in watched and not (event == "compile" and literal(sys._getframe(1))):
        seen.append([event, repr(arguments)[:200]])

def literal(frame):
    '''Whether it is ast.literal_eval that parses, which runs nothing: numpy and packaging read constants by it.'''
    return frame.f_code is ast.parse.__code__ and frame.f_back.f_code is ast.literal_eval.__code__

sys.addaudithook(hook)

def everything(recipe, run, pictures):
    '''All that reads what a stranger may have made.'''
    import agekit
    for command in (
        ["validate", recipe], ["run", recipe, "--name", run, "--steps", "2"],
        ["resume", f"runs/{run}", "--steps", "3"], ["runs"], ["report", f"runs/{run}", "-o", "page.html"],
        ["sample", f"runs/{run}", "-o", "grid.png", "--n", "4"],
        ["encode", f"runs/{run}", pictures, "-o", "codes.safetensors"], ["export", f"runs/{run}", "--networks", "g"],
        ["replay", f"runs/{run}", "--step", "2"],
    ):
        assert main(command) == 0, command
    agekit.load_network(f"runs/{run}/export/g.safetensors")
    for blob in Path("pickles").iterdir():
        try:
            read_batch(blob.read_bytes(), str(blob))
        except AgekitError:
            pass

everything("harmless.toml", "harmless", "harmless")
on.append(True)
everything("hostile.toml", "hostile", "hostile")
on.clear()
print(json.dumps(seen))
"""

TRAP = "from pathlib import Path\nPath('trapped').touch()\n"


def test_reading_what_strangers_made_imports_and_starts_nothing(elsewhere, tmp_path):
    """All is read once, so that what is loaded late is loaded; and again, of strangers: nothing is left to load.

    Modules lie about that would be found if anything were imported by name from where one works, and everything that
    is a name in a file is the name of one of them.
    """
    prepared(tmp_path)
    done = subprocess.run([sys.executable, "-P", "-c", SCRIPT, json.dumps(WATCHED)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert not (tmp_path / "trapped").exists()


def prepared(folder):
    """A recipe, pictures and pickles that are harmless, and others that are not."""
    import pickle

    import numpy as np
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    from .tiny import TINY

    views = '[views]\nos_system = { of = "g(z)", count = 8 }\nagain = { of = "g(e(x))", beside = "x", count = 8 }\n'
    base = TINY[: TINY.index("[views]")] + views + "\n[run]\nsteps = 3\nlog_every = 1\n"
    (folder / "harmless.toml").write_text(base)
    about = '[about]\nsummary = "__import__(\'evil\').run()"\nsource = "!!python/object/apply:os.system [evil]"\n'
    (folder / "hostile.toml").write_text(base.replace("os_system", "evil") + about)
    for kind in ("harmless", "hostile"):
        (folder / kind).mkdir()
        said = PngInfo()
        said.add_text("view", "__import__('evil')" if kind == "hostile" else "a")
        for index in range(2):
            pixels = np.full((16, 16, 3), 40 * index, np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{index}.png", pnginfo=said)
    for name in ("evil", "torch", "numpy", "tensorboard", "agekit_evil", "sitecustomize", "pickle"):
        (folder / f"{name}.py").write_text(TRAP)
    (folder / "pickles").mkdir()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (folder / "pickles" / f"{protocol}").write_bytes(pickle.dumps(Runs(), protocol))


class Runs:
    """What a pickle calls as it is read."""

    def __reduce__(self):
        return os.system, ("touch trapped",)


def test_the_trace_would_tell(tmp_path):
    """The hook sees an import, a pickle's name and a process: the test above could fail."""
    code = """
import json, sys
watched, seen, on = set(json.loads(sys.argv[1])), [], [1]
sys.addaudithook(lambda event, _: seen.append(event) if on and event in watched else None)
import colorsys, pickle, subprocess
try: pickle.loads(b"cos\\nsystem\\n.")
finally: pass
subprocess.run([sys.executable, "-c", ""]); exec("1")
on.clear(); print(json.dumps(sorted(set(seen))))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(WATCHED)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert {"import", "exec", "pickle.find_class", "subprocess.Popen"} <= {*json.loads(done.stdout)}


# ---- what serves


def test_board_is_of_what_is_installed_and_on_this_machine_alone(elsewhere, tmp_path, monkeypatch, capsys):
    """Modules that lie in the folder where one stands are not TensorBoard's."""
    from agekit.cli import main

    ran = []
    monkeypatch.setattr(os, "execv", lambda program, words: ran.append((program, words)))
    (tmp_path / "--bind_all").mkdir()
    assert main(["board", "./--bind_all", "--port", "7007"]) == 0
    (program, words), *rest = ran
    assert rest == []
    assert program == sys.executable
    assert words[1:] == ["-P", "-m", "tensorboard.main", "--logdir=--bind_all", "--host=127.0.0.1", "--port=7007"]
    assert "http://127.0.0.1:7007" in capsys.readouterr().out
    (tmp_path / "tensorboard").mkdir()
    for name in ("__init__", "main"):
        (tmp_path / "tensorboard" / f"{name}.py").write_text(TRAP)
    done = subprocess.run([*words[:3], "tensorboard.main", "--version"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "trapped").exists()


def test_nothing_else_serves():
    """No socket is opened to listen: TensorBoard is all that serves."""
    words = re.compile(r"\.listen\(|\.bind\(\(|HTTPServer|0\.0\.0\.0|bind_all|create_server")
    assert [str(path) for path in FILES if words.search(path.read_text(encoding="utf-8"))] == []
