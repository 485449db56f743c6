"""A folder that a model hub accepts: a card with its front matter, weights, the recipe, provenance, pictures."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import AgekitError, RunError
from ..evaluate.evaluation import Evaluation, evaluations
from ..files import beside, sync, write_json, write_text
from ..game.views import Gallery
from ..plugins import Loaded
from ..printable import json_line, one_line
from ..report.metrics import read_metrics
from ..train.folder import RunFolder
from .export import Exported, Wanted, export
from .recipe import portable

TASK = "unconditional-image-generation"
PROVENANCE = ("recipe", "seed", "started", "agekit", "python", "packages", "plugins", "device_name", "data")
"""What of a run's provenance is published: nothing that tells of the machine's places."""

Number = tuple[str, str, str, str]
"""A number on the card: the metric, its value's name, the value as text, and how it was taken."""


def publish(run: RunFolder, gallery: Gallery, wanted: Wanted, to: Path, loaded: Loaded) -> list[Exported]:
    """Write the folder, whole or not at all.

    Raises `AgekitError` where it is there already and is not empty, `RunError` where it cannot be written.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise AgekitError(f"--hub {to}: it is there already; a new or an empty folder fits")
    temporary = beside(to)
    try:
        done = export(gallery, wanted, temporary, loaded)
        _fill(run, gallery, done, temporary)
        if to.exists():
            to.rmdir()
        os.replace(temporary, to)
        sync(to.parent)
    except OSError as error:
        raise RunError(f"{to} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [Exported(one.part, to / one.file.name, one.difference, one.code) for one in done]


def _fill(run: RunFolder, gallery: Gallery, done: Sequence[Exported], to: Path) -> None:
    pictures = [file for name in gallery.game.views if (file := run.pictures / f"{name}.png").is_file()]
    (to / "pictures").mkdir()
    for file in pictures:
        shutil.copyfile(file, to / "pictures" / file.name)
    mark = run.read_mark()
    write_json(to / "provenance.json", {key: mark[key] for key in PROVENANCE if key in mark})
    write_text(to / "recipe.toml", portable(gallery.game.recipe.document.tree))
    numbers = list(numbers_of(run, gallery.game.steps_done))
    names = [file.name for file in pictures]
    write_text(to / "README.md", card(run.path.resolve().name, gallery, done, numbers, names, mark))


def card(
    name: str,
    gallery: Gallery,
    done: Sequence[Exported],
    numbers: Sequence[Number],
    pictures: Sequence[str],
    mark: dict[str, Any],
) -> str:
    """The model card."""
    recipe = gallery.game.recipe
    files = "\n".join(
        f"| `{one.file.name}` | {', '.join(map(str, one.part.sees))} → {one.part.makes} | {one.part.weights} "
        f"| {one.part.statistics} |"
        for one in done
    )
    taken = "\n".join(f"| {' | '.join(map(plain, number))} |" for number in numbers)
    parts = [
        _front(name, gallery, numbers),
        f"# {plain(name)}\n\n{plain(recipe.about.summary or recipe.name)}\n\n{plain(recipe.about.source)}".rstrip(),
        "\n".join(f"![{file.removesuffix('.png')}](pictures/{file})" for file in pictures),
        f"## Networks\n\n| file | sees → makes | weights | batch-norm statistics |\n|---|---|---|---|\n{files}",
        "\n\n".join(f"```python\n{one.code}\n```" for one in done),
        f"## Numbers\n\n| metric | value | | taken |\n|---|---|---|---|\n{taken}" if numbers else "",
        f"## Training\n\n{_trained(gallery, mark)}\n\n    agekit run recipe.toml",
        "The card states no licence: whoever publishes the folder chooses one that the data allows.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _trained(gallery: Gallery, mark: dict[str, Any]) -> str:
    recipe, data = gallery.game.recipe, mark["data"]
    name, print_, version = map(plain, (recipe.name, data["fingerprint"][:12], mark["agekit"]))
    return (
        f"Step {gallery.game.steps_done:,} of {name} (`recipe.toml`), seed {recipe.run.seed}, on "
        f"`{recipe.dataset_name}`: {data['count']:,} samples, fingerprint {print_}; agekit {version}, torch "
        f"{plain(mark['packages']['torch'])}. More is in `provenance.json`."
    )


def plain(text: str) -> str:
    """A text as Markdown shows it as it is, on one line: no element, link, picture, heading or cell of a table.

    >>> plain("# [a](b) | <script>")
    '\\\\# \\\\[a\\\\](b) \\\\| \\\\<script\\\\>'
    """
    return re.sub(r"([\\`*\[\]<>|&]|^[#=+~-]|^\d+[.)])", r"\\\1", one_line(" ".join(text.split())))


def _front(name: str, gallery: Gallery, numbers: Sequence[Number]) -> str:
    """The YAML front matter; every value is written as JSON, which YAML includes."""
    game, recipe = gallery.game, gallery.game.recipe
    drawn = any(
        game.samples_of(plan.nodes) == "draws" and len(plan.nodes[plan.of].space.shape) == 3
        for plan in game.views.values()
    )
    dataset = {"name": recipe.dataset_name, "type": recipe.dataset_name}
    metrics = [
        {"type": metric, "name": f"{metric}.{key} ({how})", "value": float(value.split(" ")[0])}
        for metric, key, value, how in numbers
    ]
    results = [{"task": {"type": TASK}, "dataset": dataset, "metrics": metrics}]
    front: dict[str, Any] = {"library_name": "agekit"}
    front |= {"pipeline_tag": TASK} if drawn else {}
    front["tags"] = ["agekit", recipe.dataset_name]
    front |= {"model-index": [{"name": name, "results": results}]} if metrics else {}
    return "---\n" + "\n".join(f"{key}: {json_line(value)}" for key, value in front.items()) + "\n---"


def numbers_of(run: RunFolder, step: int) -> Iterator[Number]:
    """The numbers taken at a step: by `agekit eval`, and in training."""
    for one in evaluations(run.path):
        yield from _evaluated(one) if one.step == step else ()
    for line in read_metrics(run.metrics):
        if line["step"] == step:
            for metric, values in line.get("metrics", {}).items():
                taken = line["protocol"][metric]
                how = f"in training, on {taken['count']:,} {taken['data']}, {taken['statistics']} statistics"
                yield from ((metric, key, f"{float(value):.4g}", how) for key, value in values.items())


def _evaluated(one: Evaluation) -> Iterator[Number]:
    for metric, measured in one.metrics.items():
        for key, value in measured.values.items():
            said = f"{value.mean:.4g}" + (f" ± {value.deviation:.2g}" if value.deviation else "")
            yield metric, key, said, measured.protocol.said
