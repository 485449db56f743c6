"""What passes between ranks, as the plan counts it, is what passes."""

from dataclasses import replace

import pytest

from agekit.cli import main
from agekit.game.cost import cost
from agekit.game.passes import passes
from agekit.game.traffic import traffic_of

from .ranks_pool import pool
from .ranks_runs import passed
from .tiny import game_of


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [(), ("compute.micro_batch=2",), ('compute.batch_norm="apart"',), ('compute.precision="fp64"',)]
)
def test_the_plan_counts_what_passes(settings):
    game = game_of(*settings)
    size = 8 if game.recipe.compute.precision == "fp64" else 4
    times = 1 if game.recipe.compute.micro_batch is None else 2
    for index, seat in enumerate(game.seats):
        over = passes(seat.plan, divides=True)
        if times == 1:
            over = replace(over, ahead=frozenset(), last=over.ahead | over.last)
        one = traffic_of(
            seat.player, seat.plan, over, game.stage, cost(game.recipe, game.scope), game.recipe.compute, times
        )
        added, sums, gathered = pool().ask(2, passed, index, *settings)[0]
        assert gathered == one.operands
        if game.recipe.compute.batch_norm == "together":
            assert sums == one.sums + 2
            assert added == one.gradients + one.normalising + size * len(seat.plan.terms)
        else:
            assert one.sums == 0


def test_the_plan_of_ranks_shows_it(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "age_celeba", "--ranks", "8", "--set", "compute.micro_batch=4"]) == 0
    out = capsys.readouterr().out
    assert "ranks     8, batch-norm together" in out
    assert "batches come in 16 portions of 4" in out
    assert out.count("    between ranks: ") == 4
    assert main(["plan", "age_celeba", "--ranks", "65"]) == 1
    assert "a batch of 64 cannot be divided among 65 ranks" in capsys.readouterr().err
