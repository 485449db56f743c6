"""Agreement and confidence against numpy in float64, their laws, and what they refuse."""

import agekit
import numpy as np
import pytest
import torch

from agekit_semantic.losses import ParseAgreement, ParseConfidence


def noise(*shape, seed=0, scale=2.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def chances(scores):
    e = np.exp(scores.numpy())
    return e / e.sum(axis=1, keepdims=True)


FOUND, WANTED = noise(3, 4, 5, 6), noise(3, 4, 5, 6, seed=1)


def test_agreement_is_the_mean_over_pixels_of_the_divergence_of_classes():
    q, p = chances(FOUND), chances(WANTED)
    crossed = -(p * np.log(q)).sum(axis=1).mean(axis=(1, 2))
    own = -(p * np.log(p)).sum(axis=1).mean(axis=(1, 2))
    np.testing.assert_allclose(ParseAgreement(formula="cross_entropy")(FOUND, WANTED).numpy(), crossed, rtol=1e-12)
    np.testing.assert_allclose(ParseAgreement()(FOUND, WANTED).numpy(), crossed - own, rtol=1e-12)


def test_a_parse_agrees_with_itself_alone():
    for balanced in (False, True):
        loss = ParseAgreement(balanced=balanced)
        np.testing.assert_allclose(loss(WANTED, WANTED + 3.0).numpy(), 0, atol=1e-12)
        assert (loss(FOUND, WANTED) > 0.1).all()


def test_balanced_agreement_gives_every_class_the_same_share():
    """Hard targets: the batch's mean is the mean over the classes that occur of the mean over their pixels."""
    classes = torch.zeros(2, 8, 8, dtype=torch.long)
    classes[0, 0, :3], classes[1, 5:, 2] = 1, 2  # 3 pixels each of 128; class 3 does not occur
    target = 1e3 * torch.nn.functional.one_hot(classes, 4).movedim(-1, 1).double()
    found = noise(2, 4, 8, 8)
    surprise = -np.log(np.take_along_axis(chances(found), classes.numpy()[:, None], axis=1)[:, 0])
    wanted = np.mean([surprise[classes.numpy() == kind].mean() for kind in (0, 1, 2)])
    value = ParseAgreement(balanced=True)(found, target)
    assert value.shape == (2,)
    assert value.mean().item() == pytest.approx(wanted, rel=1e-9)
    assert ParseAgreement()(found, target).mean().item() == pytest.approx(surprise.mean(), rel=1e-9)


def test_balance_moves_no_optimum():
    """Weights belong to pixels: at q = p the gradient is zero at each of them, however rare its classes are."""
    target = noise(2, 4, 3, 3)
    for balanced in (False, True):
        scores = target.clone().requires_grad_()
        (slope,) = torch.autograd.grad(ParseAgreement(balanced=balanced)(scores, target).sum(), scores)
        assert slope.abs().max() < 1e-12


def test_both_formulas_have_one_gradient():
    slopes = []
    for formula in ("kl", "cross_entropy"):
        scores = FOUND.clone().requires_grad_()
        slopes += torch.autograd.grad(ParseAgreement(formula=formula)(scores, WANTED).sum(), scores)
    torch.testing.assert_close(*slopes)


def test_confidence_is_entropy_or_what_the_best_class_lacks():
    q = chances(FOUND)
    entropy = -(q * np.log(q)).sum(axis=1).mean(axis=(1, 2))
    margin = (1 - q.max(axis=1)).mean(axis=(1, 2))
    np.testing.assert_allclose(ParseConfidence()(FOUND).numpy(), entropy, rtol=1e-12)
    np.testing.assert_allclose(ParseConfidence(formula="margin")(FOUND).numpy(), margin, rtol=1e-12)


def test_confidence_runs_from_sure_to_clueless():
    sure = 100 * torch.nn.functional.one_hot(torch.arange(4).repeat(2, 5, 1), 4).movedim(-1, 1).double()
    clueless = torch.zeros(2, 4, 5, 4, dtype=torch.float64)
    for formula, most in (("entropy", np.log(4)), ("margin", 0.75)):
        loss = ParseConfidence(formula=formula)
        np.testing.assert_allclose(loss(sure).numpy(), 0, atol=1e-12)
        np.testing.assert_allclose(loss(clueless).numpy(), most, rtol=1e-12)


def test_samples_are_judged_one_by_one():
    for loss, operands in ((ParseAgreement(), (FOUND, WANTED)), (ParseConfidence(), (FOUND,))):
        value = loss(*operands)
        assert value.shape == (3,)
        torch.testing.assert_close(loss(*(o[1:] for o in operands)), value[1:])


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (
            '{ loss = "parse_agreement", of = "g(e(x))", to = "x" }',
            "of is to be of kind scores of mask, and g.e.x.. is",
        ),
        ('{ loss = "parse_agreement", of = "s(x)", to = "mask" }', "to is to be of kind scores of mask, and mask is"),
        ('{ loss = "parse_agreement", of = "s(x)" }', "the operand 'to' is missing"),
        ('{ loss = "parse_confidence", of = "g(z)" }', "of is to be of kind scores of mask"),
    ],
)
def test_operands_are_parsers_scores(term, message, tmp_path):
    path = tmp_path / "game.toml"
    path.write_text(
        f"""
        data.dataset = "toyfaces"
        latent = {{ reference = "sphere", dim = 4 }}
        run.steps = 1
        [networks]
        g = {{ generator = "small", width = 2 }}
        e = {{ encoder = "small", width = 2 }}
        s = {{ parser = "unet", width = 2 }}
        [players.all]
        owns = ["s", "g", "e"]
        [players.all.terms]
        parse = {{ loss = "cross_entropy", of = "s(x)", to = "mask" }}
        reconstruct = {{ reciprocity = "l1", of = "g(e(x))", to = "x" }}
        asked = {term}
        """,
        encoding="utf-8",
    )
    with pytest.raises(agekit.RecipeError, match=message):
        agekit.load(path)
