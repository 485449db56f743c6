"""Judging cartoon faces by what a probe reads in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor

from agekit.contracts import Metric, Operand, Space, option

from .portrait import STYLES, Portrait
from .toyfaces import FACTORS, GLASSES_SHARE

PARTS = {
    "glasses": (1 - GLASSES_SHARE, GLASSES_SHARE),
    "skin": (1 / 2,) * 2,
    "hair": (1 / 3,) * 3,
    "background": (1 / 3,) * 3,
    "smile": (1 / 2,) * 2,
}
"""Factors that are plain to see, each cut into as many equal parts, and the share of real faces in each part."""


class FaceProbe(Metric):
    """Which share of generated cartoon faces are faces, and how many of all kinds of faces are among them.

    Two networks that have learnt it from real faces read the factors of a picture, and its hair style. The face that
    these say is drawn, as the data set draws it; the `distance` of the two is the mean absolute difference of their
    values, in [−1, 1].

    valid:     the share of pictures whose distance is at most `threshold`
    coverage:  the number of kinds that the valid pictures are of, divided by the number that as many real faces as
               there are pictures are of on average, Σ_k 1 − (1 − p_k)^n with p_k the share of the kind k. There are 432
               kinds: the hair style (6), glasses or none, halves of the skins, thirds of the hair colours and of the
               backgrounds, a sad or a glad mouth
    rough:     the share of pictures whose distance is at most `rough`, and `rough_coverage` their coverage: sketches of
               faces, which tell apart systems that have not learnt to paint valid ones
    distance:  the mean distance, and `distance_p99` its 99th percentile

    Source: none; it belongs to this data set.
    Shapes: pictures [n, 3, h, h], factors [n, 27], scores of the styles [n, 6].
    """

    operands = {"of": Operand(kind="x"), "factors": Operand(kind="factors"), "style": Operand(kind="scores of label")}
    threshold: float = option(
        0.09,
        help="the largest distance of a valid face; as it is, that of 99 in 100 held-out faces by factor_probe",
        gt=0,
    )
    rough: float = option(
        0.2,
        help="the largest distance of a rough face; as it is, that of two real faces of one kind, at the median",
        gt=0,
    )

    def rows(self, of: Tensor, factors: Tensor, style: Tensor) -> Tensor:
        styles = style.argmax(dim=1).tolist()
        read = factors.clamp(0, 1).tolist()
        drawn = torch.stack([draw(at, kind, of.shape[-1]) for at, kind in zip(read, styles, strict=True)])
        distance = (of.cpu() - drawn).abs().flatten(1).mean(dim=1)
        kinds = torch.tensor([kind_of(at, kind) for at, kind in zip(read, styles, strict=True)])
        return torch.stack([distance, kinds.to(distance.dtype)], dim=1)

    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:  # noqa: ARG002 - the contract's
        distance, kinds = rows.unbind(dim=1)
        expected = expected_kinds(len(rows))
        values = {}
        for name, covered, limit in (("valid", "coverage", self.threshold), ("rough", "rough_coverage", self.rough)):
            near = distance <= limit
            values[name] = near.double().mean().item()
            values[covered] = len(set(kinds[near].tolist())) / expected
        return {
            **values,
            "distance": distance.mean().item(),
            "distance_p99": distance.quantile(0.99).item(),
        }


def draw(factors: Sequence[float], style: int, size: int) -> Tensor:
    """The face of these factors, as pictures are read: [3, size, size] in [−1, 1]."""
    canvas = Portrait(dict(zip(FACTORS, factors, strict=True)), STYLES[style], size).draw()
    return torch.from_numpy(canvas.pixels()) / 127.5 - 1


def kind_of(factors: Sequence[float], style: int) -> int:
    """The number of a face's kind: its parts as the digits of one number."""
    at = dict(zip(FACTORS, factors, strict=True))
    number = style
    for name, shares in PARTS.items():
        number = number * len(shares) + min(int(at[name] * len(shares)), len(shares) - 1)
    return number


def expected_kinds(count: int) -> float:
    """How many kinds so many real faces are of on average: their factors are independent."""
    kinds = [prod(shares) / len(STYLES) for shares in product(*PARTS.values())]
    return len(STYLES) * sum(1 - (1 - kind) ** count for kind in kinds)
