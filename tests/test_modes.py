"""What `[compute]` may choose: how far results move, and that a run resumes to the byte whatever is chosen."""

import pytest
import torch

from .runs import Killed, Quiet, agekit_run, begin, go_on, killed, left_behind
from .tiny import game_of, gradients_of

pytestmark = pytest.mark.usefixtures("elsewhere")

SOON = ("compute.channels_last=false", "compute.precision=fp64")
LATER = ("compute.precision=bf16", "compute.micro_batch=3", "compute.deterministic=false", "compute.compile=true")


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which the compiler looks for, everywhere
@pytest.mark.parametrize("setting", [*SOON, *(pytest.param(one, marks=pytest.mark.slow) for one in LATER)])
def test_a_run_resumes_to_the_byte(traced, setting):
    begin("whole", settings=(setting,))
    with pytest.raises(Killed):
        begin("cut", listener=Quiet(9, killed), settings=(setting,))
    torch.compiler.reset()
    assert go_on("cut", settings=(setting,)).finished
    assert left_behind("cut") == left_behind("whole")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_who_compiles_is_told_that_it_takes_a_while(traced, capsys):
    assert agekit_run("--compile", "--steps", "1") == 0
    assert "compiled  g, e, in the first steps: for a minute or more" in capsys.readouterr().out


def test_a_layout_moves_results_as_little_as_the_page_says():
    plain, other = game_of("data.batch=32"), game_of("data.batch=32", "compute.channels_last=false")
    for player in ("encoder", "generator"):
        (theirs, others), (ours, terms) = (gradients_of(game, player) for game in (plain, other))
        for name, value in others.items():
            torch.testing.assert_close(terms[name], value, rtol=1e-5, atol=1e-6)
        a, b = (torch.cat([one.flatten() for one in found.values() if one is not None]) for found in (ours, theirs))
        assert 0 < (a - b).norm() <= 1e-5 * b.norm()
