"""Is what a device computes right? Held against the CPU in float64, and one way of playing against another."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import torch
from torch import Tensor, nn

import agekit
from agekit.contracts import draws
from agekit.game.batches import RESIDENT_SHARE
from agekit.game.game import Game
from agekit.game.recording import CudaGraphs, Recorder
from agekit.game.step import Coming, Finite
from agekit.game.views import Gallery
from agekit.game.vitals import Monitor
from agekit.train.checkpoint import restore, save

from .games import Maker, Refusing, Repeating, host_drawn, loaded, weights_of, with_dropout

CPU = torch.device("cpu")
BOUNDS = {"fp64": 1e-9, "fp32": 1e-4, "tf32": 1.5e-1, "bf16": 5e-1}
"""How far terms and gradients may be from float64, relative; a gradient passes up to 27 layers, and rounds in each.

TF32 that is imitated on a CPU, with convolutions' inputs, weights and slopes rounded to 10 bits, comes to 0.048 to
0.059 at the generator's gradient (width and batch 16, four seeds); bfloat16 on a CPU to 0.19.
"""

EXACT = 1e-9
STEPS = 8
COUNTED = 10, 110
"""The steps after which memory is counted."""


@dataclass(frozen=True)
class Check:
    """What was checked, what was found, and whether it holds; None where this device has nothing to check."""

    what: str
    found: str
    holds: bool | None

    def cells(self) -> list[str]:
        """As the page's table shows it."""
        return [self.what, self.found, {True: "yes", False: "NO", None: "not taken"}[self.holds]]


def checks(maker: Maker, *, compiled: bool) -> Iterator[Check]:
    """Everything, as it is found."""
    truth = _updates(host_drawn(maker.game("compute.precision=fp64", device=CPU)))
    for precision, bound in BOUNDS.items():
        yield _near(maker, f"compute.precision={precision}", f"losses and gradients, {precision}", truth, bound)
    with _any_algorithm():  # right is asked here, and not repeatable
        found = divergences(maker.device)
    yield found
    yield recorded(maker, "", lambda game: game)
    yield recorded(maker, ", dropout in a network", with_dropout)
    yield unwaited(maker)
    yield grown(maker)
    yield resumed(maker)
    if compiled:
        yield _compiled(maker, truth)


def _near(maker: Maker, setting: str, what: str, truth: Mapping[str, Tensor], bound: float) -> Check:
    """What a game's updates leave, against that of the CPU in float64."""
    ours = _updates(host_drawn(maker.game(setting, "compute.graphs=false")))
    error, name = max((far(ours[name], truth[name]), name) for name in truth)  # what is no number is infinitely far
    return Check(f"{what}, against the CPU in float64", f"{error:.1e} at most ({name}); ≤ {bound:.0e}", error <= bound)


@contextmanager
def _any_algorithm() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _compiled(maker: Maker, truth: Mapping[str, Tensor]) -> Check:
    what, began = "losses and gradients, compiled", time.monotonic()
    try:
        near = _near(maker, "compute.compile=true", what, truth, BOUNDS["tf32"])
    except (RuntimeError, agekit.PluginError) as error:
        if type(error.__cause__ or error).__module__.startswith("torch._"):  # there is no compiler here, or it fails
            return Check(what, f"cannot be compiled here: {str(error).splitlines()[0]}", None)
        raise
    return Check(near.what, f"{near.found}, after {time.monotonic() - began:.0f} s", near.holds)


def _updates(game: Game) -> dict[str, Tensor]:
    """The terms of one update of each player, and the gradient of each network, whole."""
    found: dict[str, Tensor] = {}
    for seat in game.seats:
        name = seat.player.name
        terms, _ = game.gradients(seat, 0, game.controllers.weights(seat.player, game.progress))
        found |= {f"{name}.{term}": value for term, value in terms.items()}
        gradients = [one.grad.flatten() for one in seat.parameters if one.grad is not None]
        found[f"{name}'s gradient"] = torch.cat(gradients)
    return {name: value.detach().double().cpu() for name, value in found.items()}


def far(ours: Tensor, truth: Tensor) -> float:
    """The distance, relative to the truth's length; infinite where it is no number."""
    distance: float = ((ours - truth).norm() / truth.norm().clamp_min(1e-12)).item()
    return math.inf if math.isnan(distance) else distance


def divergences(device: torch.device) -> Check:
    """The value and the gradient of every registered divergence that draws nothing, in float64, on both devices."""
    registries = loaded().registries
    chance = torch.Generator().manual_seed(0)
    clouds = [0.7 * torch.randn(48, 6, generator=chance, dtype=torch.float64) + 0.3 for _ in "pq"]
    given = [registries.references[name](dim=6) for name in ("sphere", "gaussian")]
    every = {name: registries.divergences[name]() for name in registries.divergences}
    drawing = [name for name, one in every.items() if draws(type(one).__call__)]
    errors = {}
    for name, one in every.items():
        if name in drawing:
            continue
        here = [_value_and_slope(one, clouds[0], to) for to in (clouds[1], *given)]
        there = [_value_and_slope(one, clouds[0].to(device), to) for to in (clouds[1].to(device), *given)]
        errors[name] = max(_apart(*pair) for pair in zip(here, there, strict=True) if pair != (None, None))
    worst = max(errors, key=errors.__getitem__)
    found = f"{len(errors)} of them, {errors[worst]:.1e} at most ({worst}); ≤ {EXACT:.0e}"
    found += f"; not {', '.join(drawing)}, which draw" if drawing else ""
    return Check("divergences in float64, against the CPU", found, errors[worst] <= EXACT)


def _apart(here: Tensor | None, there: Tensor | None) -> float:
    """How far a device's result is from the CPU's; infinitely where only one of them has one."""
    return math.inf if here is None or there is None else far(there.cpu(), here)


def _value_and_slope(divergence: agekit.Divergence, codes: Tensor, to: Tensor | agekit.Reference) -> Tensor | None:
    """The value and the gradient by codes, in one; None where it does not take this."""
    codes = codes.clone().requires_grad_()
    operands = [codes, to] if "to" in divergence.operands else [codes]
    try:
        value = divergence(*operands)
    except (ValueError, TypeError, AttributeError):
        return None
    (slope,) = torch.autograd.grad(value, [codes])
    return torch.cat([value.detach().reshape(1), slope.flatten()])


def recorder_of(device: torch.device) -> Recorder:
    """What records on a device; where there are no graphs, what only seems to."""
    return CudaGraphs(device) if device.type == "cuda" else Repeating()


def recorded(maker: Maker, how: str, change: Callable[[Game], Game]) -> Check:
    """Replays leave the bytes that updates leave which are played one by one."""
    replayed = change(maker.game(recorder=recorder_of(maker.device)))
    played = change(maker.game(recorder=Refusing()))
    told = [[game.step().terms for _ in range(STEPS)] for game in (replayed, played)]
    same = same_bytes(replayed, played) and repr(told[0]) == repr(told[1])
    reasons = replayed.unrecorded()
    found = f"refused: {reasons}" if reasons else f"{STEPS} steps: {'the same bytes' if same else 'other bytes'}"
    graphs = "CUDA graphs" if maker.device.type == "cuda" else "recordings (no graphs: this is no CUDA device)"
    return Check(f"{graphs} against updates played one by one{how}", found, same and not reasons)


def same_bytes(one: Game, other: Game) -> bool:
    """Whether two games have the same weights and buffers, to the bit."""
    ours, theirs = weights_of(one), weights_of(other)
    return all(torch.equal(ours[name], theirs[name]) for name in theirs)


def unwaited(maker: Maker) -> Check:
    """No step waits for the device, recorded or played, with the data there and with the data in the host's memory.

    Nor does who asks for its numbers and for the vital signs, and they are what they are.
    """
    what, cuda = "a step, and asking for its numbers, without waiting for the device", maker.device.type == "cuda"
    try:
        for share, graphs in product((RESIDENT_SHARE, 0.0), ("true", "false") if cuda else ("auto",)):
            with patch("agekit.game.batches.RESIDENT_SHARE", share):  # with none, data stays in the host's memory
                game, twin = (maker.game(f"compute.graphs={graphs}", "data.flip=true") for _ in range(2))
                _play([game, twin], 4)
                monitors = [Monitor(game), Monitor(twin)]
                for one, monitor in zip((game, twin), monitors, strict=True):
                    monitor.ask(one.step().terms)  # what is brought to the device once is there
                with _errors_at_waits() if cuda else nullcontext():
                    asked = [_asked(game, monitors[0]) for _ in range(4)]
                    game.step()  # which must not touch what was asked before
                for one in asked:
                    step = twin.step()
                    now = [step.ask(CPU).read(), monitors[1].look(step.terms), []]
                    if repr([one[0].read(), monitors[0].signs(one[1]), one[2].failures()]) != repr(now):
                        return Check(what, "numbers that nobody waited for came other than they are", False)
    except (RuntimeError, agekit.PluginError) as error:
        return Check(what, str(error).splitlines()[0], False)
    found = "4 steps each, with graphs and without, data there and in the host's memory: none waits"
    return Check(what, found, True) if cuda else Check(what, "this is no CUDA device", None)


def _asked(game: Game, monitor: Monitor) -> tuple[Coming, Coming, Finite]:
    """What a run asks for after a step."""
    step = game.step()
    weights = [tensor for _, tensor in game.named_tensors()]
    return step.ask(game.device), monitor.ask(step.terms), Finite(weights, game.device)


@contextmanager
def _errors_at_waits() -> Iterator[None]:
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def grown(maker: Maker) -> Check:
    """Memory in use after many steps is that after a few."""
    game = maker.game("stages.0.epochs=100")
    after: list[int] = []
    for steps in COUNTED:
        _play([game], steps - game.steps_done)
        after.append(in_use(maker.device))
    found = ", ".join(f"{count:,} bytes after {steps} steps" for count, steps in zip(after, COUNTED, strict=True))
    return Check("no growth of memory", found, after[0] == after[1])


def in_use(device: torch.device) -> int:
    """The bytes of a device that tensors take; on the CPU, of those that Python knows."""
    gc.collect()  # games that were played before hold on to themselves
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    tensors = (one for one in gc.get_objects() if type(one) in (Tensor, nn.Parameter) and one.device == device)
    known = (one.untyped_storage() for one in tensors)
    return sum({storage.data_ptr(): storage.nbytes() for storage in known}.values())


def resumed(maker: Maker) -> Check:
    """A game that is written, restored into another, and played on ends with the bytes of one that was not."""
    precisions = ("tf32", "bf16") if maker.device.type == "cuda" else ("fp32", "bf16")
    ways = list(product(precisions, ("auto", "false")))
    wrong = [f"{precision}, graphs {graphs}" for precision, graphs in ways if not _resumes(maker, precision, graphs)]
    came = f"other bytes with {'; '.join(wrong)}" if wrong else "the same bytes"
    found = f"{2 * STEPS} steps, {' and '.join(precisions)}, with graphs where there are some, and without: {came}"
    return Check("resuming in the middle", found, not wrong)


def _resumes(maker: Maker, precision: str, graphs: str) -> bool:
    settings = (f"compute.precision={precision}", f"compute.graphs={graphs}")
    through, halves = maker.game(*settings), [maker.game(*settings) for _ in range(2)]
    _play([through], 2 * STEPS)
    with TemporaryDirectory() as folder:
        _play(halves[:1], STEPS)
        written = save(Path(folder), halves[0], Gallery(halves[0]), {}, keep=1)
        restore(written, halves[1], Gallery(halves[1]))
    _play(halves[1:], STEPS)
    return same_bytes(through, halves[1])


def _play(games: Sequence[Game], steps: int) -> None:
    for game in games:
        for _ in range(steps):
            game.step()
