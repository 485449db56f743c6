"""Reading in parallel: the same bytes with any number of workers, and no process left behind."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agekit.builtin.folder import ImageFolder
from agekit.contracts import Source
from agekit.data import reading
from agekit.data.prepare import prepare
from agekit.errors import ComputeError
from tests.layouts import make_image_folder
from tests.numbers import Numbers, NumberSet, contents, leftovers


def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 4)
    make_image_folder(tmp_path / "pictures", 61)
    (tmp_path / "pictures" / "left" / "0010.jpg").write_bytes(b"broken")
    dataset = ImageFolder(root=str(tmp_path / "pictures"), size=16)
    one, two = (prepare("mine", dataset, tmp_path / str(workers), workers=workers) for workers in (1, 2))
    assert contents(one.folder) == contents(two.folder)
    assert list(two.dropped) == ["left/0010.jpg"]
    assert one.fingerprint == two.fingerprint


def test_work_is_shared_only_where_it_pays(tmp_path, monkeypatch):
    shared: list[int] = []

    def share(reader: reading.Reader, spans: Iterator[range], workers: int) -> Iterator[reading.Chunk]:
        shared.append(workers)
        return map(reader, spans)

    monkeypatch.setattr(reading, "_cores", lambda: 5)
    monkeypatch.setattr(reading, "_in_parallel", share)
    prepare("numbers", NumberSet(), tmp_path)
    assert shared == []
    monkeypatch.setattr(reading, "WORTHWHILE_SECONDS", 0)
    prepare("numbers", NumberSet(count=reading.CHUNK), tmp_path)
    assert shared == []
    prepare("numbers", NumberSet(count=151), tmp_path)
    assert shared == [5]


class _Deadly(Numbers):
    def read(self, index: int) -> Mapping[str, np.ndarray[Any, Any]]:
        if index > reading.CHUNK:
            os._exit(9)
        return super().read(index)


class DeadlySet(NumberSet):
    """Ends the process that reads it."""

    def open(self) -> Source:
        return _Deadly(self.count)


def test_a_worker_that_is_killed_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(ComputeError, match="ended unexpectedly"):
        prepare("deadly", DeadlySet(), tmp_path, workers=2)
    assert leftovers(tmp_path) == []


PREPARE_SLOWLY = """
import sys, time
from pathlib import Path
from agekit.data.prepare import prepare
from tests.test_data_reading import SlowSet
if __name__ == "__main__":
    prepare("slow", SlowSet(notes=sys.argv[2]), Path(sys.argv[1]), workers=2)
"""


class _Slow(Numbers):
    """Notes the number of each process that reads it, and takes its time."""

    notes = Path()

    def read(self, index: int) -> Mapping[str, np.ndarray[Any, Any]]:
        if index >= reading.CHUNK:
            (self.notes / str(os.getpid())).touch()
            time.sleep(60)
        return super().read(index)


class SlowSet(NumberSet):
    """Takes its time."""

    notes: str

    def open(self) -> Source:
        source = _Slow(1000)
        source.notes = Path(self.notes)
        return source


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to look for processes")
def test_workers_end_with_the_process_that_started_them(tmp_path):
    (tmp_path / "notes").mkdir()
    script = tmp_path / "slowly.py"
    script.write_text(PREPARE_SLOWLY)
    root = Path(__file__).parents[1]
    command = [sys.executable, str(script), str(tmp_path / "cache"), str(tmp_path / "notes")]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(root)}) as process:
        workers = wait_for(lambda: [int(path.name) for path in (tmp_path / "notes").iterdir()], 2)
        process.kill()
    wait_for(lambda: [worker for worker in workers if not is_alive(worker)], 2)


def wait_for(seen: Callable[[], list[int]], count: int) -> list[int]:
    """Ask until so many are seen; a minute is a failure on any machine."""
    for _ in range(600):
        if len(found := seen()) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited in vain: {found}")
