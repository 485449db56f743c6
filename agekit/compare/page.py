"""Runs on one page of HTML, which needs no server and nothing from elsewhere. No torch in here."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from ..recipe.compose import written
from ..report.curves import Curve, chart, colour, legend
from ..report.html import Html, folded, html, table, tag
from .contrast import spent
from .marks import Marks
from .numbers import Number, numbers_of
from .reading import Told
from .sides import differing, values_of

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")

NUMBERED = re.compile(r"-\d{9}\Z")
"""How the names of pictures of earlier steps end."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What the page may load: nothing but the pictures and the style that it holds."""


def page(runs: Sequence[Told]) -> str:
    """The whole page."""
    names = [run.name for run in runs]
    title = f"agekit: {', '.join(names)}"
    sections = [
        ("Runs", _runs(runs)),
        *([("What differs in their recipes", _difference(runs))] if len(runs) > 1 else []),
        ("Metrics", _metrics(runs)),
        ("Pictures", html(*_pictures(runs))),
        ("Curves", html(legend(names) if len(runs) > 1 else Html(), *_curves(runs))),
        ("Recipes, plans and provenance", html(*map(_origin, runs))),
    ]
    head = html(
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", title),
        tag("style", Html(STYLE)),
    )
    body = html(tag("h1", title), *(tag("section", tag("h2", name), content) for name, content in sections))
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def _runs(runs: Sequence[Told]) -> Html:
    rows = []
    for position, run in enumerate(runs):
        took = spent(run)
        chip = html(tag("i", "", style=f"background:{colour(position)}"), run.name)
        steps = f"{run.step:,} of {run.steps:,}" if run.steps else f"{run.step:,}"
        seed, seconds = "-" if run.seed is None else str(run.seed), took.seconds
        rows.append([chip, run.recipe, seed, run.state, steps, _time(run.started), _clock(seconds), took.device])
    return table(["run", "recipe", "seed", "state", "steps", "started", "took", "device"], rows)


def _time(started: datetime | None) -> str:
    return "-" if started is None else started.strftime("%Y-%m-%d %H:%M %Z")


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _difference(runs: Sequence[Told]) -> Html:
    """The values of the recipes that are not the same in all, seeds with them."""
    each = [{**values_of(run), **({} if run.seed is None else {"run.seed": run.seed})} for run in runs]
    keys = differing(each)
    if not keys:
        return tag("p", "Nothing: the recipes are the same, value by value.")
    rows = [[key, *(written(values[key]) if key in values else "absent" for values in each)] for key in keys]
    return table(["value", *(run.name for run in runs)], rows, "mono")


def _metrics(runs: Sequence[Told]) -> Html:
    """Every number at the last step, with a letter for how it was taken."""
    marks, each = Marks(), [numbers_of(run) for run in runs]
    rows = []
    for name in dict.fromkeys(name for own in each for name in own):
        cells = [_cell(own.get(name, []), marks) for own in each]
        rows.append([" ".join(name), *cells])
    if not rows:
        return tag("p", "None were taken at the last step; agekit eval takes some.")
    said = (html(tag("dt", letter), tag("dd", text)) for letter, text in marks.said())
    note = "A letter says how a number was taken. Numbers of one letter can be compared, and no others."
    return html(table(["metric", *(run.name for run in runs)], rows), tag("p", note), tag("dl", *said))


def _cell(numbers: Sequence[Number], marks: Marks) -> Html:
    """Numbers, each with the letter of its protocol."""
    return html(*(html(f"{one.value:.4g}", tag("sup", marks.of(one)), " ") for one in numbers)) or html("-")


def _pictures(runs: Sequence[Told]) -> Iterator[Html]:
    """The latest picture of every view, those of all runs side by side."""
    said = [name for run in runs for name in run.tree.get("views", {})]
    made = [p.stem for run in runs for p in sorted(run.folder.pictures.glob("*.png")) if _latest(p)]
    views = dict.fromkeys([*(name for name in said if name in made), *made])
    for view in views:
        shown = [_picture(run, path) for run in runs if (path := run.folder.pictures / f"{view}.png").is_file()]
        yield folded(view, tag("div", *shown, class_="side"), open=True)
    if not views:
        yield tag("p", "None were made yet.")


def _latest(path: Path) -> bool:
    return not NUMBERED.search(path.stem)


def _picture(run: Told, path: Path) -> Html:
    """A picture as the page itself holds it, and what it says it shows."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            said = {key: str(value) for key, value in image.info.items() if isinstance(value, str)}
            width = image.width
        data = base64.b64encode(path.read_bytes()).decode()
    except (OSError, ValueError) as error:
        return tag("p", f"{path.name} of {run.name} cannot be read: {error}")
    shown = [said.get("view", path.stem), f"step {said['step']}" if "step" in said else ""]
    shown += [f"{said['statistics']} statistics" if "statistics" in said else "", said.get("samples", "")]
    caption = f"{run.name}: {', '.join(one for one in shown if one)}"
    image_ = tag("img", src=f"data:image/png;base64,{data}", alt=caption, style=f"max-width:{min(width, 1100)}px")
    return tag("figure", image_, tag("figcaption", caption))


def _curves(runs: Sequence[Told]) -> Iterator[Html]:
    """The curves of all runs: terms, metrics, gradients; what is looked at less is folded."""
    each = [_scalars(run.lines) for run in runs]
    for group, (title, is_open) in GROUPS.items():
        tags = dict.fromkeys(name for own in each for name in own if name.partition("\t")[0] == group)
        charts = []
        for name in tags:
            there = [(position, own[name]) for position, own in enumerate(each) if name in own]
            if group == "metrics" and all(len(points) == 1 for _, points in there):
                continue  # the table above says as much
            charts.append(chart(name.partition("\t")[2], [Curve(runs[n].name, n, points) for n, points in there]))
        if charts:
            yield folded(f"{title} ({len(charts)})", tag("div", *charts, class_="charts"), open=is_open)
    if not any(each):
        yield tag("p", "Nothing was written down yet.")


GROUPS = {
    "terms": ("Terms of each player, unweighted", True),
    "metrics": ("Metrics", True),
    "gradients": ("Norms of the gradients of weighted terms", False),
    "cosines": ("Cosines between the gradients of terms", False),
    "weights": ("Weights of the terms", False),
    "learning_rates": ("Learning rates", False),
}
"""The kinds of numbers in a line of metrics that become curves: their title, and whether they are open."""


def _scalars(lines: Sequence[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """The points of every number in metrics.jsonl, by its group and name."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for group in GROUPS.keys() & line.keys():
            for name, value in _flat(line[group]):
                found.setdefault(f"{group}\t{name}", []).append((float(line["step"]), value))
    return found


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(values, dict):
        for key, inner in values.items():
            yield from _flat(inner, f"{name}/{key}" if name else key)
    else:
        yield name, float(values)


def _origin(run: Told) -> Html:
    """The recipe as it was resolved, the plan, and where all of it comes from."""
    mark = run.folder.read_mark()
    origins = json.dumps(mark.pop("origins", {}), indent=2, ensure_ascii=False)
    parts = [
        folded("recipe", tag("pre", _text(run.folder.recipe))),
        folded("plan", tag("pre", _text(run.folder.plan))),
        folded("provenance", tag("pre", json.dumps(mark, indent=2, ensure_ascii=False))),
        folded("where each value was written", tag("pre", origins)),
    ]
    return tag("article", tag("h3", run.name), *parts)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
