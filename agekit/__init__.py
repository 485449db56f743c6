"""agekit: experiments with latent-divergence losses."""
