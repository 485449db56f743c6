"""Statistics of codes, which the engine and components both take."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def code_statistics(codes: Tensor) -> dict[str, float]:
    """What a cloud of vectors [n, d] looks like: its centre, spread and effective rank.

    The effective rank is the exponential of the entropy of the normalised eigenvalues of the covariance (Roy and
    Vetterli 2007): d where all directions are used alike, 1 where the codes lie on a line.
    """
    codes = codes.double()
    centred = codes - codes.mean(0)
    shares = torch.linalg.svdvals(centred).square()
    shares = shares / shares.sum().clamp_min(torch.finfo(torch.float64).tiny)
    entropy = -(shares * shares.clamp_min(torch.finfo(torch.float64).tiny).log()).sum()
    return {
        "mean_norm": codes.mean(0).norm().item(),
        "standard_deviation": centred.square().mean().sqrt().item(),
        "effective_rank": entropy.exp().item(),
    }


@torch.no_grad()
def spectrum(codes: Tensor) -> Tensor:
    """The eigenvalues of the covariance (1/n) of vectors [n, d], the largest first: [d]."""
    centred = codes.double() - codes.double().mean(0)
    eigenvalues: Tensor = torch.linalg.eigvalsh(centred.T @ centred / len(codes))
    return eigenvalues.clamp_min(0).flip(0)
