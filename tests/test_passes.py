"""Passes: which terms are led back before others are computed, and that their memory is free by then."""

import pytest
import torch

from agekit.game.passes import passes
from tests.fakes import AGE, plans

from .tiny import game_of


def strands(text=AGE, player="encoder", *, divides=False):
    """The terms of each strand, and the nodes that are computed for them."""
    plan = plans(text)[player]
    return [
        ([planned.term.name for planned in strand.terms], [plan.nodes[index].text for index in sorted(strand.nodes)])
        for strand in passes(plan, divides=divides).strands
    ]


def test_terms_hang_together_by_the_graphs_that_they_share():
    assert strands() == [
        (["fake"], ["x", "e(x)", "z", "g(z)", "e(g(z))"]),
        (["real", "reconstruct"], ["g(e(x))"]),
    ]
    assert strands(player="generator") == [(["fake", "recover"], ["z", "g(z)", "e(g(z))"])]


def test_what_joins_two_strands_makes_them_one():
    both = AGE.replace('of = "g(e(x))", to = "x"', 'of = "e(x)", to = "e(g(z))"')
    assert strands(both) == [(["real", "fake", "reconstruct"], ["x", "e(x)", "z", "g(z)", "e(g(z))"])]


def test_terms_without_a_graph_are_taken_by_themselves():
    still = AGE.replace('of = "g(e(x))", to = "x"', 'of = "g(z)", to = "x"')
    assert strands(still)[-1] == (["fake"], ["e(g(z))"])
    assert [names for names, _ in strands(still)] == [["real"], ["reconstruct"], ["fake"]]


def test_a_batch_in_portions_whose_terms_are_of_all_of_it_is_one_strand():
    assert [names for names, _ in strands(divides=True)] == [["reconstruct"]]


def test_a_strand_is_led_back_and_its_graph_free_when_the_next_is_computed():
    game = game_of()
    seat = next(seat for seat in game.seats if seat.player.name == "encoder")
    texts = [node.text for node in seat.plan.nodes]
    computed = []

    def back(flow, text):
        torch.autograd.grad(flow.values[texts.index(text)].sum(), seat.parameters, retain_graph=True, allow_unused=True)

    def seen(_, flow):
        computed.append([text for text, value in zip(texts, flow.values, strict=True) if value is not None])
        back(flow, "e(x)")
        if len(computed) == 1:
            back(flow, "e(g(z))")
        else:
            with pytest.raises(RuntimeError, match="a second time"):
                back(flow, "e(g(z))")

    game.gradients(seat, 0, {"real": 1.0, "fake": -1.0, "reconstruct": 5.0}, seen)
    assert [len(texts) for texts in computed] == [5, 6]
