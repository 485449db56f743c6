"""What the console tells of several runs."""

from __future__ import annotations

import json

from ..report.console import RunConsole
from ..sweep.study import Trial
from ..train.run import Run
from ..train.telling import Teller


def print_json(run: Run, interrupted: bool) -> None:
    """A line of JSON that names a run, and says whether it came to its end."""
    print(json.dumps({"run": str(run.folder.path), "step": run.game.steps_done, "finished": not interrupted}))


class StudyTeller(Teller):
    """Tells of the runs of a study, one after another."""

    def turns_to(self, trial: Trial, number: int, total: int) -> None:
        self.console = RunConsole(self.console.console)  # each run has a header of its own
        self.console.console.print(f"{'' if number == 1 else chr(10)}run {number} of {total}: {trial.said}")

    def failed(self, trial: Trial, reason: str) -> None:
        self.console.stop()
        self.console.facts([("failed", trial.said), ("why", reason.replace("\n", "; "))])
