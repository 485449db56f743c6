"""Cross-entropy: independent numpy values, labels and maps alike, and classes that are to count the same."""

import numpy as np
import pytest
import torch

from agekit.builtin.losses import CrossEntropy
from agekit.errors import RecipeError

from .tiny import game_of

LABEL = 'loss = "cross_entropy", of = "h(x)", to = "label"'
PARSER = f"""
[data]
dataset = "toyfaces"
size    = 16
batch   = 8

[networks]
h = {{ encoder = "small", width = 2, makes = "label" }}

[players.reader]
owns  = ["h"]
terms = {{ label = {{ {LABEL} }} }}

[run]
steps = 2
"""


def cases(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of four classes, and classes of which one is rare and one does not occur."""
    noise = np.random.default_rng(0)
    classes = noise.choice(3, (7, *shape), p=(0.6, 0.3, 0.1))
    classes.reshape(-1)[:3] = 0, 1, 2
    return torch.from_numpy(3 * noise.standard_normal((7, 4, *shape))), torch.from_numpy(classes)


def surprises(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """−log softmax of the right class, element by element: [n, …]."""
    wanted = np.empty(classes.shape)
    for at in np.ndindex(classes.shape):
        of = scores[(at[0], slice(None), *at[1:])]
        wanted[at] = np.log(np.exp(of).sum()) - of[classes[at]]
    return wanted


@pytest.mark.parametrize("shape", [(), (3, 5)])
def test_it_is_the_mean_surprise_of_each_sample(shape):
    scores, classes = cases(*shape)
    expected = surprises(scores.numpy(), classes.numpy()).reshape(7, -1).mean(axis=1)
    np.testing.assert_allclose(CrossEntropy()(scores, classes).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (3, 5)])
def test_balanced_every_class_that_occurs_has_the_same_share_of_the_mean(shape):
    scores, classes = cases(*shape)
    element = surprises(scores.numpy(), classes.numpy())
    expected = np.mean([element[classes.numpy() == kind].mean() for kind in range(3)])
    assert CrossEntropy(balanced=True)(scores, classes).mean().item() == pytest.approx(expected, rel=1e-12)
    assert CrossEntropy()(scores, classes).mean().item() != pytest.approx(expected, rel=1e-2)


def test_scores_without_a_preference_cost_the_logarithm_of_the_number_of_classes():
    classes = cases(2, 2)[1]
    for loss in (CrossEntropy(), CrossEntropy(balanced=True)):
        assert loss(torch.zeros(7, 4, 2, 2), classes).mean().item() == pytest.approx(np.log(4))


def test_a_class_that_is_ruled_out_costs_nothing_where_it_is_not_asked_for():
    scores = torch.tensor([[0.0, 0.0, -torch.inf]], requires_grad=True)
    value = CrossEntropy()(scores, torch.tensor([0]))
    value.sum().backward()
    assert value.item() == pytest.approx(np.log(2))
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_a_network_that_makes_a_field_of_classes_makes_its_scores():
    first = game_of(text=PARSER).step().terms["reader"]["label"]
    assert first.item() == pytest.approx(np.log(6), abs=0.3)
    with pytest.raises(RecipeError, match=r"of is to be scores of label \[6\]"):
        game_of(text=PARSER.replace("h(x)", "x"))
