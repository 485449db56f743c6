"""Networks from elsewhere that tell classes apart: which classes, how they merge, and programs that are code."""

import json

import pytest
import torch
from torch import nn

import agekit
from agekit import plugins
from agekit.builtin.portrait import CLASSES
from agekit.train.play import play
from agekit.train.run import resume, start
from agekit.train.sources import load_programs, load_sources

from .runs import Quiet
from .tiny import TINY, game_of, recipe_of

SIX = ("background", "skin", "hair", "eyes", "mouth", "clothes")


class Pixelwise(agekit.Parser):
    """Scores of each pixel from its colour alone."""

    def build(self, sees, makes):
        return nn.Conv2d(sees[0].shape[0], makes.shape[0], 1)


class Agreement(agekit.Loss):
    """Mean squared difference of scores."""

    operands = {"of": agekit.Operand(), "to": agekit.Operand(like="of")}

    def __call__(self, of, to):
        return (of - to).square().mean((1, 2, 3))


COMPONENTS = {"pixelwise": ("parsers", Pixelwise), "agreement": ("losses", Agreement)}
AGREE = 'players.encoder.terms.agree={ loss = "agreement", of = "s(g(e(x)))", to = "s(x)" }'


def lists(names):
    return json.dumps(list(names))


def parsing(source, more=""):
    """Settings with a frozen parser, and a term that uses it."""
    return [f'networks.s={{ parser = "pixelwise", from = "{source}"{more} }}', AGREE]


def foreign(makes, classes):
    """Settings with a parser whose scores are of a kind that the data does not have."""
    return parsing("elsewhere", f', makes = "{makes}", class_names = {lists(classes)}')


def made_by(game, name="s"):
    with torch.no_grad():
        return game.networks[name](torch.rand(2, 3, 16, 16) * 2 - 1)


def test_a_parser_tells_apart_what_it_lists_where_the_data_names_nothing():
    game = game_of(*foreign("regions", SIX), components=COMPONENTS)
    assert made_by(game).shape == (2, 6, 16, 16)
    assert str(game.scope.networks["s"].makes) == "scores of regions [6×16×16]"
    assert all(value.isfinite() for value in game.step().terms["encoder"].values())


def test_merged_classes_have_the_sum_of_their_probabilities():
    mapping = '{ person = ["skin", "hair", "eyes", "mouth", "clothes"], background = ["background"] }'
    more = f', makes = "regions", class_names = {lists(SIX)}, class_mapping = {mapping}'
    game = game_of(*parsing("elsewhere", more), components=COMPONENTS)
    x = torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        merged = game.networks["s"](x).double().softmax(1)
        own = game.networks["s"].get_submodule("network")(x).double().softmax(1)
    assert torch.allclose(merged[:, 0], own[:, 1:].sum(1), atol=1e-6)
    assert torch.allclose(merged[:, 1], own[:, 0], atol=1e-6)


def test_merged_classes_stand_in_the_order_of_the_data():
    others = [name for name in CLASSES if name not in ("nose", "background")]
    own = ("tip", "bridge", "nothing", *others)
    mapping = {name: [name] for name in others} | {"background": ["nothing"], "nose": ["tip", "bridge"]}
    said = ", ".join(f"{name} = {lists(taken)}" for name, taken in mapping.items())
    game = game_of(
        *parsing("elsewhere", f", class_names = {lists(own)}, class_mapping = {{ {said} }}"), components=COMPONENTS
    )
    signature = game.scope.networks["s"]
    assert signature.makes.shape == (len(CLASSES), 16, 16)
    assert signature.merged is not None
    assert [own[group[0]] for group in signature.merged][:2] == ["nothing", "skin"]
    assert signature.merged[CLASSES.index("nose")] == (0, 1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('makes = "mask", class_names = ["a", "b"]', "makes the classes a, b, and mask has background, skin"),
        ('makes = "regions", class_names = ["a", "a"]', "class_names lists 'a' twice"),
        ('class_mapping = { a = ["b"] }', "does not say of which classes"),
        (
            'makes = "m", class_names = ["a", "skin"], class_mapping = { c = ["a", "skni"] }',
            "takes 'skni', .* mean skin",
        ),
        ('makes = "m", class_names = ["a", "b"], class_mapping = { c = ["a", "b"], d = ["b"] }', "takes 'b' twice"),
        ('makes = "m", class_names = ["a", "b", "c"], class_mapping = { d = ["a"] }', "leaves out b, c"),
        ('makes = "m", class_names = ["a"], class_mapping = { d = ["a"], e = [] }', "makes 'e' of nothing"),
        ('makes = "regions"', "nothing here is of kind 'regions'"),
    ],
)
def test_classes_that_make_no_sense_are_refused_before_anything_is_built(more, said):
    with pytest.raises(agekit.RecipeError, match=f"networks.s: .*{said}"):
        recipe_of(*parsing("elsewhere", f", {more}"), components=COMPONENTS)


# ---- a run's parser

TRAINING = """
[data]
dataset = "toyfaces"
size    = 16
count   = 16
batch   = 8
[networks]
s = { parser = "pixelwise" }
[players.parser]
owns = ["s"]
[players.parser.terms]
match = { loss = "label_gap", of = "s(x)", to = "mask" }
[views]
scores = { of = "s(x)", count = 4 }
[run]
steps = 2
"""


class LabelGap(agekit.Loss):
    """Minus the score of the right class."""

    operands = {"of": agekit.Operand(scores="to"), "to": agekit.Operand()}

    def __call__(self, of, to):
        return -of.gather(1, to[:, None]).mean((1, 2, 3))


@pytest.fixture
def trained(tmp_path):
    """The folder of a run that trained a parser on the cartoon faces."""
    recipe = recipe_of(text=TRAINING, components={**COMPONENTS, "label_gap": ("losses", LabelGap)})
    run = start(recipe, plugins.load(), tmp_path / "runs", "parser", Quiet(), tmp_path / "cache")
    assert play(run, Quiet())
    return run.folder.path


def test_a_runs_parser_serves_merged_or_as_it_is(trained):
    mapping = f'{{ face = {lists(CLASSES[1:])}, background = ["background"] }}'
    merged = f', makes = "regions", class_names = {lists(CLASSES)}, class_mapping = {mapping}'
    games = [game_of(*parsing(trained, more), components=COMPONENTS) for more in ("", merged)]
    for game in games:
        load_sources(game)
    plain, grouped = games
    x = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(plain.networks["s"](x), grouped.networks["s"].get_submodule("network")(x))


def test_a_run_that_tells_other_classes_apart_is_refused(trained):
    game = game_of(*parsing(trained, f', makes = "mask2", class_names = {lists(CLASSES)}'), components=COMPONENTS)
    load_sources(game)  # of that kind its data says nothing
    renamed = lists(["none", *CLASSES[1:]])
    more = f", class_names = {renamed}, class_mapping = {{ {', '.join(f'{n} = [{json.dumps(n)}]' for n in CLASSES[1:])}"
    game = game_of(*parsing(trained, more + ', background = ["none"] }'), components=COMPONENTS)
    with pytest.raises(agekit.RunError, match=r"tells apart background, skin, .* takes it to tell apart none, skin"):
        load_sources(game)


# ---- programs


def exported(path, channels=6, batch=None):
    """A program that scores each pixel by its colour, for any batch size unless one is given."""
    torch.manual_seed(3)
    network = nn.Conv2d(3, channels, 1).eval()
    dimensions = None if batch else {"input": {0: torch.export.Dim("n", min=1, max=64)}}
    program = torch.export.export(network, (torch.zeros(batch or 4, 3, 16, 16),), dynamic_shapes=dimensions)
    torch.export.save(program, path)
    return network


def programmed(file):
    return [f'networks.s={{ from = "{file}", makes = "regions", class_names = {lists(SIX)} }}', AGREE]


def test_a_program_runs_as_it_was_exported_where_it_is_trusted(tmp_path):
    network = exported(tmp_path / "theirs.pt2")
    game = game_of(*programmed(tmp_path / "theirs.pt2"), components=COMPONENTS)
    load_programs(game, trust=True)
    x = torch.rand(5, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(game.networks["s"](x), network(x), atol=1e-6)
    before = game.networks["e"].state_dict()["network.layers.0.weight"].clone()
    assert game.step().terms["encoder"]["agree"] > 0
    assert not torch.equal(before, game.networks["e"].state_dict()["network.layers.0.weight"])
    assert not [name for name, _ in game.named_tensors() if name.startswith("s.")]


def test_a_program_is_not_run_unasked(tmp_path):
    exported(tmp_path / "theirs.pt2")
    game = game_of(*programmed(tmp_path / "theirs.pt2"), components=COMPONENTS)
    with pytest.raises(agekit.RunError, match=r"networks.s.from: .*theirs.pt2 is a program, .* --trust allows it"):
        load_programs(game, trust=False)
    with pytest.raises(agekit.ComputeError, match="--trust"):
        game.step()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"channels": 5}, r"makes \[2, 5, 16, 16\] of a batch of 2, where \[2, 6, 16, 16\] fits"),
        ({"batch": 2}, r"cannot be applied to \[3, 3, 16, 16\]"),
    ],
)
def test_a_program_that_does_not_fit_is_refused_before_the_run(tmp_path, options, said):
    exported(tmp_path / "theirs.pt2", **options)
    with pytest.raises(agekit.RunError, match=f"networks.s.from: .*theirs.pt2 {said}"):
        load_programs(game_of(*programmed(tmp_path / "theirs.pt2"), components=COMPONENTS), trust=True)


def test_what_is_no_program_is_refused(tmp_path):
    (tmp_path / "text.pt2").write_text("nothing of the kind")
    for name, said in (("text.pt2", "is no exported program"), ("absent.pt2", "does not exist")):
        with pytest.raises(agekit.RunError, match=said):
            load_programs(game_of(*programmed(tmp_path / name), components=COMPONENTS), trust=True)


def test_a_program_is_neither_trained_nor_averaged():
    with pytest.raises(agekit.RecipeError, match="s is an exported program, and cannot be trained"):
        recipe_of(*programmed("theirs.pt2"), 'players.encoder.owns=["e", "s"]', components=COMPONENTS)
    with pytest.raises(agekit.RecipeError, match="s is an exported program, and never moves"):
        recipe_of(*programmed("theirs.pt2"), 'networks.t={ average_of = "s" }', components=COMPONENTS)


def test_a_run_with_a_program_notes_it_and_goes_on_where_it_is_trusted_again(tmp_path):
    exported(tmp_path / "theirs.pt2")
    recipe = recipe_of(*programmed(tmp_path / "theirs.pt2"), "run.stop_after=2", text=TINY, components=COMPONENTS)
    with pytest.raises(agekit.RunError, match="--trust"):
        start(recipe, plugins.load(), tmp_path / "runs", "no", Quiet(), tmp_path / "cache")
    assert not (tmp_path / "runs").exists()
    run = start(recipe, plugins.load(), tmp_path / "runs", "yes", Quiet(), tmp_path / "cache", trust=True)
    assert play(run, Quiet())
    noted = run.folder.read_mark()["programs"]["s"]
    assert noted["file"] == str(tmp_path / "theirs.pt2")
    assert len(noted["sha256"]) == 64
    longer = recipe_of(*programmed(tmp_path / "theirs.pt2"), "run.stop_after=3", text=TINY, components=COMPONENTS)
    with pytest.raises(agekit.RunError, match="--trust"):
        resume(longer, run.folder, Quiet(), tmp_path / "cache")
    assert play(resume(longer, run.folder, Quiet(), tmp_path / "cache", trust=True), Quiet())


def test_a_missing_source_is_told_before_anything_is_prepared_and_with_what_makes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place, said in (
        ("runs/factor_probe", "; it is made by: agekit run factor_probe --name factor_probe$"),
        ("mine/factor_probe", "; it is made by: agekit run factor_probe --name factor_probe --out .*mine$"),
        ("runs/nobody_s", "$"),
    ):
        source = tmp_path / place
        recipe = recipe_of(f'networks.s={{ encoder = "dcgan", width = 3, from = "{source}" }}', text=TINY)
        with pytest.raises(agekit.RunError, match=rf"networks.s.from: {source} does not exist{said}"):
            start(recipe, plugins.load(), tmp_path / "new", None, Quiet(), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
