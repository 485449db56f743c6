"""The nearest training samples of given pictures, by their codes or by their pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Nearest:
    """For each query its nearest samples, nearest first: their numbers and distances, both [queries, k]."""

    indices: Tensor
    distances: Tensor


def nearest_in(queries: Tensor, parts: Iterable[Tensor], count: int) -> Nearest:
    """The nearest of samples that come in parts [m, d], to queries [n, d], by the root of the mean squared difference.

    Of equal distances the earlier sample comes first.
    """
    best = torch.full((len(queries), 0), torch.inf, dtype=torch.float64)
    where = torch.full((len(queries), 0), -1)
    first = 0
    for part in parts:
        apart = torch.cdist(queries.double(), part.double(), compute_mode="donot_use_mm_for_euclid_dist")
        numbers = torch.arange(first, first + len(part)).expand(len(queries), -1)
        first += len(part)
        best, where = torch.cat([best, apart], 1), torch.cat([where, numbers], 1)
        order = best.argsort(dim=1, stable=True)[:, :count]
        best, where = best.gather(1, order), where.gather(1, order)
    return Nearest(where, best / queries.shape[1] ** 0.5)
