"""Every value of a recipe knows the line it was written on."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agekit.errors import RecipeError
from agekit.recipe.source import DEEPEST, LARGEST_BYTES, Document, parse, read

TEXT = '''\
# a comment
seed = 1

[data]
dataset = "shapes"  # another
root = """
[not.a.table]
a = 1
"""
fields.l = "grey(x)"
"quoted key" = 3

[networks]
g = { generator = "tiny", sees = ["z", "l"] }

[latent.options]
list = [
  1,
  { deep = 2 },
]
after = 1

[[stages]]
name = "one"
[[stages]]
data.batch = 256
[stages.players.encoder]
updates = 2
[[stages.notes]]
text = "a"
[[stages.notes]]
text = "b"
'''

LINES = {
    ("seed",): 2,
    ("data",): 4,
    ("data", "dataset"): 5,
    ("data", "root"): 6,
    ("data", "fields", "l"): 10,
    ("data", "quoted key"): 11,
    ("networks", "g"): 14,
    ("networks", "g", "generator"): 14,
    ("networks", "g", "sees", 1): 14,
    ("latent", "options"): 16,
    ("latent", "options", "list"): 17,
    ("latent", "options", "list", 1, "deep"): 17,
    ("latent", "options", "after"): 21,
    ("stages", 0): 23,
    ("stages", 0, "name"): 24,
    ("stages", 1): 25,
    ("stages", 1, "data", "batch"): 26,
    ("stages", 1, "players", "encoder"): 27,
    ("stages", 1, "players", "encoder", "updates"): 28,
    ("stages", 1, "notes", 0, "text"): 30,
    ("stages", 1, "notes", 1, "text"): 32,
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_key_knows_its_line(newline):
    document = parse(TEXT.replace("\n", newline), "a.toml")
    assert {key: document.origins.get(key) for key in LINES} == {key: f"a.toml:{n}" for key, n in LINES.items()}
    assert document.tree == tomllib.loads(TEXT)


def test_what_no_line_says_has_the_place_around_it_or_the_file():
    document = parse(TEXT, "a.toml")
    assert document.origin(("networks", "g", "width")) == "a.toml:14"
    assert document.origin(("stages", 1, "latent", "dim")) == "a.toml:25"
    assert document.origin(("players",)) == "a.toml"
    assert Document({"a": 1}).origin(("a",)) == ""


@pytest.mark.parametrize("separator", ["\u2028", "\x85"])
def test_only_line_ends_of_toml_count(separator):
    document = parse(f'a = "one{separator}line"\nb = 2\n', "a.toml")
    assert document.origin(("b",)) == "a.toml:2"


KEYS = st.text("abc", min_size=1, max_size=3)
WHOLE = st.integers(-(2**63), 2**63 - 1)
VALUES = st.one_of(WHOLE, st.booleans(), st.text("xyz[]=#\"'\n{},\\", max_size=5), st.lists(WHOLE, max_size=3))


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_the_line_of_every_key_holds_that_key(tables):
    import tomli_w

    text = tomli_w.dumps(tables)
    document = parse(text, "a.toml")
    assert document.tree == tables
    lines = text.splitlines()
    for table, entries in tables.items():
        for key in entries:
            line = int(document.origins[(table, key)].removeprefix("a.toml:"))
            assert lines[line - 1].startswith(f"{key} = ")


def test_what_is_no_toml_names_its_line():
    with pytest.raises(RecipeError) as caught:
        parse("a = 1\nb = = 2\n", "a.toml")
    assert str(caught.value) == "a.toml:2: not TOML: Invalid value"


def test_an_unfinished_file_names_the_file():
    with pytest.raises(RecipeError, match=r"^a\.toml: not TOML: .*end of document"):
        parse("a = [1,\n", "a.toml")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 20_000 + "]" * 20_000,
        ".".join(["a"] * 20_000) + " = 1",
        "[" + ".".join(["a"] * 20_000) + "]",
        ".".join(["a"] * (DEEPEST + 1)) + " = 1",
    ],
)
def test_deep_nesting_is_refused(text):
    with pytest.raises(RecipeError, match="nested deeper than 64"):
        parse(text, "a.toml")


def test_nesting_up_to_the_limit_is_read():
    parse(".".join(["a"] * DEEPEST) + " = 1", "a.toml")


def test_files_that_cannot_be_read_are_errors(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read: No such file"):
        read(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="cannot be read: Is a directory"):
        read(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes('a = "é"'.encode("latin-1"))
    with pytest.raises(RecipeError, match="is not UTF-8 text: byte 5"):
        read(latin)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (LARGEST_BYTES + 1))
    with pytest.raises(RecipeError, match="larger than"):
        read(large)
