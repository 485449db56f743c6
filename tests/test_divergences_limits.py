"""What divergences come to on many codes of a known law: against large samples in float64."""

import pytest
import torch

from agekit.builtin import divergences as all_of
from agekit.builtin.references import Gaussian, Sphere
from agekit.contracts import Divergence, Law

DIM, MANY = 3, 1200
GAUSSIAN = Gaussian(dim=DIM)
TURN = torch.tensor([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.5, 1.2]], dtype=torch.float64)
"""A map that correlates coordinates, and scales them."""
MEAN = torch.tensor([0.5, -0.3, 0.2], dtype=torch.float64)
ONE = torch.eye(DIM, dtype=torch.float64)

LAWS = {
    "shifted": Law(MEAN, ONE, normal=True),
    "scaled": Law(0 * MEAN, 0.64 * ONE, normal=True),
    "both": Law(MEAN, 1.69 * ONE, normal=True),
    "correlated": Law(MEAN, TURN @ TURN.T, normal=True),
    "uniform": Law(MEAN, TURN @ TURN.T, normal=False),
}
MOMENTS = ["shifted", "scaled", "both", "correlated", "uniform"]
NORMAL = MOMENTS[:-1]
ISOTROPIC = NORMAL[:-1]

EXACT = 1e-9

KNOWN: dict[str, tuple[Divergence, list[str], float]] = {
    "gaussian_kl": (all_of.GaussianKL(), MOMENTS, EXACT),
    "gaussian_kl, pq": (all_of.GaussianKL(direction="pq"), MOMENTS, EXACT),
    "kl_sphere": (all_of.SphereKL(), MOMENTS, EXACT),
    "kl_gaussian": (all_of.StandardKL(), MOMENTS, EXACT),
    "kl_gaussian, 2018": (all_of.StandardKL(formula="age-2018", direction="pq"), MOMENTS, EXACT),
    "gaussian_kl_full": (all_of.FullGaussianKL(), MOMENTS, EXACT),
    "gaussian_kl_full, shrunk": (all_of.FullGaussianKL(shrinkage=0.3, direction="pq"), MOMENTS, EXACT),
    "frechet": (all_of.Frechet(), MOMENTS, EXACT),
    "frechet, diagonal": (all_of.Frechet(covariance="diagonal"), MOMENTS, EXACT),
    "moments": (all_of.MomentMatching(), MOMENTS, EXACT),
    "moments, 4": (all_of.MomentMatching(order=4), NORMAL, 0.02),
    "mmd": (all_of.MMD(), NORMAL, 0.001),
    "mmd, laplace": (all_of.MMD(kernel="laplace", scales=(0.5, 2.0)), NORMAL, 0.001),
    "mmd, rbf": (all_of.MMD(kernel="rbf", bandwidth="median"), NORMAL, 0.001),
    "mmd, linear": (all_of.MMD(kernel="linear"), MOMENTS, 0.005),
    "mmd, energy": (all_of.MMD(kernel="energy"), NORMAL, 0.003),
    "energy": (all_of.EnergyDistance(exponent=1.3), NORMAL, 0.003),
    "kl_neighbours": (all_of.NeighbourKL(k=5), NORMAL, 0.03),
    "sliced_wasserstein": (all_of.SlicedWasserstein(), ISOTROPIC, 0.01),
    "sigreg": (all_of.SIGReg(), ISOTROPIC, 0.003),
}
"""A divergence, the laws that tell its value, and how far that of 1200 codes may be off, beside a twentieth of it."""


def codes_of(law: Law, draws: torch.Generator) -> torch.Tensor:
    """Normal codes, or, where the law is not, uniform ones, whose own moments are the law's exactly."""
    if law.normal:
        plain = torch.randn(MANY, DIM, generator=draws, dtype=torch.float64)
    else:
        plain = 12**0.5 * (torch.rand(MANY, DIM, generator=draws, dtype=torch.float64) - 0.5)
    own = torch.linalg.cholesky(torch.cov(plain.T, correction=0))
    white = torch.linalg.solve_triangular(own, (plain - plain.mean(dim=0)).T, upper=False)
    codes: torch.Tensor = law.mean + (torch.linalg.cholesky(law.covariance) @ white).T
    return codes


def value_of(divergence: Divergence, codes: torch.Tensor, draws: torch.Generator) -> float:
    if isinstance(divergence, all_of.SlicedWasserstein):
        return divergence(codes, GAUSSIAN.sample(MANY, generator=draws).double(), generator=draws).item()
    if isinstance(divergence, all_of.SIGReg):
        return divergence(codes, generator=draws).item()
    return divergence(*(codes, GAUSSIAN)[: len(divergence.operands)]).item()


@pytest.mark.parametrize("name", KNOWN)
def test_the_limit_is_what_many_codes_come_to(name):
    divergence, laws, tolerance = KNOWN[name]
    for law in LAWS:
        limit = divergence.limit(GAUSSIAN, LAWS[law])
        assert (limit is not None) == (law in laws), law
        if limit is None:
            continue
        values = [value_of(divergence, codes_of(LAWS[law], draws), draws) for draws in map(seeded, range(3))]
        share = 0 if tolerance == EXACT else 0.05
        assert sum(values) / 3 == pytest.approx(limit, abs=tolerance, rel=share), law


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_limits_at_the_reference_are_the_ideals():
    covered = 0
    for reference in (GAUSSIAN, Sphere(dim=DIM)):
        law = Law(0 * MEAN, reference.variance * ONE, normal=reference is GAUSSIAN)
        for divergence, *_ in KNOWN.values():
            limit = divergence.limit(reference, law)
            if limit is not None:
                assert limit == pytest.approx(divergence.ideal(reference), abs=2e-5)
                covered += 1
    assert covered >= 30


def test_what_a_law_does_not_tell_has_no_limit():
    flat = Law(0 * MEAN, torch.diag(torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)), normal=True)
    assert all_of.NeighbourKL().limit(GAUSSIAN, flat) is None
    assert all_of.MMD().limit(Sphere(dim=DIM), LAWS["shifted"]) is None
    assert all_of.SlicedWasserstein(p=1).limit(GAUSSIAN, LAWS["shifted"]) is None
    assert all_of.CramerWold().limit(GAUSSIAN, LAWS["shifted"]) is None
