"""Judging a run afterwards: what is taken, by which protocol, and what is left behind."""

import json
import shutil
from pathlib import Path

import pytest

from agekit.builtin.metrics import Spread
from agekit.cli import main
from agekit.errors import AgekitError, RunError
from agekit.evaluate import Wanted, evaluate, evaluations
from agekit.plugins import load
from agekit.train.checkpoint import checkpoints
from agekit.train.folder import RunFolder, open_run

from .runs import Killed, Quiet, begin, damage, go_on, killed
from .tiny import TINY

pytestmark = pytest.mark.usefixtures("elsewhere")

BEST = (
    TINY.replace("steps            = 12", 'steps = 12\nmetrics_every = 2\nbest = "lowest far.value"').replace(
        "[views]", '[views]\naverages = "t(z)"'
    )
    + """
[data.held_out]
share = 0.5

[metrics]
far = { reciprocity = "l1", of = "g(e(x))", to = "x" }

[networks.t]
average_of = "g"
decay      = 0.9
"""
)


class Picky(Spread):
    """A spread with an option that nobody can guess."""

    taste: str


class Weighted(Spread):
    """A spread that has weights of its own."""

    def provenance(self):
        return {"network": "somebody's", "sha256": "abcdef0123"}


@pytest.fixture(scope="module")
def played(tmp_path_factory, cache):
    """The folder of a finished run, which keeps its best checkpoint."""
    home = tmp_path_factory.mktemp("played")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("AGEKIT_CACHE", str(cache))
        begin("run", BEST)
    return home / "runs" / "run"


@pytest.fixture
def run(played, tmp_path):
    """A copy of it, to be written to."""
    return RunFolder(Path(shutil.copytree(played, tmp_path / "run")))


def judged(folder, **wanted):
    return [one for one, _ in evaluate(folder, Wanted(**wanted), load())]


def last(folder, **wanted):
    (found,) = judged(folder, which="last", **wanted)
    return found


def test_the_views_and_reciprocities_are_judged_beside_the_recipes_own_metrics(run):
    found = last(run, seeds=2)
    pictures = {f"reconstructions_{name}" for name in ("l2", "psnr", "ssim", "sharpness")}
    codes = {"generator_recover_cosine", "generator_recover_l2", "codes_spectrum", "codes_mmd", "codes_kl_sphere"}
    assert {"far", "samples_sharpness", "averages_sharpness", *pictures, *codes} <= found.metrics.keys()
    assert "reconstructions_l1" not in found.metrics  # which is far
    divergences = {f"codes_{name}" for name in load().registries.divergences}
    assert divergences == {name for name in (*found.metrics, *found.left_out) if name in divergences}
    assert all("closed form" in why for why in found.left_out.values())
    assert {"value", "ideal", "excess"} == found.metrics["codes_mmd"].values.keys()


def test_the_numbers_are_those_of_training_at_the_last_step_and_at_the_best(run):
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    values = {line["step"]: line["metrics"]["far"]["value"] for line in lines if "metrics" in line}
    assert len(values) == 6
    best = min(values, key=lambda step: values[step])
    first, second = judged(run, seeds=1, metrics=("far",))
    assert (first.checkpoint, first.step, first.chosen_by) == ("last", 12, "")
    assert (second.checkpoint, second.step, second.chosen_by) == ("best", best, "lowest far.value")
    assert first.metrics["far"].values["value"].mean == pytest.approx(values[12], rel=1e-5)
    assert second.metrics["far"].values["value"].mean == pytest.approx(values[best], rel=1e-5)


def test_a_protocol_says_all_that_two_numbers_must_share(run):
    found = last(run, metrics=("far", "generator_recover_cosine", "samples_sharpness"), seeds=3)
    far = found.metrics["far"].protocol
    assert (far.samples, far.split, far.split_from_seed, far.real, far.generated) == (
        "held out",
        "0.5 of train",
        True,
        20,
        0,
    )
    assert (far.weights, far.statistics, far.seeds) == ("raw", "recalibrated", (0, 1, 2))
    assert (far.metric, far.picture) == ("reciprocity l1(of = g(e(x)), to = x)", "x [3×16×16]")
    assert (
        far.said == "20 held-out samples (0.5 of train, from the seed), raw weights, recalibrated statistics, 3 seeds"
    )
    assert last(run, metrics=("far",)).metrics["far"].protocol == far
    sharp = found.metrics["samples_sharpness"].protocol
    assert (sharp.real, sharp.generated) == (20, 20)
    cosine = found.metrics["generator_recover_cosine"]
    assert (cosine.protocol.samples, cosine.protocol.generated, cosine.protocol.real) == ("draws", 1024, 0)
    each = cosine.values["value"].each
    assert len(set(each)) == 3
    assert cosine.values["value"].mean == pytest.approx(sum(each) / 3)
    for wanted in ({"seeds": 2}, {"count": 10}, {"statistics": "running"}, {"split": "training"}, {"split": "test"}):
        assert last(run, metrics=("far",), **wanted).metrics["far"].protocol != far, wanted


def test_another_split_is_another_protocol_and_other_samples(run):
    training, test = (last(run, metrics=("far",), split=split).metrics["far"] for split in ("training", "test"))
    assert (training.protocol.samples, training.protocol.split) == ("training", "train")
    assert (test.protocol.samples, test.protocol.split, test.protocol.split_from_seed) == ("held out", "test", False)
    assert len({training.values["value"].mean, test.values["value"].mean}) == 2


def test_averages_stand_for_what_they_are_of_where_that_is_asked_for(run):
    wanted = ("samples_sharpness", "averages_sharpness")
    raw, ema, plain = (last(run, metrics=wanted, weights=weights).metrics for weights in ("raw", "ema", None))
    ratio = {
        (kind, name): metrics[name].values["ratio"].mean
        for kind, metrics in (("raw", raw), ("ema", ema), ("plain", plain))
        for name in wanted
    }
    assert ratio["raw", wanted[0]] == ratio["raw", wanted[1]] == ratio["plain", wanted[0]]
    assert ratio["ema", wanted[0]] == ratio["ema", wanted[1]] == ratio["plain", wanted[1]]
    assert ratio["plain", wanted[0]] != ratio["plain", wanted[1]]
    kinds = [metrics[name].protocol.weights for metrics in (raw, ema, plain) for name in wanted]
    assert kinds == ["raw", "raw", "ema", "ema", "raw", "ema"]


def test_components_are_taken_of_what_they_fit(run):
    found = last(run, metrics=("neighbours", "edges", "spread", "energy"), seeds=1).metrics
    assert found.keys() == {
        *("samples_neighbours", "averages_neighbours", "reconstructions_edges", "codes_spread", "codes_energy")
    }
    copies = found["samples_neighbours"].protocol
    assert (copies.samples, copies.real, copies.generated) == ("training", 20, 2048)
    with pytest.raises(AgekitError, match="is called 'enrgy'; did you mean energy"):
        last(run, metrics=("enrgy",))
    with pytest.raises(AgekitError, match=r"no view of the run is what metric iou is taken of; --set 'metrics\.iou="):
        last(run, metrics=("iou",))
    loaded = load()
    loaded.registries.metrics.add("picky", Picky)
    with pytest.raises(
        AgekitError, match=r"metric picky has to be told taste; --set '.*, of = …, taste = … }' says it"
    ):
        list(evaluate(run, Wanted(metrics=("picky",)), loaded))


def test_metrics_and_networks_are_added_on_the_command_line(run, tmp_path):
    settings = (
        f'networks.f={{ encoder = "dcgan", width = 3, from = "{tmp_path / "weights.safetensors"}" }}',
        'metrics.space={ metric = "prdc", of = "f(g(z))", to = "f(x)", count = 12 }',
    )
    from safetensors.torch import load_file, save_file

    tensors = load_file(checkpoints(run.checkpoints)[-1].path / "weights.safetensors")
    save_file({n.removeprefix("e."): t for n, t in tensors.items() if n[:2] == "e."}, tmp_path / "weights.safetensors")
    found = last(run, metrics=("space",), settings=settings).metrics["space"]
    assert {"precision", "recall", "density", "coverage"} == found.values.keys()
    (extractor,) = found.protocol.extractors
    assert (extractor.name, len(extractor.sha256)) == ("f", 64)
    assert (found.protocol.real, found.protocol.generated) == (12, 12)
    with pytest.raises(AgekitError, match=r"--set run\.seed: a run is judged as it was trained"):
        last(run, settings=("run.seed=4",))


def test_what_a_metric_brings_itself_is_part_of_the_protocol(run):
    loaded = load()
    loaded.registries.metrics.add("weighted", Weighted)
    (one, _), *_ = evaluate(run, Wanted(metrics=("weighted",), which="last"), loaded)
    protocol = one.metrics["codes_weighted"].protocol
    assert [(e.name, e.said, e.sha256) for e in protocol.extractors] == [
        ("metric weighted", "somebody's", "abcdef0123")
    ]
    assert "metric weighted abcdef01, raw weights" in protocol.said


def test_evaluations_are_written_and_read(run):
    (one, path), *_ = evaluate(run, Wanted(metrics=("far",), which="last"), load())
    assert path.parent == run.path / "evaluations"
    assert evaluations(run.path) == [one]
    list(evaluate(run, Wanted(metrics=("far",), which="last"), load()))
    assert len(evaluations(run.path)) == 1
    list(evaluate(run, Wanted(metrics=("far",), which="last", seeds=1), load()))
    assert len(evaluations(run.path)) == 2
    path.write_text("{}")
    with pytest.raises(RunError, match="cannot be read"):
        evaluations(run.path)


def test_what_is_not_there_is_told(run):
    shutil.rmtree(run.best)
    with pytest.raises(RunError, match=r'has no best checkpoint; run\.best = "lowest METRIC\.VALUE"'):
        judged(run, which="best")
    damage(checkpoints(run.checkpoints)[-1].path / "weights.safetensors")
    with pytest.raises(RunError, match="is damaged"):
        judged(run, which="last", metrics=("far",))
    shutil.rmtree(run.checkpoints)
    with pytest.raises(RunError, match="has no checkpoint yet"):
        judged(run)


def test_the_best_checkpoint_is_the_same_after_any_interruption():
    begin("whole", BEST)
    with pytest.raises(Killed):
        begin("cut", BEST, Quiet(7, killed))
    go_on("cut", BEST)
    whole, cut = (RunFolder(Path("runs") / name).best for name in ("whole", "cut"))
    (one,), (other,) = checkpoints(whole), checkpoints(cut)
    assert one.path.name == other.path.name
    assert (one.path / "weights.safetensors").read_bytes() == (other.path / "weights.safetensors").read_bytes()
    assert one.state()["best"] == other.state()["best"]


def test_the_table_shows_every_number_with_how_it_was_taken(run, capsys):
    assert main(["eval", str(run.path), "--metrics", "far", "codes_spectrum", "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    head, first, *_ = out.splitlines()
    assert head.split()[:6] == ["metric", "value", "last,", "step", "12", "best,"]
    number = evaluations(run.path)[-1].metrics["far"].values["value"].mean
    assert first.split()[:3] == ["far", "value", f"{number:.4g}"]
    assert first.split()[4] == "a"
    assert "12 more" in out
    assert "\na       20 held-out samples (0.5 of train, from the seed), raw weights, recalibrated" in out
    assert "\nseeds   2; a number that is quoted takes 3 or more" in out
    assert main(["eval", str(run.path), "--metrics", "far", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["checkpoint"] for line in lines] == ["last", "best"]
    assert main(["eval", str(run.path), "--seeds", "0"]) == 1
    assert "--seeds 0: one at least fits" in capsys.readouterr().err


def test_a_run_can_be_opened_for_its_share_again(run):
    assert open_run(run.path).marked_data().held_out is not None
