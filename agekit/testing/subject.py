"""What is checked, and how a check ends."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from ..contracts import Component, Dataset, Reference, Shelf, StateKept
from ..errors import MissingData, PluginError

Verdict = Literal["pass", "fail", "not applicable"]


@dataclass(frozen=True)
class Subject:
    """A registered component: its shelf, its name, its class.

    Codes may be compared with the `references`; kinds of operands may be the fields of the `datasets`.
    """

    shelf: Shelf
    name: str
    component: type[Component]
    references: tuple[type[Reference], ...] = ()
    datasets: tuple[type[Dataset], ...] = ()

    def __str__(self) -> str:
        return f"{self.shelf.key} {self.name}"


Check = Callable[[Subject], None]
"""A check returns where the component keeps its promise, and raises `Broken` or `NotApplicable` where it does not."""


class Broken(Exception):
    """The component breaks a promise; the message says which, and what was found."""


class NotApplicable(Exception):
    """The check says nothing about this component; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """How one check of one component ended; `details` is the traceback of a failure."""

    subject: Subject
    check: str
    verdict: Verdict
    reason: str = ""
    details: str = ""


def perform(subject: Subject, name: str, check: Check) -> Outcome:
    """Perform a check. Whatever a component raises in it is its failure; what it keeps is one of `state` alone."""
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]), torch.enable_grad():
            warnings.simplefilter("ignore")  # of the compiler, about itself
            check(subject)
    except NotApplicable as reason:
        return Outcome(subject, name, "not applicable", str(reason))
    except MissingData as missing:
        return Outcome(subject, name, "not applicable", f"what it needs is not at hand: {str(missing).splitlines()[0]}")
    except StateKept as kept:
        return Outcome(
            subject, name, "fail" if name == "state" else "not applicable", str(kept), traceback.format_exc()
        )
    except (Broken, PluginError) as reason:
        return Outcome(subject, name, "fail", str(reason), traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - a component may raise anything
        return Outcome(subject, name, "fail", f"raised {type(error).__name__}: {error}", traceback.format_exc())
    return Outcome(subject, name, "pass")
