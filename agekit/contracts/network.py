"""The contract of networks: what one sees, what it makes, and how it is built."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from .component import Component
from .space import CODE, SCORE, Space

if TYPE_CHECKING:
    from torch import nn


class Network(Component):
    """Typed options, and `build`, which makes a module of the shapes it sees and makes.

    `sees` and `makes` name kinds; a recipe may say others (`sees = ["z", "l"]`). A network that makes codes returns
    them raw, [n, d]: the engine itself ends it with the map of the reference's space, so that no encoder can forget to
    normalise. One that makes a `torch.distributions.Distribution` sees to that by itself, with float32 parameters.
    """

    sees: ClassVar[tuple[str, ...]]
    makes: ClassVar[str]

    @abstractmethod
    def build(self, sees: tuple[Space, ...], makes: Space) -> nn.Module:
        """Make the module, with fresh weights drawn from torch's global random state.

        It is called with one tensor [n, *space.shape] for each of `sees`. Raises `ValueError`, saying what would fit,
        where it cannot be built for these shapes.
        """


class Generator(Network):
    """A network that makes data, of codes unless told otherwise."""

    sees: ClassVar[tuple[str, ...]] = (CODE,)
    makes = "x"


class Encoder(Network):
    """A network that makes codes, of data unless told otherwise."""

    sees: ClassVar[tuple[str, ...]] = ("x",)
    makes = CODE


class Critic(Network):
    """A network that makes a score, [n], of data unless told otherwise."""

    sees: ClassVar[tuple[str, ...]] = ("x",)
    makes = SCORE


class Parser(Network):
    """A network that makes class scores of every pixel, [n, classes, h, w], of data unless told otherwise."""

    sees: ClassVar[tuple[str, ...]] = ("x",)
    makes = "mask"
