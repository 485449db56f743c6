"""The page of the comparison: its table, what the numbers say in words, and its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .keeping import Result

Metrics = Mapping[str, Mapping[str, float]]
"""What `agekit.judge` returns."""

SHOWN = 12
"""Samples, and reconstructions, in a row of the picture."""

TEXT = """# AGE, its ablations and its neighbours

The cartoon faces of `toyfaces` at 32 px, {steps:,} steps of each system, on a CPU. `make compare` writes this page
and its picture, sentences and numbers alike.

![Held-out faces; samples and reconstructions of each system]({picture})

Samples are at the left, and at the right reconstructions of the held-out faces that stand above them.

| system | L1 | sharpness | edges | codes | valid | its coverage | rough | its coverage | distance | s/step |
|---|---|---|---|---|---|---|---|---|---|---|
{table}

{outcome}

This is one seed, and {steps:,} steps are few: the numbers say who is ahead by then.

## What is measured

On {count:,} held-out faces (`split = "test"`), or on as many samples; batch-norm statistics are recalibrated: they
are those of the very expression that is judged.

- **L1**: mean absolute error of `g(e(x))` against `x`, in [−1, 1].
- **sharpness** and **edges** of reconstructions, fixed before the systems were compared. Both are of the gradient of
  the luma. Sharpness is its mean magnitude as a share of the inputs': blur lowers it, and speckle raises it, even
  above 1. Edges is the slope of its regression on the inputs' gradient: 1 where every edge is as strong as it was, 0
  where none is left; speckle does not move it.
- **codes**: KL of the diagonal Gaussian fitted to `e(x)` to the reference's moments, mean over coordinates
  (`gaussian_kl`); it is 0 for codes that follow the reference, and so an excess.
- **valid**: the share of samples that decode to a face. The probe (`factor_probe`, {probe_steps:,} steps on real
  faces) reads the factors and the hair style of a sample, the face of these is drawn, and the two may differ by
  {threshold:.4f} (mean absolute difference), which 99 in 100 held-out faces keep to.
- **its coverage**: how many of 432 kinds of faces the valid samples show, as a share of what as many real faces show. A
  kind is a hair style, glasses or none, and rough classes of skin, hair, background and mouth (`agekit show metric
  face_probe`).
- **rough** and **its coverage**: the same for samples that differ by at most {rough}, as two real faces of one kind
  do at the median.
- **distance**: the mean of that difference over all samples, valid or not.
- **s/step**: by the clock, in a process of one thread with another one beside it.

## What is equal, and what is not

Steps ({steps:,}), batches of {batch}, the {faces:,} faces that are trained on, the seed ({seed}) of first weights,
data and noise, and the width of all networks ({width}) are equal. Objectives, codes, learning rates, and what a step
is, are the recipes' own: in AGE it is one update of the encoder and two of the generator, in a VAE one of both
together. `agekit plan` prints it. Recipes are those of `SYSTEMS` in `benchmarks/compare.py`. `direct` has no reference
in its objective, and its codes need not follow one.

`benchmarks/compare.py` is also an example of how systems are compared from Python: of agekit it uses `load`, `build`,
`judge` and `show`.
"""

CELLS = (
    ("reconstruction", "value", "{:.3f}"),
    ("sharpness", "ratio", "{:.2f}"),
    ("edges", "kept", "{:.2f}"),
    ("codes", "excess", "{:.3f}"),
    ("faces", "valid", "{:.1%}"),
    ("faces", "coverage", "{:.2f}"),
    ("faces", "rough", "{:.1%}"),
    ("faces", "rough_coverage", "{:.2f}"),
    ("faces", "distance", "{:.3f}"),
)
"""The columns: a metric, its value, and how it is written."""


def page(protocol: Mapping[str, Any], probed: Result, results: Mapping[str, Result]) -> str:
    """The whole page; `results` by title, AGE's among them."""
    real = {**probed["metrics"]["faces"], "valid": 0.99}  # by the definition of the threshold
    table = [row("held-out faces", {"metrics": {"faces": real}})]
    table += [row(title, result) for title, result in results.items()]
    threshold = probed["metrics"]["faces"]["distance_p99"]
    return TEXT.format(**protocol, table="\n".join(table), outcome=outcome(results), threshold=threshold)


def row(title: str, result: Mapping[str, Any]) -> str:
    """One line of the table; a dash stands for what a system does not have."""
    metrics = result["metrics"]
    shown = [form.format(metrics[name][key]) if name in metrics else "–" for name, key, form in CELLS]
    seconds = f"{result['seconds']:.2f}" if "seconds" in result else "–"
    return f"| {' | '.join([title, *shown, seconds])} |"


def outcome(results: Mapping[str, Result]) -> str:
    """What the numbers say."""
    metrics = {title: result["metrics"] for title, result in results.items()}
    encoding = [title for title in metrics if "edges" in metrics[title]]
    valid = [title for title in metrics if metrics[title]["faces"]["valid"] > 0]
    most = ranked(valid, lambda t: -metrics[t]["faces"]["valid"]) or "none has any"
    lines = [
        f"- L1, best first: {ranked(encoding, lambda t: metrics[t]['reconstruction']['value'])}.",
        f"- Valid samples, most first: {most}{', and the others have none' if 0 < len(valid) < len(metrics) else ''}.",
        f"- Rough samples, most first: {ranked(metrics, lambda t: -metrics[t]['faces']['rough'])}.",
        f"- Distance, least first: {ranked(metrics, lambda t: metrics[t]['faces']['distance'])}.",
    ]
    if {"AGE", "generator-recon"} <= metrics.keys():
        lines.append(f"- {blur(metrics['AGE'], metrics['generator-recon'])}")
    return "\n".join(lines)


def ranked(titles: Iterable[str], key: Callable[[str], float]) -> str:
    """Titles in order."""
    return ", ".join(sorted(titles, key=key))


def blur(age: Metrics, given: Metrics) -> str:
    """Whether L_X blurs where the generator is given it, too, by both measures."""
    measures = {"sharpness": "ratio", "edges": "kept"}
    verdict = (
        "not blurrier, other than the paper finds (figure 9)",
        "blurrier by one measure and not by the other; the paper finds it blurrier (figure 9)",
        "blurrier, as the paper finds (figure 9)",
    )[sum(given[name][key] < age[name][key] for name, key in measures.items())]
    values = (f"{name} {given[name][key]:.2f} against AGE's {age[name][key]:.2f}" for name, key in measures.items())
    return f"A generator that is given L_X, too, is {verdict}: {', '.join(values)}."


def grid(pictures: Mapping[str, Mapping[str, Tensor]], side: int = 64, margin: int = 170) -> Image.Image:
    """A row a system: its name, its samples, and its reconstructions, under the inputs of these."""
    inputs = next((shown["inputs"] for shown in pictures.values() if "inputs" in shown), torch.empty(0))
    rows = {"held-out faces": {"reconstructions": inputs}, **pictures}
    places = {"samples": margin, "reconstructions": margin + SHOWN * side + side // 2}
    sheet = Image.new("RGB", (places["reconstructions"] + SHOWN * side, len(rows) * side), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for line, (title, shown) in enumerate(rows.items()):
        pen.text((8, line * side + side // 3), title, fill="black", font=font)
        for kind, left in places.items():
            for column, picture in enumerate(shown.get(kind, ())):
                sheet.paste(tile(picture, side), (left + column * side, line * side))
    return sheet


def tile(picture: Tensor, side: int) -> Image.Image:
    """A picture [3, h, w] in [−1, 1], enlarged without smoothing."""
    stored = picture.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(stored).resize((side, side), Image.Resampling.NEAREST)
