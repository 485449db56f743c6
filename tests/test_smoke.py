"""Every shipped recipe trains on small data in the official layout."""

import json
import math
from pathlib import Path

import pytest
import torch

import agekit
from agekit import plugins
from agekit.recipe.find import shipped
from agekit.train.play import play
from agekit.train.run import start

from .layouts import LAYOUTS
from .runs import Quiet

RECIPES = Path(__file__).parent.parent / "recipes"
BATCH = 4
SMALL = (
    f"data.batch={BATCH}",
    "run.log_every=1",
    "run.pictures_every=2",
    "run.checkpoint_every=2",
    "run.stop_after=2",
    'compute.device="cpu"',
)


@pytest.fixture(autouse=True)
def repeatable():
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


def small(path, root):
    """The recipe on a handful of samples, its networks narrow, its batches small, one step in each of its stages."""
    recipe = agekit.load(path)
    built = [name for name, spec in recipe.networks.items() if spec.keys.average_of is None]
    settings = [*SMALL, *(f"networks.{name}.width=2" for name in built)]
    for position, stage in enumerate(recipe.document.tree.get("stages", ())):
        settings += [f"stages.{position}.steps={2 if len(recipe.stages) == 1 else 1}"]
        settings += [f"stages.{position}.data.batch={BATCH}"] if "data" in stage else []
    if recipe.dataset_name in LAYOUTS:
        LAYOUTS[recipe.dataset_name](root, 4 * BATCH)
        settings.append(f'data.root="{root}"')
    else:
        settings.append(f"data.count={4 * BATCH}")
    if "count" in recipe.document.tree["data"].get("held_out", {}):
        settings.append(f"data.held_out.count={2 * BATCH}")
    return agekit.load(path, *settings)


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_a_recipe_trains_for_two_steps(name, tmp_path):
    recipe = small(RECIPES / f"{name}.toml", tmp_path / "data")
    run = start(recipe, plugins.load(), tmp_path / "runs", None, Quiet(), tmp_path / "cache")
    assert play(run, Quiet())
    lines = [json.loads(line) for line in run.folder.metrics.read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert {line["stage"] for line in lines} == {stage.keys.name for stage in recipe.stages}
    terms = [value for line in lines for terms in line["terms"].values() for value in terms.values()]
    assert len(terms) == 2 * sum(len(player.terms) for player in recipe.stages[0].players)
    assert all(map(math.isfinite, terms))
    pictures = {path.name for path in run.folder.pictures.glob("*-000000002.png")}
    shown = {"samples", "reconstructions"} & recipe.stages[0].views.keys()
    assert pictures >= {f"{view}-000000002.png" for view in shown}
    assert shown or name in ("classifier_fashion_mnist", "factor_probe")
    assert sum(path.stat().st_size for path in run.folder.events.iterdir()) > 1000
    assert [path.name for path in run.folder.checkpoints.iterdir()] == ["step-000000002"]


def test_no_shipped_recipe_is_left_out():
    covered = {path.stem for path in RECIPES.glob("*.toml")}
    assert covered >= {"age_celeba", "age_celeba_2018", "age_cifar10", "age_cifar10_2018", "age_fashion_mnist"}
    assert covered >= {
        f"{b}pioneer_style_{data}" for b in ("", "balanced_") for data in ("celeba", "cifar10", "toyfaces")
    }
    assert covered >= {f"age_{data}_generator_recon" for data in ("celeba", "cifar10", "toyfaces")}
    assert covered >= {"age_folder", "age_mnist", "age_svhn", "age_tiny_imagenet"}
    assert covered <= shipped().keys()
