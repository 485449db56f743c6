"""What is computed of codes: the way of an attribute, and the nearest neighbours."""

import numpy as np
import pytest
import torch

from agekit import AgekitError, DataField
from agekit.look.labelled import attribute, attributes, direction
from agekit.look.neighbours import nearest_in


def test_the_direction_of_an_attribute_is_the_way_between_the_means_of_its_values():
    random = torch.Generator().manual_seed(0)
    codes, label = torch.randn(500, 4, generator=random), torch.arange(500) % 3 == 0
    codes[label] += torch.tensor([1.0, 0, 0, 0])
    values = label.double()
    found = direction(codes, values)
    gap = codes[label].double().mean(0) - codes[~label].double().mean(0)
    assert torch.allclose(found.vector.double(), gap * values.std(correction=0), atol=1e-6)
    design = np.column_stack([np.ones(500), codes.numpy()]).astype(float)
    residual = np.linalg.lstsq(design, values.numpy(), rcond=None)[1][0]
    assert found.known == pytest.approx(1 - residual / (values - values.mean()).square().sum().item())
    with pytest.raises(ValueError, match="is 1 for all 500 samples"):
        direction(codes, torch.ones(500, dtype=torch.float64))


def test_attributes_are_entries_of_vectors_and_classes_of_labels():
    fields = {
        "x": DataField("image", (3, 8, 8)),
        "mask": DataField("classes", (8, 8), ("skin", "hair")),
        "factors": DataField("vector", (2,), ("smile", "blond")),
        "bare": DataField("vector", (2,)),
        "label": DataField("classes", (), ("cat", "blond")),
    }
    assert [one.name for one in attributes(fields)] == ["smile", "blond", "bare.0", "bare.1", "cat", "blond"]
    assert attribute(fields, "label.blond").is_class
    assert (attribute(fields, "bare.1").entry, attribute(fields, "factors.0").name) == (1, "smile")
    with pytest.raises(AgekitError, match=r"there are two, factors\.blond and label\.blond"):
        attribute(fields, "blond")
    with pytest.raises(AgekitError, match="its fields say nothing of whole samples"):
        attribute({"x": fields["x"]}, "blond")


def test_neighbours_are_those_of_all_pairs_and_the_earlier_of_equals():
    random = torch.Generator().manual_seed(0)
    samples, queries = torch.randn(50, 3, generator=random), torch.randn(4, 3, generator=random)
    samples[40] = samples[5]
    queries[0] = samples[5]
    found = nearest_in(queries, samples.split(7), 6)
    apart = ((queries[:, None].double() - samples[None].double()) ** 2).mean(2).sqrt().numpy()
    order = np.argsort(apart, axis=1, kind="stable")[:, :6]
    assert np.array_equal(found.indices.numpy(), order)
    assert found.indices[0, :2].tolist() == [5, 40]
    assert np.allclose(found.distances.numpy(), np.take_along_axis(apart, order, 1))
