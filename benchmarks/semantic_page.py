"""The page on the semantic loss: its tables, what the numbers say in words, and its picture."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .compare_page import tile
from .keeping import Result

Rows = Mapping[str, Sequence[Mapping[str, float]]]
"""The numbers of each row of a table, seed by seed."""

SHOWN = 12
"""Faces in a row of the picture."""

STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}
"""The 97.5 % quantile of Student's t for so many seeds, which have one degree of freedom fewer."""

COLUMNS = {
    "iou": ("IoU", 3, 1),
    "own_iou": ("own IoU", 3, 1),
    "layout": ("layout", 3, -1),
    "l1": ("L1", 4, -1),
    "sharpness": ("sharpness", 2, 0),
    "codes": ("codes", 3, -1),
    "fakes": ("fakes", 3, -1),
}
"""What is measured: its title, its decimals, and whether more is better (1), or worse (−1), or neither (0)."""

PLAYERS = {
    "none": "AGE",
    "encoder": "agreement, encoder",
    "generator": "agreement, generator",
    "pixels": "L_X for the generator",
}

TEXT = """# The semantic loss, measured

A review of AGE proposes to put a parsing network behind the generator, so that single pictures are matched in their
parts and not the law of all alone. `make semantic` writes this page and its picture, sentences and numbers alike, on
a CPU.

{parsers}

AGE is played with the agreement of parses, `parse_agreement` of `s(g(e(x)))` with `s(x)` at weight 1, carried by
nobody, by the encoder or by the generator, from the same seeds: first weights, data and draws are the same. A step
with the agreement costs more, so that AGE alone is judged twice more: when it has had as many floating-point
operations as the others. A last arm asks whether it takes a parser: there the generator is given L_X, the mean absolute
error of reconstructions, at AGE's own weight μ = 5, which AGE keeps from it.

## Generated faces

{toyfaces}

![Held-out faces with their parses, and reconstructions with theirs]({picture})

Below the held-out faces are reconstructions of them and the parses of these, of the first seed.

## Photographs

{celebamask}

## What is measured

On held-out faces, or on as many samples; batch-norm statistics are recalibrated. ± is half of a 95 % interval for the
mean over the seeds (3 unless `--seeds` and `--face-seeds` say otherwise), by Student's t. Verdicts are by paired
differences between runs of one seed; there are dozens of them, so that a few at the edge of an interval are chance.
Sharpness has none, since speckle raises it. Photographs: three quarters are trained on, a quarter is held out.

- **IoU**: mean intersection over union of the parses of reconstructions with the parses of their inputs. The parser
  that judges is not that of the loss, which could be deceived: it was trained from another seed.
- **own IoU**: the same by the loss's own parser.
- **layout**: energy distance between the class areas of samples and of faces, by the other parser.
- **L1**: mean absolute error of `g(e(x))` against `x`, in [−1, 1]. **sharpness**: mean luma gradient of
  reconstructions as a share of that of their inputs; blur lowers it, speckle raises it.
- **codes**, **fakes**: `kl_sphere` of `e(x)` and of `e(g(z))`, 0 for codes that are uniform on the sphere.

Networks are `dcgan` of width 16 at 32 px, M = 32, batches of 32, Adam at 1e-3: small, and stopped early. The numbers
say who is ahead by then.
"""

ABSENT = "Left out of this page: no folder of real faces was named (`--faces`, or `AGEKIT_CELEBAMASK`)."


def page(
    protocol: Mapping[str, Any],
    parsers: Mapping[str, Result],
    rows: Mapping[str, Rows],
    marks: Mapping[str, Mapping[str, int]],
) -> str:
    """The whole page."""
    parts = {world: f"{table(rows[world], marks[world])}\n\n{outcome(rows[world])}" for world in rows}
    return TEXT.format(
        parsers="\n".join(f"- {parsed(name, result)}" for name, result in parsers.items()),
        toyfaces=parts["toyfaces"],
        celebamask=parts.get("celebamask", ABSENT),
        picture=protocol["picture"],
    )


def parsed(name: str, result: Result) -> str:
    """What became of a parser."""
    world, _, parser = name.partition("-")
    role = "of the loss" if parser == "s" else "that judges"
    found = result["metrics"]
    return (
        f"the parser {role}, on `{world}`: mean IoU {found['mean_iou']:.3f}, pixel accuracy "
        f"{found['pixel_accuracy']:.3f} on held-out faces"
    )


def table(rows: Rows, marks: Mapping[str, int]) -> str:
    """One line an arm: the mean over seeds of every number, with its interval."""
    lines = [f"| | steps | {' | '.join(title for title, _, _ in COLUMNS.values())} |"]
    lines.append("|---" * (len(COLUMNS) + 2) + "|")
    for row, seeds in sorted(rows.items(), key=lambda entry: list(marks).index(entry[0])):
        cells = [interval([seed[name] for seed in seeds], digits) for name, (_, digits, _) in COLUMNS.items()]
        lines.append(f"| {label(row)} | {marks[row]:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def label(row: str) -> str:
    """What a row is called."""
    arm, _, other = row.partition(", as ")
    return f"AGE, as much compute as {PLAYERS[other]}" if other else PLAYERS[arm]


def interval(values: Sequence[float], digits: int) -> str:
    """The mean, and half of its 95 % interval where there is more than one value."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {half(values):.{digits}f}" if len(values) > 1 else mean


def half(values: Sequence[float]) -> float:
    """Half of the 95 % interval for the mean."""
    return STUDENT[len(values)] * statistics.stdev(values) / math.sqrt(len(values))


def outcome(rows: Rows) -> str:
    """What the numbers say: each arm against AGE after as many steps, and after as much compute."""
    pairs = {
        ("encoder", "none"): "AGE after as many steps",
        ("encoder", "none, as encoder"): "AGE after as much compute",
        ("generator", "none"): "AGE after as many steps",
        ("generator", "none, as generator"): "AGE after as much compute",
        ("generator", "pixels"): "L_X for the generator, after as many steps",
        ("pixels", "none"): "AGE after as many steps",
    }
    return "\n".join(
        f"- **{PLAYERS[arm]}**, against {words}. {verdicts(rows[arm], rows[other])}."
        for (arm, other), words in pairs.items()
    )


def verdicts(ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]) -> str:
    """In what one arm is better, in what it is worse, and what cannot be told, by paired differences."""
    found: dict[str, list[str]] = {"better": [], "worse": [], "no difference that these seeds show": []}
    for name, (title, digits, sign) in COLUMNS.items():
        if sign:
            mean, width = paired(name, ours, theirs)
            gap = f"{title} {mean:+.{digits}f}" + (f" ± {width:.{digits}f}" if width else " (one seed)")
            found[list(found)[2 if abs(mean) <= width else sign * mean < 0]].append(gap)
    said = "; ".join(f"{verdict}: {', '.join(gaps)}" for verdict, gaps in found.items() if gaps)
    return said[0].upper() + said[1:]


def paired(
    name: str, ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]
) -> tuple[float, float]:
    """The mean difference between runs of one seed, and half of its 95 % interval; 0 where there is one seed."""
    gaps = [a[name] - b[name] for a, b in zip(ours, theirs, strict=True)]
    return statistics.fmean(gaps), half(gaps) if len(gaps) > 1 else 0.0


def grid(arms: Mapping[str, Mapping[str, Tensor]], side: int = 64, margin: int = 190) -> Image.Image:
    """Faces and their parses, and for each arm the reconstructions and theirs, beside what they are."""
    first = next(iter(arms.values()))
    lines = {"held-out faces": first["inputs"], "their parses": first["true_parses"]}
    for arm, shown in arms.items():
        lines |= {PLAYERS[arm]: shown["reconstructions"], f"{PLAYERS[arm]} (parses)": shown["parses"]}
    sheet = Image.new("RGB", (margin + SHOWN * side, len(lines) * side), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for line, (title, pictures) in enumerate(lines.items()):
        if not title.endswith("(parses)"):
            pen.text((8, line * side + side // 3), title, fill="black", font=font)
        for column, picture in enumerate(pictures[:SHOWN]):
            sheet.paste(tile(picture, side), (margin + column * side, line * side))
    return sheet
