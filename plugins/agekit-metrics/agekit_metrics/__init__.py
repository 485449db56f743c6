"""agekit-metrics: FID, KID, LPIPS and the Inception Score, by the networks that define them."""

from __future__ import annotations

from typing import Any

import agekit


@agekit.hookimpl
def agekit_register(registries: Any) -> None:
    """Put the components on their shelves."""
    from . import distances, extractor, lpips, score

    registries.operators.add("inception", extractor.Inception)
    registries.metrics.add("fid", distances.FID)
    registries.metrics.add("kid", distances.KID)
    registries.metrics.add("inception_score", score.InceptionScore)
    registries.metrics.add("lpips", lpips.LPIPS)
