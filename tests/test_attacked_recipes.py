"""Recipes that are meant to break something are refused in one line, in bounded time and memory."""

import errno
import os
from pathlib import Path

import pytest

from agekit.errors import RecipeError
from agekit.game.load import load_recipe
from agekit.plugins import Loaded

from .attacks.judging import Judge, bounded
from .attacks.named import ACCEPTED, FILES, REFUSED


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return Judge(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_its_place(name, judge):
    case, said = REFUSED[name]
    assert said in (judge.refusal(case) or "")


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_is_odd_and_right(name, judge):
    assert judge(ACCEPTED[name]) == "accepted"


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_is_told_at_once(name, extended, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FILES[name](tmp_path / "0.toml")
    (tmp_path / "1.toml").write_text('extends = "0.toml"')
    with bounded(), pytest.raises(RecipeError, match=r"no such recipe: 0\.toml"):
        load_recipe("1.toml" if extended else "0.toml", Loaded())


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    (tmp_path / "0.toml").write_text("")

    def refused(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refused)  # permissions do not hold back root, who may run this
    with pytest.raises(RecipeError, match=r"0\.toml: cannot be read: Permission denied"):
        load_recipe(str(tmp_path / "0.toml"), Loaded())


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\ud800", "", ".", "/", "a" * 200 + "/b"])
def test_a_name_that_no_file_can_have_is_told(name):
    with pytest.raises(RecipeError, match="no such recipe") as caught:
        load_recipe(name, Loaded())
    assert len(str(caught.value)) < 1500
