"""The Inception Score against numpy, its bounds, and the outputs of Inception's features."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from agekit import DataError, MissingData, Space
from pydantic import ValidationError

from agekit_metrics import score as module
from agekit_metrics.score import InceptionScore, outputs
from agekit_metrics.weights import FOLDER

SPACES = {"of": Space("scores of label", (10,))}


def judged(metric, scores):
    return metric.values(metric.rows(torch.as_tensor(scores)), SPACES)


def score_of(scores):
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return np.exp((chances * np.log(chances / chances.mean(0))).sum(1).mean())


@pytest.mark.parametrize("splits", [1, 3])
def test_it_is_that_of_numpy(splits):
    scores = np.random.default_rng(0).normal(0, 3, size=(90, 10))
    parts = [score_of(part) for part in np.split(scores, splits)]
    found = judged(InceptionScore(logits="own", splits=splits), scores)
    assert found == pytest.approx({"score": np.mean(parts), "deviation": np.std(parts)}, rel=1e-10)


def test_it_lies_between_one_and_the_number_of_classes():
    metric = InceptionScore(logits="own")
    assert judged(metric, torch.zeros(8, 10))["score"] == pytest.approx(1)
    assert judged(metric, 1e4 * torch.eye(10).repeat(3, 1))["score"] == pytest.approx(10)
    assert np.isnan(judged(metric, torch.full((4, 10), torch.nan))["score"])
    with pytest.raises(ValueError, match="4 samples make no 5 parts"):
        judged(InceptionScore(logits="own", splits=5), torch.zeros(4, 10))


def test_whose_scores_they_are_is_to_be_said():
    with pytest.raises(ValidationError, match="logits"):
        InceptionScore()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    outputs.cache_clear()
    yield tmp_path
    outputs.cache_clear()


def save(folder, monkeypatch, **tensors):
    path = folder / module.OUTPUTS.file
    torch.save({name.replace("_", "."): tensor for name, tensor in tensors.items()}, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(module, "OUTPUTS", replace(module.OUTPUTS, sha256=sha256[:8]))


def test_inception_s_outputs_are_taken_of_its_features_without_the_bias(folder, monkeypatch):
    weights, features = torch.randn(1008, 2048), torch.rand(20, 2048)
    save(folder, monkeypatch, fc_weight=weights, fc_bias=torch.randn(1008))
    expected = score_of(features.double().numpy() @ weights.double().numpy().T)
    assert judged(InceptionScore(logits="inception"), features)["score"] == pytest.approx(expected, rel=1e-9)


def test_other_weights_are_refused(folder, monkeypatch):
    metric = InceptionScore(logits="inception")
    with pytest.raises(ValueError, match=r"features of inception are 2048 numbers, found \[10\]"):
        metric.rows(torch.zeros(4, 10))
    with pytest.raises(MissingData, match="the classifier of the Inception network of 2015 cannot be found"):
        metric.rows(torch.zeros(4, 2048))
    (folder / module.OUTPUTS.file).write_bytes(b"no weights")
    with pytest.raises(DataError, match="where 6726825d… is right"):
        metric.rows(torch.zeros(4, 2048))
    save(folder, monkeypatch, fc_weight=torch.randn(1000, 2048))
    with pytest.raises(DataError, match=r"has no fc.weight \[1008, 2048\]"):
        metric.rows(torch.zeros(4, 2048))
