"""Rows of the data: images a second from the prepared array, against files that are decoded in each epoch."""

from __future__ import annotations

import io
import os
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from agekit.data.order import indices
from agekit.game.batches import Batches, Layout
from agekit.train.data import prepare_all

from .games import recipe_of
from .reference import loader
from .rounds import median, ratios
from .rows import Goal, Row
from .steps import Clock

FOLDER = "AGEKIT_BENCH_CELEBA"
"""The environment variable that names a folder of CelebA, in its official layout; without it pictures are made up."""

EPOCHS = 16
"""So many epochs of the prepared array take about as long as anything that can be timed."""

DISTINCT = 64
WIDTH, HEIGHT, QUALITY = 178, 218, 90


@dataclass(frozen=True)
class Epochs:
    """How data is delivered: so many epochs of each, by so many processes that decode, timed by a clock."""

    device: torch.device
    images: int
    batch: int
    workers: int
    rounds: int
    clock: Clock

    def rate(self, epoch: Iterator[torch.Tensor]) -> float:
        """Images a second; as seconds pass, those after the first batch, so that no process's start counts."""
        if self.clock == "wall":
            next(epoch)
        start, count = self._now(), 0
        for _ in epoch:
            count += self.batch
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        del epoch  # the processes that decoded end with it
        return count / (self._now() - start)

    def _now(self) -> float:
        if self.clock == "wall":
            return time.perf_counter()
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime


def data_row(goal: Goal | None, plan: Epochs) -> Row:
    """An epoch of files, and several from the prepared array, in turn."""
    with TemporaryDirectory() as temporary:
        folder = Path(os.environ.get(FOLDER) or made_up(Path(temporary) / "celeba", plan.images))
        recipe = recipe_of("age_celeba", f"data.root={folder}")
        start = time.perf_counter()
        prepared = prepare_all(recipe, Path(temporary) / "cache").training
        preparing = len(prepared) / (time.perf_counter() - start)
        layout = Layout(plan.device, torch.float32, channels_last=True)
        batches = Batches(prepared.arrays, prepared.fields, layout)
        paths = sorted((folder / "img_align_celeba").iterdir())[: plan.images]
        ours, theirs = [], []
        for number in range(plan.rounds + 1):  # the first brings everything into memory
            epochs = range(number * EPOCHS, (number + 1) * EPOCHS)
            ours.append(plan.rate(chain.from_iterable(taken(batches, epoch, plan.batch) for epoch in epochs)))
            theirs.append(plan.rate(decoded(paths, plan)))
    ours, theirs = ours[1:], theirs[1:]
    return Row(
        "images delivered a second",
        goal,
        ratios(ours, theirs),
        f"{median(ours, ',.0f')} images/s",
        f"files decoded by {plan.workers} process{'es' if plan.workers > 1 else ''} {median(theirs, ',.0f')} images/s",
        f"{len(paths)} JPEG files{' of CelebA' if os.environ.get(FOLDER) else ' made up'}; preparing them, once, "
        f"delivers {preparing:,.0f} images/s",
        raw={"ours": ours, "theirs": theirs},
    )


def taken(batches: Batches, epoch: int, batch: int) -> Iterator[torch.Tensor]:
    """An epoch as the engine has it: in the order of that epoch, on the device, in [−1, 1]."""
    steps = batches.length // batch
    for step in range(steps):
        chosen = indices(batches.length, batch, seed=0, stream="bench", step=epoch * steps + step)
        yield batches.take(chosen, ["x"])["x"]


def decoded(paths: Sequence[Path], plan: Epochs) -> Iterator[torch.Tensor]:
    """An epoch as the reference loop has it."""
    return (images.to(plan.device) for images in loader(paths, plan.batch, plan.workers if plan.workers > 1 else 0))


def made_up(folder: Path, count: int) -> Path:
    """Cartoon faces as JPEG files of CelebA's size, in its official layout: a few pictures, again and again."""
    faces = recipe_of("age_toyfaces", "data.size=256").dataset.open()
    blobs = [jpeg(faces.read(index)["x"]) for index in range(min(DISTINCT, count))]
    names = [f"{number:06}.jpg" for number in range(1, count + 1)]
    pictures = folder / "img_align_celeba"
    pictures.mkdir(parents=True)
    for index, name in enumerate(names):
        if index < len(blobs):
            (pictures / name).write_bytes(blobs[index])
        else:
            os.link(pictures / names[index % len(blobs)], pictures / name)
    (folder / "list_eval_partition.txt").write_text("".join(f"{name} 0\n" for name in names))
    attributes = recipe_of("age_celeba").dataset.fields()["attributes"].classes
    rows = "".join(f"{name} {' '.join(['-1'] * len(attributes))}\n" for name in names)
    (folder / "list_attr_celeba.txt").write_text(f"{count}\n{' '.join(attributes)}\n{rows}")
    return folder


def jpeg(picture: np.ndarray) -> bytes:
    """A picture, uint8 [3, h, w], as a JPEG file of CelebA's size."""
    image = Image.fromarray(picture.transpose(1, 2, 0)).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
