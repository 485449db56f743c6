"""The lab's measurements, against figures known before and against arithmetic."""

import math

import numpy as np
import pytest
import torch

from agekit.builtin.divergences import MomentMatching, StandardKL
from agekit.builtin.references import Gaussian
from agekit.errors import PluginError
from agekit.game.randomness import generator
from agekit.lab.candidates import candidate, candidates
from agekit.lab.clouds import departed, null
from agekit.lab.departures import DEPARTURES
from agekit.lab.entry import Entry, Measurement
from agekit.lab.measure import Settings, measure, table

from .laboratory import EXACT, GAUSSIAN, KNOWN, SEEN, SPHERE, cloud, nothing, settings, standard_error


@pytest.mark.parametrize("label", KNOWN)
def test_blindness_is_as_known_before(label, registries):
    chosen = [candidate(label, registries)]
    (entry,) = table(chosen, [cloud(GAUSSIAN, name) for name in SEEN], settings(GAUSSIAN), nothing)
    for name, before in zip(SEEN, KNOWN[label], strict=True):
        error = standard_error(before, entry.measured[name].sd / entry.measured["null"].sd, 60)
        assert entry.power(name) == pytest.approx(before, abs=3 * error), (name, error)
        assert error < 0.4 + 0.1 * before  # or blindness could not be told


def test_the_power_of_mmd_can_be_computed_without_drawing():
    """The kernel is ∫ e^{−u} e^{−u|x − y|²/c} du; h is it less its means, and U's variance is 2 E h²/(n (n − 1))."""
    d = n = 64
    u, mass = np.polynomial.laguerre.laggauss(60)
    scales = np.array((0.1, 0.2, 0.5, 1, 2, 5, 10))
    t = (u[:, None] / (2 * d * scales)).ravel()
    w = np.repeat(mass / len(scales), len(scales))

    def mean(spread, shift=0.0):
        """E k, where x − y has independent coordinates of these variances, each so often as said."""
        logarithm = sum(-count / 2 * np.log1p(2 * t * v) for v, count in spread)
        return w @ np.exp(logarithm - d * t * shift**2 / (1 + 4 * t))

    own = mean([(2, d)])
    both = t[:, None] / (1 + 2 * t[:, None]) + t / (1 + 2 * t)
    squares = w @ (1 + 4 * (t[:, None] + t)) ** (-d / 2) @ w
    across = (w * (1 + 2 * t) ** (-d / 2)) @ (1 + 2 * both) ** (-d / 2) @ (w * (1 + 2 * t) ** (-d / 2))
    sd = math.sqrt(2 / (n * (n - 1)) * (squares - 2 * across + own**2))
    shifted = 2 * own - 2 * mean([(2, d)], 0.2)
    scaled = own + mean([(2 * 0.8**2, d)]) - 2 * mean([(1 + 0.8**2, d)])
    doubled = own + mean([(4, d // 2)]) - 2 * mean([(3, d // 2), (1, d // 2)])
    assert [shifted / sd, scaled / sd, doubled / sd] == pytest.approx(EXACT["mmd"], abs=0.005)


def test_the_bias_is_the_known_one(registries):
    """About 1/n for a fitted diagonal Gaussian, and d/n · (d + 1)/d², 1/n, for two moments."""
    for label, bias in (("kl_gaussian", 1 / 64), ("gaussian_kl", 1 / 64), ("moments", 1 / 64 + 65 / 64**2)):
        (entry,) = table([candidate(label, registries)], [], settings(GAUSSIAN), nothing)
        assert entry.error("null") == pytest.approx(bias, rel=0.1)
        assert entry.power("null") is None


def test_measurements_are_plain_statistics(registries):
    """Against the same numbers computed apart, for a divergence whose gradient is known: D = |mean|²/d."""
    found = measure(candidate("moments:order=1", registries), null(GAUSSIAN), settings(GAUSSIAN, 10, 5), 10)
    clouds = [GAUSSIAN.sample(10, generator=generator(torch.device("cpu"), 0, "lab", 10, r, "codes")) for r in range(5)]
    x = torch.stack(clouds).double().numpy()
    means = x.mean(axis=1)
    values = (means**2).mean(axis=1)
    assert found.mean == pytest.approx(values.mean(), rel=1e-5)
    assert found.sd == pytest.approx(values.std(ddof=1), rel=1e-5)
    per_code = 2 * means / (10 * 64)  # the gradient by each of the ten codes
    assert found.gradient == pytest.approx(math.sqrt(10 * (per_code**2).sum(axis=1).mean()), rel=1e-5)
    layer = np.concatenate([np.einsum("rd,re->rde", per_code, 10 * means), 10 * per_code[:, :, None]], axis=2)
    variance = ((layer - layer.mean(axis=0)) ** 2).sum() / 4
    signal = max(0.0, (layer.mean(axis=0) ** 2).sum() - variance / 5)
    assert found.signal == pytest.approx(math.sqrt(signal / variance), rel=1e-3, abs=1e-6)


def test_the_standard_error_of_a_power_is_its_spread():
    """Over many tables of 24 draws each, of values that are paired, and skewed under the null."""
    numbers = np.random.default_rng(0)
    for power in (0.0, 1.0, 10.0):
        found = []
        for _ in range(1500):
            shared, own = numbers.standard_normal((2, 24))
            null, there = np.exp(0.3 * shared), np.exp(0.3 * shared) + 0.3 * power + 0.1 * own
            measured = {name: Measurement(tuple(v), 0.0, 0.0) for name, v in (("null", null), ("there", there))}
            entry = Entry("it", 64, measured)
            found.append((entry.power("there"), entry.power_standard_error("there")))
        powers, errors = np.array(found).T
        assert errors.mean() == pytest.approx(powers.std(), rel=0.1), power
    assert entry.power_standard_error("null") is None
    assert entry.power_standard_error("elsewhere") is None


def test_what_changes_nothing_has_a_power_of_zero_exactly(registries):
    """All clouds are made of the same draws: a scale, which uniformity does not see, moves it not even by noise."""
    (entry,) = table([candidate("uniformity", registries)], departed(GAUSSIAN), settings(GAUSSIAN, 16, 4), nothing)
    assert entry.power("scale") == pytest.approx(0, abs=1e-4)
    assert entry.power_standard_error("scale") == pytest.approx(0, abs=1e-4)


def test_the_signal_is_that_of_the_law(registries):
    """Far from the reference the gradient hardly depends on the batch; under the null there is none but noise."""
    divergence = candidate("kl_gaussian", registries)
    far = [measure(divergence, cloud(GAUSSIAN, "scale"), settings(GAUSSIAN, n, 20), n).signal for n in (64, 256)]
    assert 1.6 < far[1] / far[0] < 2.6  # as √n, which is 2
    assert measure(candidate("mmd", registries), null(GAUSSIAN), settings(GAUSSIAN, 64, 20), 64).signal < 0.3


def test_a_divergence_without_a_gradient_is_measured_all_the_same(registries):
    (entry,) = table([candidate("detached", registries)], [], settings(GAUSSIAN, 8, 3), nothing)
    assert entry.measured["null"].gradient == 0
    assert math.isnan(entry.measured["null"].signal)


def test_too_small_a_batch_is_an_entry_that_says_why(registries):
    told = []
    chosen = [candidate("gaussian_kl_full", registries)]
    both = Settings(Gaussian(dim=8), (4, 16), 2, 0)
    small, large = table(chosen, departed(both.reference), both, lambda: told.append(1))
    assert small == Entry("gaussian_kl_full", 4, refused=small.refused)
    assert "4 codes span no covariance" in small.refused
    assert small.power("shift") is None
    assert small.error("shift") is None
    assert not large.refused
    assert len(told) == 2 * (len(DEPARTURES) + 1)


@pytest.mark.parametrize(
    ("place", "raised"),
    [
        ("value", "KeyError: 'a mistake'"),
        ("gradient", "RuntimeError: one of the variables needed"),
        ("ideal", "KeyError: 'a mistake'"),
        ("limit", "KeyError: 'a mistake'"),
    ],
)
def test_a_divergence_that_raises_is_named(place, raised, registries):
    chosen = candidate(f"raising:place={place}", registries)
    with pytest.raises(PluginError) as told:
        table([chosen], departed(Gaussian(dim=4)), settings(Gaussian(dim=4), 8, 3), nothing)
    assert str(told.value).startswith(f"divergence raising:place={place}: Raising of tests raised {raised}")


def test_a_limit_that_is_refused_is_not_known(registries):
    chosen = candidate("raising:place=nowhere", registries)
    (entry,) = table([chosen], departed(Gaussian(dim=4)), settings(Gaussian(dim=4), 8, 3), nothing)
    assert entry.known == {"null": 1.0}


def test_draws_depend_on_the_seed_alone(registries):
    chosen = candidates(["sigreg:slices=8", "coral"], registries)
    clouds = departed(Gaussian(dim=4))
    first, again, other = (table(chosen, clouds, settings(Gaussian(dim=4), 12, 4, seed), nothing) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    (alone,) = table(chosen[1:], clouds[:1], settings(Gaussian(dim=4), 12, 4, 1), nothing)
    assert alone.measured["shift"] == first[1].measured["shift"]


def test_known_values_stand_where_a_law_is_known(registries):
    chosen = candidates(["kl_gaussian", "moments:order=4"], registries)
    clouds = departed(GAUSSIAN)
    first, second = table(chosen, clouds, settings(GAUSSIAN, 32, 2), nothing)
    assert first.known.keys() == {"null", *(one.name for one in clouds)}
    assert second.known.keys() == {"null", "shift", "scale", "correlation", "duplicates", "low_rank"}
    law = cloud(GAUSSIAN, "shift").law
    assert law is not None
    assert first.known["shift"] == StandardKL().limit(GAUSSIAN, law) == pytest.approx(0.02)
    assert second.known["shift"] == MomentMatching(order=4).limit(GAUSSIAN, law)
    on_sphere = table(chosen[:1], departed(SPHERE), settings(SPHERE, 32, 2), nothing)[0].known
    assert on_sphere.keys() == {"null", "antipodes"}  # the others are moved by being mapped back
