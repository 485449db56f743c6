"""How the processes of one launch find one another, and know of one another when some of them are gone.

They meet at the store of their launcher, which outlives them: what one launch leaves there, those that it starts again
find. So nothing of an earlier round may be taken for one's own, and every round has a name of its own.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from torch.distributed import DistError

from ..errors import LostRank
from ..game.ranks import Ranks
from .place import Place

if TYPE_CHECKING:
    from torch._C._distributed_c10d import PrefixStore, Store, TCPStore
else:
    from torch.distributed import PrefixStore, Store, TCPStore

PAUSE_SECONDS = 0.02
MEETING_SECONDS = 600.0
"""So long the processes wait for one another as they begin."""

ROLL_CALL_SECONDS = 3.0
"""After so long, who has not answered is gone."""

FIRST_SECONDS = 2.0
"""So long other ranks let the first one speak, where something is wrong with all."""

ANSWER_SECONDS = 20.0
"""So long a rank that has lost others waits to learn which; longer than these take to call one another."""

RUN, ENDED = "run", "ended"

Answer = TypeVar("Answer")


@dataclass
class Meeting:
    """The processes of this round, and what they know of rounds before."""

    place: Place
    members: Sequence[str]
    """Each rank's process and machine, in words."""

    run: str | None
    """The folder of the run that an earlier round began."""

    ended: int | None
    """The status with which an earlier round ended for good: it is not to be tried again."""

    store: Store
    """What is said here is known in this round alone."""

    _launch: Store
    ranks: Ranks | None = None
    """The ranks, as soon as they are connected."""

    def name(self, rank: int) -> str:
        """A rank in words: `rank 1 of 2, process 4711 on some-machine`."""
        return f"rank {rank} of {self.place.count}, {self.members[rank]}"

    def began(self, run: str) -> None:
        """Let all, and later rounds, know the run's folder."""
        self._launch.set(RUN, run)

    @property
    def begun(self) -> str | None:
        """The folder of the run that was begun by the first rank, in this round by now, too."""
        return self._launch.get(RUN).decode() if self._launch.check([RUN]) else None

    def ends(self, status: int) -> None:
        """Let later rounds know that there is no use in trying again."""
        self._launch.set(ENDED, str(status))

    def speaks(self) -> bool:
        """Whether this rank is the one to say what is wrong: the first one, where it has anything to say."""
        rank = self.place.rank
        if rank:
            _until(lambda: self.store.check(["spoken"]), FIRST_SECONDS)
        said: bytes = self.store.compare_set("spoken", "", str(rank))
        return said == str(rank).encode()

    def answered(self, ask: Callable[[], Answer]) -> Answer:
        """What is learnt from the store. Raises `LostRank` where that is gone, or does not answer in time.

        For where the link to its machine is cut, a question would wait for as long as the ranks wait to meet.
        """
        asking = Future[Answer]()

        def question() -> None:
            try:
                with reached(self.place):
                    asking.set_result(ask())
            except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
                asking.set_exception(error)

        Thread(target=question, daemon=True).start()
        try:
            return asking.result(ANSWER_SECONDS)
        except TimeoutError:
            where = f"{self.place.host}:{self.place.port}, where the ranks have met"
            said = (
                f"{self.name(self.place.rank)} has lost the others: no answer for {ANSWER_SECONDS:.0f} s from {where}"
            )
            raise LostRank(said) from None

    def absent(self) -> list[int]:
        """The ranks that are gone, or do not answer: all that have noticed it call one another."""
        keys = [f"here {rank}" for rank in range(self.place.count)]
        self.store.set(keys[self.place.rank], "")
        _until(lambda: self.store.check(keys) or self.store.check(["spoken"]), ROLL_CALL_SECONDS)
        return [rank for rank, key in enumerate(keys) if not self.store.check([key])]


def meet(place: Place) -> Meeting:
    """Meet all others. Raises `LostRank` where some do not come, or the launcher cannot be reached."""
    with reached(place):
        launch = PrefixStore("agekit", _store(place))
        own = json.dumps({"token": uuid.uuid4().hex, "said": f"process {os.getpid()} on {socket.gethostname()}"})
        launch.set(_key(place.rank), own)
        found: dict[str, Any] | None = None

        def met() -> bool:
            nonlocal found
            found = _convened(launch, place.count, found) if place.rank == 0 else _joined(launch, place.rank, own)
            return bool(found and found.get("all"))

        if not _until(met, MEETING_SECONDS):
            there = [rank for rank in range(place.count) if launch.check([_key(rank)])]
            raise LostRank(f"only {len(there)} of {place.count} ranks have begun within {MEETING_SECONDS:.0f} s")
        assert found is not None  # noqa: S101 - that is what was waited for
        members = [json.loads(one)["said"] for one in found["members"]]
        return Meeting(place, members, found["run"], found["ended"], PrefixStore(found["round"], launch), launch)


@contextmanager
def reached(place: Place) -> Iterator[None]:
    """Meanwhile, a launcher that does not answer is a `LostRank`."""
    try:
        yield
    except DistError as error:
        said = str(error).splitlines()[0]
        raise LostRank(f"the launcher cannot be reached at {place.host}:{place.port}: {said}") from error


def _store(place: Place) -> Store:
    """The launcher's store; where it has none, as with `srun` alone, the first rank's."""
    served = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return TCPStore(
        place.host,
        place.port,
        world_size=place.count,
        is_master=place.rank == 0 and not served,
        timeout=timedelta(seconds=MEETING_SECONDS),
        multi_tenant=True,
        wait_for_workers=False,
    )


def _key(rank: int) -> str:
    return f"rank {rank}"


def _convened(store: Store, count: int, before: dict[str, Any] | None) -> dict[str, Any] | None:
    """The first rank's part: a round of those whose marks are there, begun anew until all of them have answered."""
    keys = [_key(rank) for rank in range(count)]
    if not store.check(keys):
        return None
    members = [store.get(key).decode() for key in keys]
    if before is None or before["members"] != members:  # some mark was left by an earlier round
        run, ended = (store.get(key).decode() if store.check([key]) else None for key in (RUN, ENDED))
        before = {
            "round": uuid.uuid4().hex,
            "members": members,
            "run": run,
            "ended": None if ended is None else int(ended),
        }
        store.set("round", json.dumps(before))
    answers = [f"{before['round']} {rank}" for rank in range(1, count)]
    if not answers or store.check(answers):
        store.set(f"{before['round']} all", "")
        return {**before, "all": True}
    return before


def _joined(store: Store, rank: int, own: str) -> dict[str, Any] | None:
    """Another rank's part: to answer the round that has its own mark, until it is that of all."""
    if not store.check(["round"]):
        return None
    found: dict[str, Any] = json.loads(store.get("round"))
    if found["members"][rank : rank + 1] != [own]:
        return None
    store.set(f"{found['round']} {rank}", "")
    return {**found, "all": store.check([f"{found['round']} all"])}


def _until(done: Any, seconds: float) -> bool:
    """Ask again and again whether something is so; whether it was within so many seconds."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
