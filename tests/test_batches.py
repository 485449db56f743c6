"""Batches of data that lives on the device: the same values, in as few passes."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from agekit.contracts import DataField
from agekit.game.batches import Batches, Layout, _scaled, _scaled_on_cpu

COUNT, SIZE = 40, 16
FIELDS = {
    "x": DataField("image", (3, 6, 5)),
    "grey": DataField("image", (1, 4, 4)),
    "mask": DataField("classes", (6, 5), classes=("skin", "left", "right"), mirrored=((1, 2),)),
    "label": DataField("classes", (), classes=("a", "b")),
    "factors": DataField("vector", (4,), mirrored=((0, 3),)),
}
CHOSEN = np.arange(0, COUNT, 2)[:SIZE]


class Passes(TorchDispatchMode):
    """Counts what is computed; views cost nothing."""

    def __init__(self):
        super().__init__()
        self.done: Counter[str] = Counter()

    def __torch_dispatch__(self, operation, types, arguments=(), named=None):
        if not operation.is_view:
            self.done[operation.overloadpacket.__name__] += 1
        return operation(*arguments, **(named or {}))


def batches_of(monkeypatch, layout, *, resident):
    draw = np.random.default_rng(0)
    levels = {"image": 256, "classes": 2, "vector": 256}
    arrays = {
        name: draw.integers(0, levels[one.values], [COUNT, *(size or 0 for size in one.shape)], dtype=np.uint8)
        for name, one in FIELDS.items()
    }
    arrays["factors"] = arrays["factors"].astype(np.float32)
    batches = Batches(arrays, FIELDS, layout)
    there = {name: torch.from_numpy(array).to(layout.device) for name, array in arrays.items()}
    monkeypatch.setattr(Batches, "_settled", lambda self, name: there[name] if resident else None)
    return batches


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("flips", [True, False])
def test_data_that_lives_on_the_device_has_the_same_values_and_layout(monkeypatch, channels_last, flips):
    layout = Layout(torch.device("cpu"), torch.float32, channels_last)
    mirrored = torch.arange(SIZE) % 3 == 0 if flips else None
    found = []
    for resident in (True, False):
        batches = batches_of(monkeypatch, layout, resident=resident)
        brought = batches.bring(CHOSEN, FIELDS)
        found += [batches.values(brought, FIELDS, mirrored), batches.values(brought, FIELDS, mirrored, slice(4, 11))]
    there, part_there, here, part_here = found
    for name, one in FIELDS.items():
        assert torch.equal(there[name], here[name])
        assert torch.equal(there[name][4:11], part_there[name])
        assert torch.equal(part_there[name], part_here[name])
        assert there[name].stride() == here[name].stride()
        last = channels_last and one.values == "image"
        assert there[name].is_contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_device_and_the_cpu_scale_to_the_same_values_and_layout(channels_last, dtype):
    layout = Layout(torch.device("cpu"), dtype, channels_last)
    stored = torch.arange(256, dtype=torch.uint8).repeat(9).view(4, 3, 16, 12)
    for bytes_ in (stored, stored.permute(0, 1, 3, 2), stored[:, :1]):
        one, other = _scaled(bytes_, layout), _scaled_on_cpu(bytes_, layout)
        assert torch.equal(one, other)
        assert one.stride() == other.stride()
        assert (one.min().item(), one.max().item()) == (-1, 1)


def test_a_device_gathers_and_flips_in_one_pass_and_scales_and_lays_out_in_another(monkeypatch):
    """Counted where nothing is computed."""
    meta = torch.device("meta")
    batches = batches_of(monkeypatch, Layout(meta, channels_last=True), resident=True)
    brought = batches.bring(CHOSEN, ["x"])
    for flips, of_columns in ((torch.empty(SIZE, dtype=torch.bool, device=meta), {"where": 1}), (None, {})):
        batches.values(brought, ["x"], flips)  # what is kept is there
        with Passes() as passes:
            batches.values(brought, ["x"], flips)
        assert passes.done == {"index": 1, "empty": 1, "addcdiv": 1, **of_columns}
