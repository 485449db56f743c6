"""Comparisons of whole sets: how faithful and how diverse one is beside another, and what lies nearest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from agekit.contracts import Comparison, Operand, option

from .divergences.pairwise import squared_distances

SLACK = 1e-9
"""Relative, by which a ball is larger, so that a point on its surface is inside, however its distance was rounded."""


class PRDC(Comparison):
    """Precision, recall, density and coverage of generated samples (`of`) beside real ones (`to`).

    With B(a) the ball about a point whose radius is the distance to its k-th nearest other point of its own set, real
    points x_i (N), generated points y_j (M):

    precision:  1/M Σ_j 1[y_j in some B(x_i)]           recall:    1/N Σ_i 1[x_i in some B(y_j)]
    density:    1/(kM) Σ_j Σ_i 1[y_j in B(x_i)]         coverage:  1/N Σ_i 1[some y_j in B(x_i)]

    Balls are closed. Precision and recall swell with a single outlier, density and coverage hardly; for two sets of one
    law density is about 1 and coverage about 1 − 2^−k where they are equally large. They depend on N and M: compare at
    equal numbers. The cost is (N + M)² d, the memory N + M.

    Source: Kynkäänniemi et al. 2019, equations 1 and 2 (precision, recall); Naeem et al. 2020, equations 3 and 4.
    Shapes: features [M, d] and [N, d]. Raises ValueError where one set has no more than k points.
    """

    operands = {"of": Operand(vectors=True), "to": Operand(vectors=True, like="of")}
    k: int = option(5, help="which nearest neighbour a ball reaches to", ge=1)

    def __call__(self, generated: Tensor, real: Tensor) -> Mapping[str, float]:
        for cloud in (generated, real):
            if len(cloud) <= self.k:
                raise ValueError(f"{len(cloud)} points have no {self.k} nearest neighbours: {self.k + 1} or more fit")
        about_real, about_generated = radii(real, self.k), radii(generated, self.k)
        precise, within = torch.zeros(len(generated), dtype=torch.bool), torch.zeros(len(generated))
        covered, recalled = torch.zeros(len(real), dtype=torch.bool), torch.zeros(len(real), dtype=torch.bool)
        for rows, squared in squared_distances(real, generated):
            inside = squared <= about_real[rows, None]
            precise |= inside.any(0)
            within += inside.sum(0)
            covered[rows] = inside.any(1)
            recalled[rows] = (squared <= about_generated).any(1)
        return {
            "precision": _share(precise),
            "recall": _share(recalled),
            "density": within.double().mean().item() / self.k,
            "coverage": _share(covered),
        }


class Neighbours(Comparison):
    """How near each sample (`of`) has one of the others (`to`): what is copied from the data of training, for one.

    d_i = min_j |of_i − to_j| / √d, the root mean square difference of coordinates, in the units of these.

    Their mean, median, first percentile and least. With `on = "training"` the others are those that were trained on, as
    they are where it is named on the command line.

    Source: none; the plain search among all. The cost is n m d, the memory n + m.
    Shapes: samples [n, …] and [m, …] of one shape.
    """

    operands = {"of": Operand(), "to": Operand(like="of")}
    on = "training"

    def __call__(self, samples: Tensor, others: Tensor) -> Mapping[str, float]:
        flat, pool = samples.flatten(1), others.flatten(1)
        nearest = torch.cat([squared.amin(1) for _, squared in squared_distances(flat, pool)])
        distances = (nearest / flat.shape[1]).sqrt()
        return {
            "mean": distances.mean().item(),
            "median": distances.median().item(),
            "p01": distances.quantile(0.01).item(),
            "least": distances.min().item(),
        }


def radii(points: Tensor, k: int) -> Tensor:
    """The squared distance of each point to its k-th nearest other, a little enlarged: [n, d] -> [n]."""
    return torch.cat(list(_radii(points, k))) * (1 + SLACK)


def _radii(points: Tensor, k: int) -> Iterator[Tensor]:
    for rows, squared in squared_distances(points, points):
        itself = torch.arange(rows.start, rows.stop).unsqueeze(1)
        others = squared.scatter(1, itself, torch.inf)
        yield others.topk(k, dim=1, largest=False).values[:, -1]


def _share(marked: Tensor) -> float:
    return marked.double().mean().item()
