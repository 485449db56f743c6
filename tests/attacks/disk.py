"""The disk is full, has become read-only, fails, or is gone: one clear message, and later the run goes on as before."""

from __future__ import annotations

import errno
import itertools
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from . import trained
from .forked import Ended
from .killed import Ground
from .points import FileOperations, Refusals
from .tally import Attack, Tally

REFUSALS = {"is full": errno.ENOSPC, "is read-only": errno.EROFS, "fails": errno.EIO, "has no quota left": errno.EDQUOT}


def refusing(tally: Tally, ground: Ground, every: int = 1) -> None:
    """From each operation on files on, or from every so manieth, all are refused; then, the disk takes them again."""
    seen: list[str] = []
    folder = ground.fresh()
    count = folder.with_suffix(".txt")

    def meet(event: str) -> None:
        seen.append(event)
        count.write_text(f"{len(seen)}", encoding="utf-8")

    ground.sure(folder, FileOperations(meet).watch)
    total = int(count.read_text(encoding="utf-8"))
    with tally.attack("a disk that, from one operation on, is full, read-only, failing, or over its quota") as attack:
        for number, begins in enumerate(range(0, total, every)):
            name, code = list(REFUSALS.items())[number % len(REFUSALS)]
            place = ground.fresh()
            ended = ground.go(place, Refusals(begins, code).watch)
            _after(attack, ground, place, ended, f"{name} from operation {begins} on")


def limited(tally: Tally, ground: Ground, limits: tuple[int, ...]) -> None:
    """Files may not be larger than so many bytes: a part is written of one that would be."""

    def limit(size: int) -> Callable[[], None]:
        def apply() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        return apply

    with tally.attack("files that may not be larger than some bytes") as attack:
        for size in limits:
            place = ground.fresh()
            ended = ground.go(place, limit(size))
            _after(attack, ground, place, ended, f"at most {size} bytes")


def descriptors(tally: Tally, ground: Ground, limits: tuple[int, ...]) -> None:
    """Only so many files may be open at a time."""

    def limit(most: int) -> Callable[[], None]:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

    with tally.attack("few files that may be open at a time") as attack:
        for most in limits:
            place = ground.fresh()
            ended = ground.go(place, limit(most))
            _after(attack, ground, place, ended, f"{most} open files")


def small(tally: Tally, ground: Ground, sizes: tuple[int, ...]) -> None:
    """A real file system that is too small, by so many KiB; skipped, and told so, where none can be mounted."""
    mount = ground.fresh()
    with tally.attack("a file system of a few hundred KiB, full") as attack:
        for size in sizes:
            mount.mkdir(exist_ok=True)
            if not _mount("-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(mount)):
                print("skipped: no file system can be mounted here")
                return
            try:
                place = mount / "run"
                ended = ground.go(place)
                subprocess.run(["mount", "-o", "remount,size=64m", str(mount)], check=True)
                _after(attack, ground, place, ended, f"{size} KiB")
            finally:
                subprocess.run(["umount", str(mount)], check=True)


def gone(tally: Tally, ground: Ground) -> None:
    """The folder of the run is removed while it is trained: that is told, and nothing is claimed to be left."""
    with tally.attack("the run's folder gone") as attack:
        for begins in range(90, 190, 20):
            place = ground.fresh()

            def meet(event: str, left: list[int] = [begins], place: Path = place) -> None:  # noqa: B006 - counts
                left[0] -= 1
                if left[0] == 0:
                    shutil.rmtree(place / trained.RUN, ignore_errors=True)

            ended = ground.go(place, FileOperations(meet).watch)
            told = ended.clear and "is gone" in ended.said
            again = ground.go(place)
            problem = again.said if again.status else trained.difference(trained.snapshot(place), ground.wanted)
            over = ended.status == 0  # it was removed when nothing was to be written any more
            attack.count(detected=told or over, about=f"{begins}: {ended.said}")
            if problem:
                attack.lose(f"{begins}: {problem}")
            shutil.rmtree(place)


def unmounted(tally: Tally, ground: Ground) -> None:
    """The disk that the run is on is unmounted while it is trained, and mounted again before it goes on."""
    with tally.attack("the run's disk unmounted, and mounted again") as attack:
        for begins in range(60, 260, 40):
            place, disk = ground.fresh(), ground.fresh()
            runs = place / trained.RUN.parent
            runs.mkdir(parents=True)
            disk.mkdir()
            if not _mount("--bind", str(disk), str(runs)):
                print("skipped: no disk can be mounted here")
                return

            def meet(event: str, left: list[int] = [begins], runs: Path = runs) -> None:  # noqa: B006 - counts
                left[0] -= 1
                if left[0] == 0:
                    subprocess.run(["umount", "--lazy", str(runs)], check=True)

            try:
                ended = ground.go(place, FileOperations(meet).watch)
                told = ended.clear and not runs.is_mount()
                if not runs.is_mount():
                    _mount("--bind", str(disk), str(runs))
                problem = ground.problem(place, ground.go(place))
                attack.count(detected=told, recovered=not problem, about=f"{begins}: {problem or ended.said}")
            finally:
                subprocess.run(["umount", str(runs)], check=True)
            shutil.rmtree(place)


def slow(tally: Tally, ground: Ground, seconds: tuple[float, ...], stalls: int, stalled: float) -> None:
    """Every operation on files takes so many seconds; or all wait once, for one of them: nobody loses patience."""

    def stall(at: int) -> Callable[[str], None]:
        numbers = itertools.count()
        return lambda _: time.sleep(stalled if next(numbers) == at else 0)

    def wait(each: float) -> Callable[[str], None]:
        return lambda _: time.sleep(each)

    ways = {f"{each} s for each": wait(each) for each in seconds}
    ways |= {f"{stalled} s for operation {at}": stall(at) for at in range(40, 40 + 40 * stalls, 40)}
    with tally.attack("a disk that is slow, or stands still for a while") as attack:
        for about, meet in ways.items():
            place = ground.fresh()
            problem = ground.problem(place, ground.go(place, FileOperations(meet).watch))
            attack.count(recovered=not problem, about=f"{about}: {problem}")
            shutil.rmtree(place)


def _mount(*words: str) -> bool:
    """Mount something; false where that is not to be had here."""
    if os.geteuid() or not shutil.which("mount"):
        return False
    return subprocess.run(["mount", *words], check=False, capture_output=True).returncode == 0


def _after(attack: Attack, ground: Ground, place: Path, ended: Ended, about: str) -> None:
    """The run has ended by one clear message, or by none where nothing was in its way; now it goes on."""
    if ended.status and not ended.clear:
        attack.lose(f"{about}: {ended.said}")
    tried = attack.detected
    ground.judge(attack, place, about)
    attack.detected = tried + (ended.status == 1)
