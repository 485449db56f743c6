"""Fixtures that several files share."""

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The folder of prepared data."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def elsewhere(monkeypatch, cache, tmp_path):
    """Work in an empty folder, and leave torch as it was."""
    import torch  # not needed by those who do not ask for this

    monkeypatch.setenv("AGEKIT_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(deterministic)
