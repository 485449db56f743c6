"""The Inception Score, of Inception's outputs or of any classifier's."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import agekit
import torch
from agekit import DataError
from torch import Tensor

from .inception import FEATURES
from .weights import Published

OUTPUTS = Published(
    what="the classifier of the Inception network of 2015",
    file="pt_inception-2015-12-05-6726825d.pth",
    sha256="6726825d",
    by="pytorch-fid",
)
WEIGHT, COUNT = "fc.weight", 1008


class InceptionScore(agekit.Metric):
    """How sure a classifier is of each sample, and how evenly its classes are met over all.

    IS = exp( E KL(p(c|x) ‖ p(c)) ),   p(c) = E p(c|x),   from 1 to the number of classes

    With `logits = "own"` the operand holds the class scores of any classifier, as in `of = "f(g(z))"`. With `logits =
    "inception"` it holds the features of `inception(g(z))`, and their 1008 outputs are computed as the authors' code
    does it: without the bias. These weights are not in the package of the features; pytorch-fid publishes them.

    `score` is the mean over equal parts, in the samples' order, `deviation` their standard deviation. The score grows
    with the size of a part: published ones have 10 parts of 5,000.

    Source: Salimans et al. 2016, section 4.
    Shapes: vectors [n, classes] or [n, 2048] -> rows [n, classes], log-probabilities.
    """

    operands = {"of": agekit.Operand(vectors=True)}
    logits: Literal["own", "inception"] = agekit.option(
        help="whose class scores: those that the operand holds, or Inception's, of its features"
    )
    splits: int = agekit.option(1, help="parts whose scores are averaged", ge=1, unit="parts")

    def provenance(self) -> Mapping[str, str]:
        network = {"network": "outputs of the Inception of 2015, without bias", "sha256": OUTPUTS.sha256}
        return network if self.logits == "inception" else {}

    def rows(self, vectors: Tensor) -> Tensor:
        scores = vectors if self.logits == "own" else self._outputs(vectors)
        return scores.double().log_softmax(1)

    def values(self, rows: Tensor, spaces: Mapping[str, agekit.Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        if len(rows) < self.splits:
            raise ValueError(f"{len(rows)} samples make no {self.splits} parts")
        scores = torch.stack([score(part) for part in rows.tensor_split(self.splits)])
        return {"score": scores.mean().item(), "deviation": scores.std(correction=0).item()}

    def _outputs(self, features: Tensor) -> Tensor:
        if features.shape[1:] != (FEATURES,):
            raise ValueError(f"features of inception are {FEATURES} numbers, found {[*features.shape[1:]]}")
        return features.double() @ outputs().to(features.device).T


def score(logs: Tensor) -> Tensor:
    """The score of log-probabilities [n, classes]."""
    chances, mean = logs.exp(), logs.logsumexp(0) - math.log(len(logs))
    return torch.where(chances == 0, 0, chances * (logs - mean)).sum(1).mean().exp()


@lru_cache(maxsize=1)
def outputs() -> Tensor:
    """The weights of the 1008 outputs, [1008, 2048], in float64. Raises `MissingData` or `DataError` without them.

    The file is a pickle: once its hash is right it is read by torch's reader, which admits tensors alone.
    """
    weights = torch.load(io.BytesIO(OUTPUTS.read()), weights_only=True).get(WEIGHT)
    if weights is None or weights.shape != (COUNT, FEATURES):
        raise DataError(f"{OUTPUTS.file} has no {WEIGHT} [{COUNT}, {FEATURES}]")
    return weights.double()  # type: ignore[no-any-return]
