"""agekit-baselines: the neighbours of AGE. Critics, adversarial losses, stochastic encoders, and their recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import agekit


@agekit.hookimpl
def agekit_register(registries: Any) -> None:
    """Put the components on their shelves."""
    _networks(registries)
    _losses(registries)


@agekit.hookimpl
def agekit_recipes() -> Path:
    """Name the folder of the recipes."""
    return Path(__file__).parent / "recipes"


def _networks(registries: Any) -> None:
    from . import critics, encoders

    registries.critics.add("dcgan", critics.DCGANCritic)
    registries.critics.add("joint", critics.JointCritic)
    registries.critics.add("codes", critics.CodesCritic)
    registries.encoders.add("gaussian", encoders.GaussianEncoder)
    registries.encoders.add("vmf", encoders.VMFEncoder)


def _losses(registries: Any) -> None:
    from . import adversarial, bounds, penalties

    registries.adversarial.add("non_saturating", adversarial.NonSaturating)
    registries.adversarial.add("saturating", adversarial.Saturating)
    registries.adversarial.add("hinge", adversarial.Hinge)
    registries.adversarial.add("least_squares", adversarial.LeastSquares)
    registries.adversarial.add("wasserstein", adversarial.Wasserstein)
    registries.losses.add("gradient_penalty", penalties.GradientPenalty)
    registries.losses.add("r1", penalties.R1)
    registries.losses.add("kl_prior", bounds.KLPrior)
    registries.losses.add("kl_margin", bounds.KLMargin)
    registries.losses.add("exp_elbo", bounds.ExpELBO)
