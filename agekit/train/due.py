"""What is to be written and looked at after a step."""

from __future__ import annotations

from dataclasses import dataclass

from ..game.game import Game
from ..recipe.tables import in_steps


@dataclass(frozen=True)
class Due:
    """What is due after this step: a function of the step and of where the run ends, however it got there.

    `milestone` is whether the recipe's own interval of checkpoints ends here, wherever the run ends.
    """

    log: bool
    pictures: bool
    checkpoint: bool
    milestone: bool
    metrics: bool
    gradients: bool
    look: bool

    @property
    def line(self) -> bool:
        """Whether a line of metrics.jsonl is."""
        return self.log or self.checkpoint or self.metrics or self.gradients

    @property
    def more_than_a_line(self) -> bool:
        """Whether something is that cannot be asked of the device and read later."""
        return self.pictures or self.checkpoint or self.metrics or self.gradients

    @property
    def anything(self) -> bool:
        """Whether the first rank has something to do besides playing, for which the others wait."""
        return any(vars(self).values())


def due_after(game: Game) -> Due:
    """What is due after the step that was played last; all of it, but for looks, where that was the run's last."""
    settings, finished = game.stage.run, game.steps_done >= game.total_steps
    gradients = settings.gradients_every or settings.pictures_every
    return Due(
        log=finished or falls(game, settings.log_every),
        pictures=finished or falls(game, settings.pictures_every),
        checkpoint=finished or falls(game, settings.checkpoint_every),
        milestone=falls(game, settings.checkpoint_every),
        metrics=bool(game.metrics) and (finished or falls(game, settings.metrics_every)),
        gradients=gradients != "never" and (finished or falls(game, gradients)),
        look=game.stage.sentinel.action != "off" and falls(game, game.stage.sentinel.every),
    )


def falls(game: Game, interval: int | str) -> bool:
    """Whether an interval ends here: steps are the run's, and epochs are the stage's."""
    done = game.steps_done if isinstance(interval, int) or "step" in interval else game.stage_step
    return done % in_steps(interval, game.steps_per_epoch) == 0
