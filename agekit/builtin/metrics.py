"""Metrics: numbers of all samples together, taken as training goes on and at its end."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from agekit.contracts import Metric, Operand, Space
from agekit.statistics import code_statistics, spectrum

from .operators import REC_709
from .precision import full_precision
from .reciprocities import flattened

WINDOW = 11
"""The side of the window of SSIM, in pixels."""


class IoU(Metric):
    """Agreement of class scores with classes: intersection over union of each class, their mean, and pixel accuracy.

    IoU_c = |P_c ∩ T_c| / |P_c ∪ T_c|, where P_c are the elements (pixels of all samples) whose score for class c is the
    highest, the first of equals, and T_c those of class c in truth. `mean_iou` is the mean over the classes that occur
    in either; another has no IoU, and is left out. `pixel_accuracy` is the share of elements that are right.

    Source: Everingham et al. 2010, section 4.2. The counts are exact integers.
    Shapes: scores [n, c, …] and classes [n, …] -> rows [n, c, c], by true class and by found class. Raises ValueError
    where the shapes do not belong together.
    """

    operands = {"of": Operand(scores="to"), "to": Operand()}

    def rows(self, scores: Tensor, classes: Tensor) -> Tensor:
        count = scores.shape[1]
        if scores.shape[2:] != classes.shape[1:] or len(scores) != len(classes):
            raise ValueError(f"scores {[*scores.shape]} do not belong to classes {[*classes.shape]}")
        samples = torch.arange(len(scores), device=scores.device).reshape(-1, *[1] * (classes.ndim - 1))
        cells = (samples * count + classes) * count + scores.argmax(1)
        return cells.flatten().bincount(minlength=len(scores) * count * count).reshape(-1, count, count)

    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:
        counts = rows.sum(0).double()
        right = counts.diagonal()
        union = counts.sum(0) + counts.sum(1) - right
        occurring = {
            name: (right[index] / union[index]).item()
            for index, name in enumerate(spaces["to"].classes)
            if union[index] > 0
        }
        mean = sum(occurring.values()) / len(occurring)
        return {"mean_iou": mean, "pixel_accuracy": (right.sum() / counts.sum()).item(), **occurring}


class PSNR(Metric):
    """Peak signal-to-noise ratio of each image to its target in decibels, mean over images.

    PSNR = 10 log₁₀(2² / MSE), since values range over [−1, 1], with MSE the mean squared error of all elements of an
    image; infinite where an image equals its target.

    Source: Huynh-Thu and Ghanbari 2008, with the peak of this range.
    Shapes: images [n, …] and targets [n, …] -> rows [n], each an MSE. Raises ValueError where the shapes differ.
    """

    operands = {"of": Operand(), "to": Operand(like="of")}

    @full_precision
    def rows(self, images: Tensor, targets: Tensor) -> Tensor:
        images, targets = flattened(images, targets)
        return (images - targets).square().mean(1)

    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        return {"psnr": (10 * (4 / rows.double()).log10()).mean().item()}


class SSIM(Metric):
    """Structural similarity of each image to its target, mean over images: 1 where they are equal.

    SSIM(p, q) = (2 m_p m_q + C₁)(2 s_pq + C₂) / ((m_p² + m_q² + C₁)(s_p² + s_q² + C₂)), with means m, variances s² and
    covariance s_pq under a Gaussian window of 11×11 pixels (σ = 1.5) about every pixel that has it whole, C₁ = (0.01
    L)², C₂ = (0.03 L)² and L = 2, since values range over [−1, 1]; the mean over pixels and channels.

    Source: Wang et al. 2004, equation 13, with the constants of section III C.
    Shapes: images [n, c, h, w] twice, 11×11 at least -> rows [n]. Raises ValueError for anything else.
    """

    operands = {"of": Operand(), "to": Operand(like="of")}

    @full_precision
    def rows(self, images: Tensor, targets: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape != targets.shape or min(images.shape[2:]) < WINDOW:
            found = f"{[*images.shape]} and {[*targets.shape]}"
            raise ValueError(f"two batches of images of one shape, {WINDOW}×{WINDOW} at least, fit; found {found}")
        p, q = images.double(), targets.double()
        mean_p, mean_q, pp, qq, pq = (smoothed(one) for one in (p, q, p * p, q * q, p * q))
        near, alike = (0.01 * 2) ** 2, (0.03 * 2) ** 2
        above = (2 * mean_p * mean_q + near) * (2 * (pq - mean_p * mean_q) + alike)
        below = (mean_p**2 + mean_q**2 + near) * (pp - mean_p**2 + qq - mean_q**2 + alike)
        return (above / below).mean((1, 2, 3)).to(images.dtype)

    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        return {"ssim": rows.double().mean().item()}


class Sharpness(Metric):
    """How sharp images are beside others: the ratio of their mean gradient magnitudes. 1 is as sharp as the others.

    ratio = E|∇Y(of)| / E|∇Y(to)|, with E the mean over images and pixels, Y the luma 0.2126 R + 0.7152 G + 0.0722 B (a
    grey image is its own), and |∇Y| = √((Y[i, j+1] − Y[i, j])² + (Y[i+1, j] − Y[i, j])²) in every pixel that has
    both neighbours. Blur lowers it, and noise raises it: it says nothing of what is sharp, as `edges` does.

    Source: forward differences; luma of ITU-R BT.709, item 3.2.
    Shapes: images [n, 1 or 3, h, w] twice -> rows [n, 2], the mean of each. Raises ValueError for anything else.
    """

    operands = {"of": Operand(), "to": Operand(like="of")}

    def rows(self, images: Tensor, others: Tensor) -> Tensor:
        return torch.stack([mean_gradient(images), mean_gradient(others)], dim=1)

    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        of, to = rows.double().mean(0)
        return {"ratio": (of / to).item(), "of": of.item(), "to": to.item()}


class Edges(Metric):
    """How much of the edges of its target an image keeps: the slope of the regression of its gradients on the target's.

    kept = Σ ∇Y(of)·∇Y(to) / Σ |∇Y(to)|², over all images and pixels, with Y and ∇ as in `sharpness`: 1 where each edge
    is in its place and as strong as it was, 0 where none is left. Blur lowers it; noise does not move it.

    Source: least squares through the origin.
    Shapes: images [n, 1 or 3, h, w] twice -> rows [n, 2], the two sums of each. Raises ValueError for anything else.
    """

    operands = {"of": Operand(), "to": Operand(like="of")}

    @full_precision
    def rows(self, images: Tensor, targets: Tensor) -> Tensor:
        ours, theirs = gradients(images), gradients(targets)
        return torch.stack([(ours * theirs).sum((1, 2, 3)), theirs.square().sum((1, 2, 3))], dim=1)

    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        both, target = rows.double().sum(0)
        return {"kept": (both / target).item()}


class Spread(Metric):
    """How vectors are spread: the norm of their mean, their standard deviation, their effective rank.

    The standard deviation is the root of the mean square of all centred entries. The effective rank is exp(−Σ_i p_i log
    p_i) with p_i = λ_i / Σ_j λ_j of the eigenvalues λ of the covariance: d where all directions are used alike, 1 where
    the vectors lie on a line.

    Source: Roy and Vetterli 2007, for the effective rank. Shapes: vectors [n, d] -> rows [n, d], as they are.
    """

    operands = {"of": Operand(vectors=True)}

    def rows(self, vectors: Tensor) -> Tensor:
        return vectors

    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        return code_statistics(rows)


class Spectrum(Metric):
    """Where vectors vary: the eigenvalues λ of their covariance, the variance of each coordinate, and the dead ones.

    `effective_rank` is that of `spread`; `participation` is (Σλ)² / Σλ², also d where all are equal and 1 where one is
    left; `share_of_first` is λ₁ / Σλ. A coordinate is `dead` whose variance is below 1/100 of the mean of all.
    `eigenvalue_1` (the largest) and so on, and `variance_1` and so on, in the order of coordinates, are the spectra.

    Source: Roy and Vetterli 2007 (effective rank); the covariance is that of the sample, 1/n.
    Shapes: vectors [n, d] -> rows [n, d], as they are.
    """

    operands = {"of": Operand(vectors=True)}

    def rows(self, vectors: Tensor) -> Tensor:
        return vectors

    def values(self, rows: Tensor, spaces: Mapping[str, Space]) -> Mapping[str, float]:  # noqa: ARG002 - contract
        eigenvalues, variances = spectrum(rows), rows.double().var(0, correction=0)
        total = eigenvalues.sum()
        return {
            "effective_rank": code_statistics(rows)["effective_rank"],
            "participation": (total.square() / eigenvalues.square().sum()).item(),
            "share_of_first": (eigenvalues[0] / total).item(),
            "dead": float((variances < variances.mean() / 100).sum()),
            **{f"eigenvalue_{at}": value for at, value in enumerate(eigenvalues.tolist(), start=1)},
            **{f"variance_{at}": value for at, value in enumerate(variances.tolist(), start=1)},
        }


def smoothed(images: Tensor) -> Tensor:
    """Local means under the Gaussian window, where it fits: [n, c, h, w] -> [n, c, h − 10, w − 10]."""
    at = torch.arange(WINDOW, dtype=images.dtype, device=images.device) - WINDOW // 2
    weights = (-at.square() / (2 * 1.5**2)).exp()
    weights = (weights / weights.sum()).expand(images.shape[1], 1, -1)
    rows = torch.nn.functional.conv2d(images, weights[:, :, :, None], groups=images.shape[1])
    return torch.nn.functional.conv2d(rows, weights[:, :, None, :], groups=images.shape[1])


@full_precision
def mean_gradient(images: Tensor) -> Tensor:
    """The mean magnitude of each image's luma gradient: [n, 1 or 3, h, w] -> [n]. Raises ValueError for others."""
    magnitude: Tensor = torch.linalg.vector_norm(gradients(images), dim=1)
    return magnitude.mean((1, 2))


def gradients(images: Tensor) -> Tensor:
    """The luma gradient, to the right and downwards: [n, 1 or 3, h, w] -> [n, 2, h − 1, w − 1]. Raises ValueError."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or min(images.shape[2:]) < 2:
        raise ValueError(f"gradients are those of images of 1 or 3 channels, 2×2 at least; found {[*images.shape]}")
    weights = torch.tensor(REC_709 if images.shape[1] == 3 else (1.0,), dtype=images.dtype, device=images.device)
    luma = torch.einsum("nchw,c->nhw", images, weights)
    return torch.stack([luma.diff(dim=2)[:, :-1], luma.diff(dim=1)[:, :, :-1]], dim=1)
