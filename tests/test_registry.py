"""Shelves: what may be put on them, by whom, and what is taken back."""

import pytest

from agekit.contracts import (
    SHELVES,
    Component,
    Dataset,
    Divergence,
    Loss,
    Measure,
    Network,
    Operand,
    Operator,
    Reciprocity,
    Schedule,
    option,
)
from agekit.contracts.admission import RESERVED
from agekit.errors import AgekitError, PluginError
from agekit.recipe.tables import DataKeys, MetricKeys, NetworkKeys, TermKeys
from agekit.registry import Registries
from tests.fakes import Cloud, Distance, Fixed, Ramp


@pytest.fixture
def registries():
    shelves = Registries()
    with shelves.owned_by("one"):
        shelves.divergences.add("fixed", Fixed)
    return shelves


def test_there_is_a_shelf_for_every_key(registries):
    assert len(SHELVES) == 15
    for shelf in SHELVES:
        assert getattr(registries, shelf.name) is registries.shelves[shelf.name] is registries.by_key[shelf.key]


def test_what_is_added_is_found_with_its_owner(registries):
    assert registries.divergences["fixed"] is Fixed
    assert "fixed" in registries.divergences
    assert list(registries.divergences) == ["fixed"]
    assert registries.divergences.entries["fixed"].owner == "one"


def test_an_unknown_name_is_told_with_the_nearest(registries):
    with pytest.raises(AgekitError, match=r"^no divergence is called 'fixd'; did you mean fixed\?$"):
        registries.divergences["fixd"]


def test_a_second_registration_names_both_owners(registries):
    taken = pytest.raises(PluginError, match=r"^divergence 'fixed' of two: the name is taken by one$")
    with taken, registries.owned_by("two"):
        registries.divergences.add("fixed", Cloud)
    assert registries.divergences["fixed"] is Fixed


@pytest.mark.parametrize("name", ["", "Upper", "two words", "9lives", "dash-ed", "trailing\n", "ümlaut"])
def test_names_are_plain(registries, name):
    with pytest.raises(PluginError, match="a name is lower-case letters, digits and underscores"):
        registries.divergences.add(name, Cloud)


@pytest.mark.parametrize("component", [Distance, object, "Cloud", Cloud()])
def test_only_what_keeps_the_contract_is_taken(registries, component):
    with pytest.raises(PluginError, match="where a subclass of Divergence fits"):
        registries.divergences.add("other", component)


class Unfinished(Reciprocity):
    """No call."""


class Twisted(Reciprocity):
    """An option with a key's name."""

    weight: float = option(1.0, help="of what?")

    def __call__(self, output, target):
        raise NotImplementedError


class Shadowing(Loss):
    """An option with an operand's name."""

    operands = {"at": Operand()}
    at: float = option(1.0, help="of what?")

    def __call__(self, at):
        raise NotImplementedError


class Needy(Operator):
    """An option without a default."""

    size: int = option(help="to what")

    def space(self, *operands):
        raise NotImplementedError

    def __call__(self, x):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("shelf", "component", "said"),
    [
        ("reciprocities", Unfinished, "Unfinished does not define __call__"),
        ("reciprocities", Twisted, "the option 'weight' has a name that recipes give another meaning"),
        ("losses", Shadowing, "the option 'at' has a name that recipes give another meaning"),
        ("operators", Needy, "the option 'size' has no default, and expressions have no place for it"),
    ],
)
def test_what_a_recipe_could_not_say_is_refused(registries, shelf, component, said):
    with pytest.raises(PluginError, match=said):
        registries.shelves[shelf].add("new", component)
    assert "new" not in registries.shelves[shelf]


def test_keys_of_the_engine_are_reserved():
    assert {
        Component: {shelf.key for shelf in SHELVES},
        Dataset: DataKeys.written(),
        Network: NetworkKeys.written(),
        Loss: TermKeys.written(),
        Measure: MetricKeys.written(),
    } == RESERVED
    assert {"batch", "held_out"} < RESERVED[Dataset]
    assert "weight" in RESERVED[Loss]


def test_what_fails_half_way_is_taken_back_from_every_shelf(registries):
    def half():
        registries.divergences.add("cloud", Cloud)
        registries.schedules.add("ramp", Ramp)
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError), registries.owned_by("two"):
        half()
    assert list(registries.divergences) == ["fixed"]
    assert list(registries.schedules) == []
    assert registries.owner == "nobody"


def test_owners_nest(registries):
    with registries.owned_by("outer"):
        with registries.owned_by("inner"):
            registries.schedules.add("ramp", Ramp)
        registries.divergences.add("cloud", Cloud)
    assert registries.schedules.entries["ramp"].owner == "inner"
    assert registries.divergences.entries["cloud"].owner == "outer"


def test_contracts_say_which_operands_a_divergence_has():
    assert list(Fixed.operands) == ["of"]
    assert list(Cloud.operands) == ["of", "to"]
    assert Cloud.operands["to"].takes == {"samples"}
    assert Divergence.operands == {}
    assert issubclass(Ramp, Schedule)
