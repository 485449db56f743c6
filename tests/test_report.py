"""The page about runs: whole in itself, true to what was measured, and safe with whatever runs are called or hold."""

import json
import math
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from agekit.cli import main
from agekit.files import sealed, sealed_text, unsealed, write_json
from agekit.report.curves import MOST, Curve, chart, thin
from agekit.report.html import html, tag

from .browser import CHROMIUM, browsing
from .runs import STAGED, begin
from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")

SHOTS = Path(__file__).parent.parent / "build" / "screenshots"
EVIL = "</pre><script>alert(1)</script><img src=x onerror=alert(2)> & 'quoted' \"twice\""


@pytest.fixture(scope="module")
def two(tmp_path_factory, cache):
    """The folders of two runs of different recipes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("report"))
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("one", STAGED)
        begin("other", TINY, settings=["players.generator.terms.recover.weight=2", "run.seed=3"])
        return Path("runs/one").resolve(), Path("runs/other").resolve()


class Read(HTMLParser):
    """Every element and attribute of a page, its text, and whether what is opened is closed."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.text = [], ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += f" {data} "

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


def report(*runs):
    assert main(["report", *map(str, runs), "-o", "page.html"]) == 0
    return Read(Path("page.html").read_text())


def test_the_page_shows_what_two_runs_were_and_became(two, capsys):
    page = report(*two)
    assert "page.html  one, other; " in capsys.readouterr().out
    text = re.sub(r"\s+", " ", page.text)
    for said in ("12 of 12", "finished", "players.generator.terms.recover.weight 4 2 ", "run.seed 0 3"):
        assert said in text
    last = json.loads((two[0] / "metrics.jsonl").read_text().splitlines()[-1])
    assert re.search(rf"spread effective_rank {last['metrics']['spread']['effective_rank']:.4g} [a-z] -", text)
    assert "metric spread(of = e(x)), in training: 30 held-out samples, running statistics" in text
    assert [image["alt"] for image in page.all("img")] == [
        "one: samples = g(z), step 12, recalibrated statistics, draws",
        "other: samples = g(z), step 12, recalibrated statistics, draws",
        "one: reconstructions = g(e(x)), step 12, recalibrated statistics, held out",
        "other: reconstructions = g(e(x)), step 12, recalibrated statistics, training",
    ]
    for name in ("encoder/real", "generator/recover", "far/value", "encoder/real and fake", "encoder/total"):
        assert name in text
    assert (two[0] / "plan.txt").read_text().splitlines()[0] in page.text
    assert '"fingerprint"' in page.text


def test_a_folder_is_all_of_its_runs(two, capsys):
    text = report(two[0].parent).text
    assert "page.html  one, other; " in capsys.readouterr().out
    assert text == report(*two).text


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(two):
    page = report(*two)
    assert {tag for tag, _ in page.elements} & {"script", "link", "iframe", "object", "base", "form", "a"} == set()
    sources = [value for _, attributes in page.elements for key, value in attributes.items() if key in ("src", "href")]
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    (policy,) = (meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")
    assert "url(" not in Path("page.html").read_text()


def test_whatever_a_run_holds_is_text(two):
    shutil.copytree(two[1], "evil")
    recipe = Path("evil/recipe.toml")
    recipe.write_text(sealed_text(f"{recipe.read_text()}\n[about]\nsummary = {json.dumps(EVIL)}\n"))
    mark = unsealed(json.loads(Path("evil/run.json").read_text()))
    write_json(Path("evil/run.json"), sealed({**mark, "device_name": EVIL, "recipe": EVIL}))
    line = json.loads(Path("evil/metrics.jsonl").read_text().splitlines()[-1])
    line["terms"][EVIL] = {EVIL: 1.0, "more": "nan"}
    Path("evil/metrics.jsonl").write_text(json.dumps(line) + "\n")
    said = PngInfo()
    said.add_text("view", EVIL)
    Image.new("RGB", (4, 4)).save("evil/pictures/samples.png", pnginfo=said)
    Path("evil/pictures/reconstructions.png").write_bytes(b"no picture")
    page = report("evil")
    assert {tag for tag, _ in page.elements} & {"script"} == set()
    assert len(page.all("img")) == 1
    assert page.text.count(EVIL) >= 5
    assert "reconstructions.png of evil cannot be read" in page.text


def test_a_run_that_has_written_nothing_yet_has_a_page(two):
    shutil.copytree(two[1], "young")
    for name in ("pictures", "checkpoints"):
        shutil.rmtree(f"young/{name}")
        Path(f"young/{name}").mkdir()
    Path("young/metrics.jsonl").write_text("")
    text = report("young").text
    for said in ("None were taken at the last step", "None were made yet", "Nothing was written down yet"):
        assert said in text
    same = report("young", two[1]).text
    assert "Nothing: the recipes are the same, value by value." in same


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent"], "absent does not exist"),
        (["."], "is not a run's folder"),
        (["RUN", "-o", "absent/page.html"], "absent/page.html cannot be written"),
        (["RUN", "-o", "."], ". cannot be written: it is a folder"),
    ],
)
def test_what_cannot_be_reported_is_one_clear_message(arguments, said, two, capsys):
    assert main(["report", *(str(two[0]) if word == "RUN" else word for word in arguments)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_report_is_written_without_loading_torch(two):
    code = (
        "import sys\n"
        "from agekit.cli import main\n"
        "status = main(['report', sys.argv[1]])\n"
        "print(status, sorted({'torch', 'numpy', 'safetensors'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(two[0])], check=False, capture_output=True, text=True)
    assert done.stderr == "0 []\n"


# ---- curves


def test_a_curve_goes_through_its_points_and_stops_where_there_are_none():
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, math.nan), (3.0, 1.0), (4.0, 3.0), (5.0, math.inf), (6.0, 2.0)]
    drawn = Read(chart("a < b", [Curve("one", 0, points)]))
    lines = [line["points"].split() for line in drawn.all("polyline")]
    assert [len(line) for line in lines] == [2, 2]
    assert len(drawn.all("circle")) == 1
    xs = [float(place.split(",")[0]) for line in lines for place in line] + [float(drawn.all("circle")[0]["cx"])]
    assert xs == sorted(xs)
    heights = {y: float(p.split(",")[1]) for p, y in zip(lines[0] + lines[1], (1, 2, 1, 3), strict=True)}
    assert heights[1] - heights[2] == pytest.approx(heights[2] - heights[3], abs=0.02)
    assert "a < b" in drawn.text
    assert "no finite value" in chart("empty", [Curve("one", 0, [(0.0, math.nan)])])


def test_a_curve_of_many_points_is_thinned_to_means():
    points = [(float(index), float(index % 2)) for index in range(10 * MOST)]
    thinned = thin(points)
    assert len(thinned) == MOST
    assert {y for _, y in thinned} == {0.5}
    assert thinned[0][0] == 4.5
    assert thin(points[:MOST]) == points[:MOST]


def test_every_text_is_escaped_once():
    assert tag("p", EVIL, title=EVIL) == tag("p", html(EVIL), title=EVIL)
    read = Read(tag("p", tag("b", EVIL), class_="x y", title=EVIL))
    assert read.elements == [("p", {"class": "x y", "title": EVIL}), ("b", {})]
    assert read.text.strip() == EVIL


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is here to look with")
def test_a_browser_shows_the_page_from_its_file(two, tmp_path):
    report(*two)
    SHOTS.mkdir(parents=True, exist_ok=True)
    with browsing(tmp_path / "profile") as browser:
        wanted = "What differs", "encoder/real", "Recipes, plans and provenance"
        browser.see(Path("page.html").resolve().as_uri(), *wanted, pictures=4)
        browser.screenshot(SHOTS / "report.png")
