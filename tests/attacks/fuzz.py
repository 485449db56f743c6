"""`make fuzz`: many thousand recipes, each accepted and planned, or refused with its place; interrupted, it goes on.

Cases come in lots, each a function of its number alone; what came of a lot is a file in build/fuzz, and a lot that has
one is not tried again. So the work may be stopped at any time, and shared: `--lots 0-49` here, `--lots 50-99` there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from agekit.files import write_json

from .judging import Judge
from .named import ACCEPTED, REFUSED
from .recipes import Case, cases
from .tally import RELIABILITY, Tally

LOT = 1000
LOTS = 100
KEPT = Path("build/fuzz")


def play(number: int, judge: Judge, size: int = LOT) -> dict[str, Any]:
    """Try the cases of a lot: how many were accepted and refused, and the first case that broke something."""
    counted = {"accepted": 0, "refused": 0}
    broken: list[tuple[Case, str]] = []

    @seed(number)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def each(case: Case) -> None:
        try:
            counted[judge(case)] += 1
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a case may end in anything, and the others are tried as well
            broken.append((case, f"{type(error).__name__}: {error}"[:2000]))

    began = time.process_time()
    each()
    shown = [{"files": case.shown(), "settings": case.settings, "said": said} for case, said in broken]
    return {"lot": number, **counted, "broken": shown, "processor_seconds": round(time.process_time() - began, 1)}


def work(numbers: Sequence[int]) -> None:
    """Try lots, one after the other, and keep what came of each."""
    with TemporaryDirectory() as folder:
        judge = Judge(Path(folder))
        for number in numbers:
            result = play(number, judge)
            write_json(KEPT / f"{number:04}.json", result)
            told = {key: value if key != "broken" else len(value) for key, value in result.items()}
            print(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in told.items()), flush=True)


def main() -> int:
    """Try the lots that are left, and count those of all; the status is 1 where a case broke something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lots", default=f"0-{LOTS - 1}", help=f"first and last, of {LOT} cases each (default: all)")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    first, _, last = given.lots.partition("-")
    KEPT.mkdir(parents=True, exist_ok=True)
    numbers = range(int(first), int(last or first) + 1)
    left = [number for number in numbers if not (KEPT / f"{number:04}.json").exists()]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(left[n :: given.processes],)) for n in range(given.processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return count() or int(any(worker.exitcode for worker in workers))


def count() -> int:
    """Count what is kept of all lots, for docs/reliability.md; 1 where something broke."""
    tally = Tally("make fuzz")
    with tally.attack("recipes that are meant to break something") as attack, TemporaryDirectory() as folder:
        judge = Judge(Path(folder))
        for name, (case, said) in REFUSED.items():
            attack.count(detected=said in (judge.refusal(case) or ""), about=name)
        for name, case in ACCEPTED.items():
            attack.count(recovered=judge(case) == "accepted", about=name)
    with tally.attack("recipes changed at random") as attack:
        for file in sorted(KEPT.glob("*.json")):
            result = json.loads(file.read_text(encoding="utf-8"))
            attack.tried += sum(result[verdict] for verdict in ("accepted", "refused")) + len(result["broken"])
            attack.detected += result["refused"]
            attack.recovered += result["accepted"]
            attack.seconds += result["processor_seconds"]
            for case in result["broken"]:
                attack.lose(json.dumps(case, ensure_ascii=False))
    return tally.finish(RELIABILITY / "reliability_fuzz.json")


if __name__ == "__main__":
    sys.exit(main())
