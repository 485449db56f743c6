"""The component of a network that is somebody else's exported program. No torch in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contracts import Network, Space

if TYPE_CHECKING:
    from torch import nn

PROGRAM = ".pt2"
"""What ends the name of a file that holds one."""


class Program(Network):
    """A network whose layers and weights are those of an exported program; a recipe says what it sees and makes."""

    sees = ("x",)
    makes = "mask"

    def build(self, sees: tuple[Space, ...], makes: Space) -> nn.Module:  # noqa: ARG002 - the program knows
        from .wrappers import Foreign

        return Foreign(makes)
