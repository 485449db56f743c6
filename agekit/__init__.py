"""agekit: experiments with latent-divergence losses."""

__version__ = "0.1.0"
