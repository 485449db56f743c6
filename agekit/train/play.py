"""A run is played: step by step, with what is due after each, to its end or until it is interrupted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from ..game.step import Coming
from . import checkpoint as saved
from .best import forget_surpassed, keep_best
from .compute import explained
from .dashboard import summary
from .due import Due, due_after
from .run import Listener, Run
from .sentinel import Question, checks, may_wait
from .signals import stop_signals
from .upkeep import standing, writing


def play(run: Run, listener: Listener) -> bool:
    """Play a run to its end, or until it is interrupted; whether it came to its end.

    Ctrl-C, SIGTERM and SIGHUP let the step in hand finish, and write a checkpoint. Raises `RunError` where the game
    dies and is to stop, or the folder cannot be written.
    """
    game, watch, sentinel, ranks = run.game, run.watch, run.sentinel, run.game.ranks
    listener.begins(run)
    watch.begin()
    owed: Owed | None = None
    stopping = False
    try:
        with (
            writing(run.folder),
            explained(run.recipe.compute, lambda: standing(run.folder)),
            stop_signals(ranks) as stopped,
        ):
            if sentinel.needs_first:
                sentinel.mark()
                checkpoint(run)
            ranks.tell()
            while not run.finished and not stopping:
                # ---- one step; and what the one before is still owed, also where this one fails
                try:
                    report = game.step()
                except Exception:
                    if owed is None:
                        raise
                    owed = replace(owed, question=sentinel.ask_again(owed.question))
                    if _settled(run, listener, owed):
                        raise
                    owed = None
                    continue
                if owed is not None and not _settled(run, listener, owed):
                    owed = None
                    continue
                listener.stepped(run)
                # ---- what it is owed, at once; numbers alone are on their way while the device plays on
                due, stopping = due_after(game), ranks.any(stopped())
                written = stopping or due.line or due.pictures
                question = sentinel.ask(report, look=due.look, written=written)
                owed = Owed(due, stopping, question, report.ask(game.device) if due.line else None)
                failed = isinstance(question.signs, Exception)
                if due.more_than_a_line or stopping or failed or not may_wait(game):
                    settled, owed = _settled(run, listener, owed), None
                    if settled and (due.anything or stopping or checks(game)):
                        ranks.tell()  # the others have waited meanwhile
    finally:
        run.close()
    listener.ends(run, interrupted=not run.finished)
    return run.finished


@dataclass(frozen=True)
class Owed:
    """What is to be done about a step that was played, and its numbers, which the device was asked for."""

    due: Due
    stopping: bool
    question: Question
    numbers: Coming | None
    """Those of its line, where one is due."""


def _settled(run: Run, listener: Listener, owed: Owed) -> bool:
    """Do what is owed; whether the game stands: where it goes back, it is as if what came after had never been."""
    game, watch, sentinel, due, report = run.game, run.watch, run.sentinel, owed.due, owed.question.step
    # ---- is the game alive?
    deaths = sentinel.examine(owed.question)
    if deaths and sentinel.answer(deaths, report):
        checkpoint(run)
        game.ranks.tell(saved.name_of(game))
        return False
    # ---- what is due; a checkpoint also when asked to stop, so that nothing is lost
    judged = watch.judge(listener.judging) if due.metrics else {}
    pulled = watch.pull(report) if due.gradients else None
    if due.line or deaths:
        listener.logged(run, watch.log(report, judged, sentinel.events(), pulled, owed.numbers))
    if due.pictures:
        watch.look()
    if judged:
        keep_best(run.folder.best, game, run.gallery, judged, _extra(run))
    if due.milestone:
        sentinel.mark()
    # ---- the checkpoint comes last: what is there before it is made again where the run is killed
    if report.number + 1 >= run.total_steps:
        watch.board.hparams(*summary(run.recipe, run.folder), game.steps_done)
    if owed.stopping or due.checkpoint:
        checkpoint(run)
    return True


def checkpoint(run: Run) -> saved.Checkpoint:
    """Write a checkpoint of a run as it stands."""
    run.gallery.recalibrate()
    run.watch.metrics.sync()
    keep, spared = run.recipe.run.keep, run.sentinel.state.healthy
    written = saved.save(run.folder.checkpoints, run.game, run.gallery, _extra(run), keep, spared)
    forget_surpassed(run.folder.best, run.folder.checkpoints)
    return written


def _extra(run: Run) -> dict[str, Any]:
    return {
        "metrics_bytes": run.watch.metrics.bytes,
        "metrics_sha256": run.watch.metrics.sha256,
        "elapsed_seconds": run.watch.elapsed_seconds,
        "sentinel": asdict(run.sentinel.state),
    }
