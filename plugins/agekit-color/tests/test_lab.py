"""CIE Lab against published values, against numpy, and where its powers have no slope."""

import numpy as np
import pytest
import torch

from agekit_color.lab import lightness, opponents, to_srgb

# L, a, b of the corners of sRGB under D65, as tables of colour software have them; their last digits vary.
PUBLISHED = {
    (0, 0, 0): (0, 0, 0),
    (1, 1, 1): (100, 0, 0),
    (1, 0, 0): (53.24, 80.09, 67.20),
    (0, 1, 0): (87.73, -86.18, 83.18),
    (0, 0, 1): (32.30, 79.19, -107.86),
    (1, 1, 0): (97.14, -21.55, 94.48),
    (0, 1, 1): (91.11, -48.09, -14.13),
    (1, 0, 1): (60.32, 98.23, -60.82),
}
MATRIX = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lattice(steps=16, dtype=torch.float64):
    """All colours of a regular lattice with its faces, as one picture [1, 3, h, w]."""
    axis = torch.linspace(0, 1, steps, dtype=dtype)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).reshape(1, 3, steps, -1)


def lab(srgb):
    return torch.cat([lightness(srgb), opponents(srgb)], dim=1)


def lab_by_numpy(srgb):
    """[3, k] -> [3, k], by the formulas of the standards, in float64."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    ratio = (MATRIX @ linear) / MATRIX.sum(axis=1, keepdims=True)
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("corner", PUBLISHED)
def test_the_corners_of_srgb_are_where_they_are_published(corner):
    found = lab(torch.tensor(corner, dtype=torch.float64).reshape(1, 3, 1, 1))
    assert found.flatten().tolist() == pytest.approx(PUBLISHED[corner], abs=0.03)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 2e-4)])
def test_lab_is_what_numpy_computes(dtype, tolerance):
    colours = torch.cat([lattice(), torch.rand(1, 3, 16, 256, generator=torch.Generator().manual_seed(0)) ** 3], dim=3)
    wanted = lab_by_numpy(colours.reshape(3, -1).numpy())
    found = lab(colours.to(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found.reshape(3, -1).double().numpy(), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-5)])
def test_there_and_back_is_where_one_was(dtype, tolerance):
    colours = lattice(dtype=dtype)
    torch.testing.assert_close(to_srgb(lightness(colours), opponents(colours)), colours, rtol=0, atol=tolerance)


def test_greys_have_no_colour():
    greys = torch.linspace(0, 1, 256, dtype=torch.float64).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert opponents(greys).abs().max() < 1e-12
    assert (lightness(greys).flatten().diff() > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_everywhere(dtype):
    """At 0 both powers have an infinite slope, and beyond the gamut no value at all."""
    around = torch.tensor([-0.2, 0.0, 1e-30, 0.0031308, 0.04045, 0.5, 1.0, 1.3], dtype=dtype)
    colours = torch.stack(torch.meshgrid(around, around, around, indexing="ij")).reshape(1, 3, 8, -1).requires_grad_()
    (slope,) = torch.autograd.grad(lab(colours).sum(), colours)
    assert slope.isfinite().all()
    assert (slope != 0).any(dim=1).all()
    light = torch.arange(-2, 102, dtype=dtype).reshape(1, 1, 8, 13).requires_grad_()
    for a, b in ((0.0, 0.0), (-110.0, 110.0), (110.0, -110.0)):
        both = torch.tensor([a, b], dtype=dtype).reshape(1, 2, 1, 1).expand(1, 2, 8, 13).clone().requires_grad_()
        for slope in torch.autograd.grad(to_srgb(light, both).sum(), (light, both)):
            assert slope.isfinite().all()


def test_gradients_are_those_of_finite_differences():
    colours = (torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1)).double() * 0.8 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lab, (colours,))
    light, both = lightness(colours).detach().requires_grad_(), opponents(colours).detach().requires_grad_()
    assert torch.autograd.gradcheck(to_srgb, (light, both))
