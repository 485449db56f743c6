"""Passes: which terms are led back before others are computed, and that their memory is free by then."""

import pytest
import torch

from agekit.game.passes import Strand, passes
from agekit.game.plan import needed
from tests.fakes import AGE, plans

from .tiny import TINY, game_of, gradients_of


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


NESTED = TINY.replace(
    'fake    = { divergence = "kl_sphere", of = "e(g(z))" }\n'
    'recover = { reciprocity = "cosine", of = "e(g(z))", to = "z", weight = 4 }',
    'far  = { reciprocity = "l2", of = "g(mix(e(x), e(mix(x, x))))", to = "x", weight = 3 }\n'
    'near = { divergence = "kl_sphere", of = "e(mix(x, x))" }\n'
    'made = { divergence = "kl_sphere", of = "e(g(z))", weight = 2 }',
)


def test_calls_are_made_in_the_order_of_the_plan_whatever_the_terms_share():
    game = game_of(text=NESTED)
    for seat in game.seats:
        nodes = [index for strand in passes(seat.plan, divides=False).strands for index in sorted(strand.nodes)]
        assert nodes == list(range(len(seat.plan.nodes)))


@pytest.mark.parametrize("player", ["encoder", "generator"])
def test_the_gradients_are_those_of_the_sum_led_back_at_once(player, monkeypatch):
    settings = ("compute.precision=fp64", "networks.e.spectral_norm=true")
    weights = {"real": 1.0, "fake": -1.0, "reconstruct": 5.0, "far": 3.0, "near": 1.0, "made": 2.0}

    def played():
        game = game_of(*settings, text=NESTED)
        found, terms = gradients_of(game, player, weights=weights)
        return found, terms, dict(game.named_tensors())

    found, terms, after = played()
    monkeypatch.setattr("agekit.game.passes._strands", at_once)
    wanted, same, as_after = played()
    assert all(torch.equal(terms[name], value) for name, value in same.items())
    assert all(torch.equal(after[name], tensor) for name, tensor in as_after.items())
    assert any(one is not None for one in found.values())
    for name, gradient in wanted.items():
        assert (gradient is None) == (found[name] is None)
        assert gradient is None or torch.allclose(found[name], gradient, rtol=1e-10, atol=1e-12)


def at_once(plan, terms):
    """All terms in one strand."""
    return [Strand(tuple(terms), needed(plan.nodes, (root for planned in terms for root in planned.roots)))]


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


def test_an_update_lets_go_of_its_gradients():
    game = game_of()
    game.step()
    assert all(parameter.grad is None for network in game.networks.values() for parameter in network.parameters())
