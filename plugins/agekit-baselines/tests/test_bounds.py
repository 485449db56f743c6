"""KL to the reference against torch and numpy, the margin and the exponential by hand, and what is refused."""

import agekit
import numpy as np
import pytest
import torch
from torch.distributions import Independent, Laplace, Normal, kl_divergence

from agekit_baselines.bounds import ExpELBO, KLMargin, KLPrior
from agekit_baselines.vmf import VonMisesFisher


class Known(agekit.Reference):
    """A reference of which nothing but its law matters."""

    def sample(self, n, *, generator):
        raise NotImplementedError

    def project(self, codes):
        raise NotImplementedError

    def between(self, a, b, t):
        raise NotImplementedError

    @property
    def variance(self):
        raise NotImplementedError


class StandardNormal(Known):
    law = "standard normal"


class Sphere(Known):
    law = "uniform on the sphere"


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gaussian(n=5, dim=7):
    return Independent(Normal(noise(n, dim), (noise(n, dim, seed=1) / 2).exp()), 1)


def vmf(n=5, dim=7):
    return VonMisesFisher(torch.nn.functional.normalize(noise(n, dim)), 10 * noise(n, seed=1).abs())


def test_gaussians_have_torchs_kl():
    zero = torch.zeros(5, 7, dtype=torch.float64)
    wanted = kl_divergence(gaussian(), Independent(Normal(zero, zero + 1), 1))
    value = KLPrior()(gaussian(), StandardNormal(dim=7))
    assert value.shape == (5,)
    np.testing.assert_allclose(value.numpy(), wanted.numpy(), rtol=1e-12)


def test_the_reference_itself_costs_nothing():
    zero = torch.zeros(3, 4, dtype=torch.float64)
    assert KLPrior()(Independent(Normal(zero, zero + 1), 1), StandardNormal(dim=4)).eq(0).all()
    uniform = VonMisesFisher(torch.eye(4, dtype=torch.float64)[:3], zero[:, 0])
    np.testing.assert_allclose(KLPrior()(uniform, Sphere(dim=4)).numpy(), 0, atol=1e-10)


def test_von_mises_fisher_has_the_kl_of_its_density():
    """KL = −entropy − E[log of the uniform density], by Monte Carlo over its own draws."""
    torch.manual_seed(0)
    law = vmf()
    draws = law.sample((4000,))
    log_area = -VonMisesFisher(law.loc, torch.zeros(5, dtype=torch.float64)).log_prob(law.loc)
    wanted = (law.log_prob(draws) + log_area).mean(0)
    np.testing.assert_allclose(KLPrior()(law, Sphere(dim=7)).numpy(), wanted.numpy(), atol=0.1)


@pytest.mark.parametrize(("posterior", "reference"), [(gaussian(), StandardNormal(dim=7)), (vmf(), Sphere(dim=7))])
def test_the_margin_is_what_the_kl_falls_short_of_it(posterior, reference):
    nats = KLPrior()(posterior, reference).numpy()
    margin = float(np.median(nats))
    value = KLMargin(margin=margin)(posterior, reference).numpy()
    np.testing.assert_allclose(value, np.maximum(0, margin - nats), atol=1e-12)
    assert (value == 0).sum() == 3


@pytest.mark.parametrize(("alpha", "beta_rec", "beta_neg"), [(2.0, 1.0, 1.0), (2.0, 0.5, 3.0), (1.0, 1.0, 0.0)])
def test_the_exponential_of_the_bound_is_the_papers(alpha, beta_rec, beta_neg):
    output, target = noise(5, 3, 2, 2), noise(5, 3, 2, 2, seed=1)
    nats = KLPrior()(gaussian(), StandardNormal(dim=7)).numpy()
    squared = ((output - target).numpy().reshape(5, -1) ** 2).sum(axis=1)
    wanted = np.exp(-alpha * (beta_rec * squared + beta_neg * nats) / 12) / alpha
    loss = ExpELBO(alpha=alpha, beta_rec=beta_rec, beta_neg=beta_neg)
    value = loss(gaussian(), output, target, StandardNormal(dim=7))
    np.testing.assert_allclose(value.numpy(), wanted, rtol=1e-12)


def test_the_encoder_learns_to_make_imitations_improbable():
    mean = noise(5, 7).requires_grad_()
    posterior = Independent(Normal(mean, torch.ones_like(mean)), 1)
    picture = noise(5, 12)
    value = ExpELBO()(posterior, picture, picture, StandardNormal(dim=7))
    (slope,) = torch.autograd.grad(value.sum(), mean)
    assert (slope * mean < 0).all()  # a step against the gradient takes the means away from 0: the KL rises


@pytest.mark.parametrize(
    ("posterior", "reference", "found"),
    [
        (gaussian(), Sphere(dim=7), "Independent to the reference, uniform on the sphere"),
        (vmf(), StandardNormal(dim=7), "VonMisesFisher to the reference, standard normal"),
        (gaussian(), Known(dim=7), "to the reference, Known"),
        (Independent(Laplace(noise(5, 7), noise(5, 7).exp()), 1), StandardNormal(dim=7), "Independent to the"),
        (noise(5, 7), StandardNormal(dim=7), "codes without a distribution"),
    ],
)
@pytest.mark.parametrize("loss", [KLPrior(), KLMargin(margin=1.0)], ids=repr)
def test_pairs_without_a_closed_form_are_refused(loss, posterior, reference, found):
    with pytest.raises(ValueError, match=f"no KL .*{found}.*`gaussian` with the reference `gaussian` fits"):
        loss(posterior, reference)
