"""Critics and encoders: their layers counted by hand, what they make, and what they refuse."""

import agekit
import pytest
import torch
from torch import nn
from torch.distributions import Independent
from torch.nn.utils.parametrize import is_parametrized

from agekit_baselines.critics import CodesCritic, DCGANCritic, JointCritic
from agekit_baselines.encoders import GaussianEncoder, VMFEncoder
from agekit_baselines.vmf import VonMisesFisher

SCORE = agekit.Space("score", ())


def image(side, channels=3, kind="x"):
    return agekit.Space(kind, (channels, side, side))


def code(dim=7):
    return agekit.Space("z", (dim,))


def convolutions(network):
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]


def dense(network):
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


def test_the_critic_is_the_encoder_with_one_output():
    channels = {
        side: [layer.out_channels for layer in convolutions(DCGANCritic().build((image(side),), SCORE))]
        for side in (8, 16, 32, 64, 128)
    }
    assert channels == {
        8: [64, 1],
        16: [64, 128, 1],
        32: [64, 128, 256, 1],
        64: [64, 128, 256, 512, 1],
        128: [64, 128, 256, 512, 512, 1],
    }


def test_parameters_are_all_there():
    critic = DCGANCritic().build((image(64),), SCORE)
    norms = 2 * (128 + 256 + 512)
    wanted = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) + 1 + norms
    assert sum(p.numel() for p in critic.parameters()) == wanted


@pytest.mark.parametrize(("normalisation", "norms"), [("batch", 2), ("none", 0)])
def test_biases_stand_where_batch_norm_does_not(normalisation, norms):
    critic = DCGANCritic(width=4, normalisation=normalisation).build((image(32),), SCORE)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in critic.modules()) == norms
    biased = [layer.bias is not None for layer in convolutions(critic)]
    assert biased == [normalisation == "none"] * 3 + [True]


@pytest.mark.parametrize("side", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("spectral", [False, True])
def test_a_score_is_one_number_a_sample(side, spectral):
    codes = torch.randn(2, 7)
    images = torch.randn(2, 3, side, side)
    options = {"width": 4, "spectral": spectral}
    assert DCGANCritic(**options).build((image(side),), SCORE)(images).shape == (2,)
    assert JointCritic(**options).build((image(side), code()), SCORE)(images, codes).shape == (2,)
    assert JointCritic(**options).build((code(), image(side)), SCORE)(codes, images).shape == (2,)
    assert CodesCritic(**options).build((code(),), SCORE)(codes).shape == (2,)


def test_spectral_normalisation_bounds_every_layer():
    torch.manual_seed(0)
    for critic in (
        DCGANCritic(width=4, spectral=True).build((image(32),), SCORE),
        JointCritic(width=4, spectral=True).build((image(32), code()), SCORE),
        CodesCritic(width=16, spectral=True).build((code(),), SCORE),
    ):
        layers = [*convolutions(critic), *dense(critic)]
        assert len(layers) >= 4
        for layer in layers:
            assert is_parametrized(layer, "weight")
            largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
            assert largest.item() == pytest.approx(1, abs=0.1)


def test_the_joint_critic_looks_at_both():
    torch.manual_seed(0)
    critic = JointCritic(width=4).build((image(16), code()), SCORE).eval()
    images, codes = torch.randn(3, 3, 16, 16, requires_grad=True), torch.randn(3, 7, requires_grad=True)
    for slope in torch.autograd.grad(critic(images, codes).sum(), (images, codes)):
        assert (slope.flatten(1).norm(dim=1) > 0).all()


def test_the_critic_of_codes_has_the_layers_that_are_asked():
    critic = CodesCritic(width=11, depth=3).build((code(), code(2)), SCORE)
    assert [(layer.in_features, layer.out_features) for layer in dense(critic)] == [
        (9, 11),
        (11, 11),
        (11, 11),
        (11, 1),
    ]


@pytest.mark.parametrize(("dtype", "wide"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_encoders_make_distributions_in_full_precision(dtype, wide):
    torch.manual_seed(0)
    images = torch.randn(4, 3, 16, 16, dtype=dtype)
    gaussian = GaussianEncoder(width=4).build((image(16),), code()).to(dtype)(images)
    vmf = VMFEncoder(width=4).build((image(16),), code()).to(dtype)(images)
    assert isinstance(gaussian, Independent)
    assert isinstance(vmf, VonMisesFisher)
    for law in (gaussian, vmf):
        assert (law.batch_shape, law.event_shape) == ((4,), (7,))
        assert law.rsample().shape == (4, 7)
        assert law.rsample().dtype == wide
    assert (vmf.concentration > 1).all()
    torch.testing.assert_close(vmf.loc.norm(dim=1), torch.ones(4, dtype=wide))


@pytest.mark.parametrize("encoder", [GaussianEncoder(width=4), VMFEncoder(width=4)], ids=repr)
def test_draws_carry_gradients_to_every_weight(encoder):
    torch.manual_seed(0)
    network = encoder.build((image(16),), code())
    (network(torch.randn(4, 3, 16, 16)).rsample() ** 3).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("sees", [(image(28),), (image(4),), (image(16), image(32)), (code(),), (SCORE,)], ids=str)
def test_images_of_other_shapes_are_refused(sees):
    for component in (DCGANCritic(), GaussianEncoder(), VMFEncoder()):
        with pytest.raises(ValueError, match="a side of 8, 16, 32, … pixels, found"):
            component.build(sees, code())


def test_what_has_no_place_is_refused():
    for sees in ((image(16),), (code(),)):
        with pytest.raises(ValueError, match="joint looks at images and at vectors"):
            JointCritic().build(sees, SCORE)
    with pytest.raises(ValueError, match=r"takes vectors \[d\] there, found x"):
        CodesCritic().build((image(16),), SCORE)
    with pytest.raises(ValueError, match="codes of 3 and more numbers"):
        VMFEncoder().build((image(16),), code(2))
