"""Texts and files of strangers: what they are called and what they say reaches no terminal, page or panel as markup."""

import json
import re
import warnings
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from agekit.cli import main
from agekit.export.card import plain
from agekit.files import sealed, unsealed
from agekit.printable import json_line, one_line, printable
from agekit.report.board import Board
from agekit.report.console import PlainConsole
from agekit.report.html import tag

from .runs import begin, events_of
from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066[bold]x[/bold]<script>alert(1)</script>\r\x00"
"""A terminal's title, its screen, a colour, the direction of writing, rich's markup, HTML's, a return, and nothing."""

ABOUT = f"""
[about]
summary = {json.dumps(EVIL)}
source  = "![x](javascript:alert(1)) | **b** <img src=x onerror=alert(2)>"
"""
HARM = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def harmless(text):
    """Whether a text has no character that does something to a terminal; line breaks and tabs are none."""
    return not HARM.search(text)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, cache):
    """A run's folder that says in each place what it should not: its name, mark, recipe, metrics, pictures."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("strangers"))
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("one", ABOUT + TINY, settings=["run.steps=2"])
        run = Path("runs/one")
        mark = unsealed(json.loads((run / "run.json").read_text()))
        (run / "run.json").write_text(json.dumps(sealed(mark | {"recipe": EVIL, "device_name": EVIL})))
        (run / "plan.txt").write_text(EVIL)
        said = PngInfo()
        for key in ("view", "statistics", "samples", "step"):
            said.add_itxt(key, EVIL.replace("\x00", ""))
        Image.new("RGB", (8, 8)).save(run / "pictures" / "samples.png", pnginfo=said)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        lines[-1]["terms"][EVIL] = {EVIL: 1.0}
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        named = run.with_name(EVIL.replace("\x00", "").replace("/", "∕"))
        run.rename(named)
        return named.absolute()


# ---- terminals


def test_what_cannot_be_printed_is_written_out():
    for escape in (printable, one_line):
        assert harmless(escape(EVIL))
        assert "\\x1b]0;owned\\x07" in escape(EVIL)
    assert printable("a\n\tb") == "a\n\tb"
    assert one_line("a\n\tb") == "a\\n\\tb"
    assert printable("Ünï 漢字 ∂ עברית") == one_line("Ünï 漢字 ∂ עברית") == "Ünï 漢字 ∂ עברית"
    assert json.loads(json_line({EVIL: [EVIL, "\U000e0001"]})) == {EVIL: [EVIL, "\U000e0001"]}
    assert harmless(json_line({EVIL: [EVIL]}))


def test_commands_about_a_strangers_run_print_nothing_that_plays_with_the_terminal(hostile, monkeypatch, capsys):
    monkeypatch.chdir(hostile.parent.parent)
    run = f"runs/{hostile.name}"
    for words in (
        ["runs"], ["runs", "--json"], ["compare", run, run], ["compare", run, run, "--json"],
        ["report", run, "-o", f"{EVIL[:-1].replace('/', '')}.html"], ["sample", run, "-o", "grid.png", "--n", "2"],
        ["resume", run], ["replay", run, "--step", "9"], ["board", EVIL], ["validate", EVIL.replace("\x00", "")],
        ["run", run + "/recipe.toml", "--name", EVIL], ["no" + EVIL], ["runs", "--" + EVIL],
    ):  # fmt: skip
        with suppress(SystemExit):  # argparse's
            main(words)
        said = capsys.readouterr()
        assert harmless(said.out + said.err), words
        assert said.out + said.err, words


def test_no_markup_and_no_control_character_comes_through_a_consoles_styles():
    """On a terminal only rich's own escapes are written, and those of a stranger are seen as text."""
    import io

    stream = io.StringIO()
    console = PlainConsole(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
    console.print(EVIL, style="yellow")
    written = stream.getvalue()
    assert "[bold]x[/bold]" in written
    assert set(re.findall(r"\x1b\[[\d;]*.", written)) <= {"\x1b[33m", "\x1b[0m"}
    assert harmless(re.sub(r"\x1b\[(33|0)m", "", written))
    raw = io.StringIO()
    Console(file=raw, force_terminal=True, highlight=False).print(EVIL)
    assert "owned" in raw.getvalue()
    assert "\x1b]0;" in raw.getvalue()  # so that the test could fail


def test_broken_plugins_and_recipes_that_are_shown_are_escaped(installed, tmp_path, capsys):
    code = f"import agekit\nraise RuntimeError({EVIL!r})\n"
    installed("evil", code)
    assert main(["plugins", "--traceback"]) == 0
    said = capsys.readouterr()
    assert "broken: RuntimeError" in said.out
    assert harmless(said.out + said.err)
    assert main(["validate", "quickstart"]) == 0
    said = capsys.readouterr()
    assert "plugin evil (agekit-evil (agekit_evil)) is broken" in said.err
    assert harmless(said.out + said.err)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "mine.toml").write_text(f"# {EVIL}\n")
    installed("mine", f"import agekit\nfrom pathlib import Path\n@agekit.hookimpl\n"
              f"def agekit_recipes():\n    return Path({str(shelf)!r})\n")  # fmt: skip
    for words in (["show", "recipe", "mine"], ["list", "recipes"]):
        assert main(words) == 0
        said = capsys.readouterr()
        assert "owned" in said.out
        assert harmless(said.out + said.err)


# ---- pages


class Seen(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.attributes, self.text = set(), [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_a_report_holds_no_element_attribute_or_character_of_a_stranger(hostile, monkeypatch):
    monkeypatch.chdir(hostile.parent.parent)
    assert main(["report", f"runs/{hostile.name}", "-o", "page.html"]) == 0
    written = Path("page.html").read_text()
    page = Seen(written)
    assert harmless(written)
    assert not page.elements & {"script", "iframe", "object", "embed", "link", "base", "form", "a"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("href", "srcset", "action")]
    assert all(str(value).startswith("data:image/png;base64,") for name, value in page.attributes if name == "src")
    assert page.text.count("<script>alert(1)</script>") >= 5  # name, mark, summary, caption, curve: as text
    assert any(name == "content" and value.startswith("default-src 'none'") for name, value in page.attributes)


def test_attributes_are_quoted_and_escaped():
    made = tag("p", EVIL, title=f'" onclick="x{EVIL}')
    assert Seen(made).attributes == [("title", f'" onclick="x{printable(EVIL)}')]
    assert Seen(made).elements == {"p"}


def test_tensorboard_shows_texts_as_they_are(tmp_path):
    """Through TensorBoard's own way from Markdown to HTML."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own libraries
        from tensorboard import plugin_util  # type: ignore[import-untyped]

    text = f"{ABOUT}\n\n<img src=x onerror=alert(1)>\n[a](javascript:alert(1))\n    ```\n# big\n\n\n<b>x</b>"
    board = Board(tmp_path, 0)
    board.text("evil", text)
    board.close()
    (event,) = events_of(tmp_path).Tensors("evil/text_summary")
    shown = Seen(plugin_util.markdown_to_safe_html(event.tensor_proto.string_val[0]))
    assert shown.elements <= {"pre", "code", "p"}
    assert shown.attributes == []
    assert "<img src=x onerror=alert(1)>" in shown.text


def test_a_model_card_shows_texts_as_they_are(hostile, monkeypatch):
    monkeypatch.chdir(hostile.parent.parent)
    assert main(["export", f"runs/{hostile.name}", "--hub", "hub"]) == 0
    card = Path("hub/README.md").read_text()
    assert harmless(card)
    front, body = card.split("\n---\n", 1)
    assert all(isinstance(json.loads(line.partition(": ")[2]), str | list) for line in front.splitlines()[1:])
    assert not re.search(r"(?<!\\)<script|(?<!\\)<img|(?<!\\)!?\[x\]", body)
    assert r"\<script\>alert(1)\</script\>" in body
    for evil in ("# a", "- a", "1. a", "a | b", "`a`", "[a](b)", "![a](b)", "<a>", "&lt;", "**a**", "> a", "a\n# b"):
        assert plain(evil) != evil
        assert "\n" not in plain(evil)
    assert plain("AGE on faces, 64 px: https://arxiv.org/abs/1704.02304") == (
        "AGE on faces, 64 px: https://arxiv.org/abs/1704.02304"
    )
