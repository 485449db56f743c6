"""Areas and overlays: by hand, and what they refuse."""

import agekit
import numpy as np
import pytest
import torch

from agekit_semantic.operators import Areas, Overlay, Parse, palette

IMAGE = agekit.Space("x", (3, 4, 6))
MASK = agekit.Space("mask", (4, 6), ("nothing", "face"))
SCORES = agekit.Space("scores of mask", (2, 4, 6), ("nothing", "face"))


def test_areas_are_the_shares_of_the_classes():
    classes = torch.tensor([[[0, 0, 1], [0, 2, 1]], [[2, 2, 2], [2, 2, 2]]])
    scores = 1e3 * torch.nn.functional.one_hot(classes, 4).movedim(-1, 1).double()
    wanted = torch.tensor([[3, 2, 1, 0], [0, 0, 6, 0]]) / 6
    torch.testing.assert_close(Areas()(scores), wanted.double())
    assert Areas().space(SCORES) == agekit.Space("areas", (2,))


def test_areas_of_what_is_unsure_are_its_probabilities():
    scores = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    chances = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Areas()(scores).numpy(), chances.mean(axis=(2, 3)), rtol=1e-12)


def test_a_parse_is_the_best_class_of_every_pixel():
    scores = torch.tensor([[[[0.0, 3.0]], [[1.0, -1.0]], [[1.0, 2.0]]]])
    assert Parse()(scores).tolist() == [[[1, 0]]]
    assert Parse().space(SCORES) == MASK


def test_an_overlay_is_half_the_picture_and_half_its_classes():
    picture = torch.full((1, 3, 4, 6), 0.5)
    mask = torch.zeros(1, 4, 6, dtype=torch.long)
    mask[0, 0, 0], mask[0, 3, 5] = 1, 2
    shown = Overlay()(picture, mask)
    assert shown.shape == picture.shape
    torch.testing.assert_close(shown[0, :, 1, 1], torch.tensor([0.5, 0.5, 0.5]))
    torch.testing.assert_close(shown[0, :, 0, 0], 0.25 + 0.5 * (torch.tensor([128, 0, 0]) / 127.5 - 1))
    torch.testing.assert_close(shown[0, :, 3, 5], 0.25 + 0.5 * (torch.tensor([0, 128, 0]) / 127.5 - 1))
    scores = torch.nn.functional.one_hot(mask, 3).movedim(-1, 1).float()
    assert torch.equal(Overlay()(picture, scores), shown)
    assert Overlay().space(IMAGE, SCORES) == Overlay().space(IMAGE, MASK) == IMAGE


def test_colours_are_those_of_the_devkit():
    known = {
        0: (0, 0, 0), 1: (128, 0, 0), 7: (128, 128, 128), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128),
        255: (224, 224, 192),
    }  # fmt: skip
    assert {number: palette()[number] for number in known} == known
    assert len(set(palette())) == 256


@pytest.mark.parametrize("operands", [(IMAGE,), (MASK,), (SCORES, SCORES), ()], ids=str)
@pytest.mark.parametrize(("operator", "name"), [(Areas(), "areas"), (Parse(), "parse")])
def test_areas_and_parses_are_of_scores(operator, name, operands):
    with pytest.raises(ValueError, match=rf"{name} takes a parser's scores, as in {name}\(s\(x\)\); found"):
        operator.space(*operands)


@pytest.mark.parametrize(
    "operands",
    [(IMAGE,), (SCORES, IMAGE), (IMAGE, IMAGE), (IMAGE, agekit.Space("mask", (4, 4), ("a", "b"))),
     (IMAGE, agekit.Space("scores of mask", (2, 8, 6), ("a", "b"))), (agekit.Space("grey", (1, 4, 6)), MASK)],
    ids=str,
)  # fmt: skip
def test_overlays_are_of_a_picture_and_its_parse(operands):
    with pytest.raises(ValueError, match="overlay takes a colour picture and a parse map of its size"):
        Overlay().space(*operands)
