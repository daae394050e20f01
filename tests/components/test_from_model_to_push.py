"""A trained model through compressor, scorecard, gate and pusher, as TFX runs them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tfx.dsl.components.common.importer import Importer
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing

from contracts.digits import LABELS, PER_CLASS, write_examples, write_trained_model
from roadworthy.components.compressor.component import Compressor
from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.component import Gate
from roadworthy.components.gate.verdict import VERDICT_FILE, Verdict
from roadworthy.components.pushers.model_root import ModelRootPusher
from roadworthy.components.pushers.pushed import PUSHED_FILE, Pushed
from roadworthy.components.scorecard import card
from roadworthy.components.scorecard.component import BaselineScore, Scorecard
from roadworthy.models.compression.recipe import Quantize, Recipe, Step
from roadworthy.models.measure.answers import read_answers, read_truth, write_answers
from roadworthy.models.measure.quality import quality_of
from roadworthy.models.measure.size import measure_size
from roadworthy.pipeline.runners.local import run_local
from roadworthy.serving.contract import ModelCard

RECIPE = Recipe(name="int8", steps=(Step(quantize=Quantize(calibration_images=16)),))
FITS = Budgets(max_quality_drop=1, max_size="90%")
MISSES = Budgets(max_quality_drop=1, max_size="0.1%")


class Road:
    """The pipeline in a folder of its own, to be run again and again."""

    def __init__(self, home):
        self.home = home
        self.served = home / "served"
        write_examples(home / "examples")
        write_trained_model(home / "trained")

    def run(self, budgets):
        """Runs it; returns the runner's result and the state of each node."""
        result = run_local(self.pipeline(budgets), on_event=lambda event: None)
        return result, {event.node: event.state for event in result.events}

    def pipeline(self, budgets):
        splits = {"split_names": json.dumps(sorted(PER_CLASS))}
        examples = Importer(str(self.home / "examples"), Examples, properties=splits).with_id("Examples")
        trained = Importer(str(self.home / "trained"), Model).with_id("Trained")
        inputs = {"examples": examples.outputs["result"]}
        model = trained.outputs["result"]
        compressor = Compressor(
            model=model, trained=model, steps=RECIPE.steps, variant=RECIPE.name, batch_size=8, **inputs
        ).with_id("Compressor.int8")
        variants = {"int8": compressor.outputs["model"]}
        scorecard = Scorecard(
            parent=trained.outputs["result"], variants=variants, latency_calls=20, threads=1, **inputs
        )
        resolver = Resolver(
            strategy_class=LatestBlessedModelStrategy,
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        ).with_id("LastBlessed")
        baseline = BaselineScore(scorecard=scorecard.outputs["scorecard"], model=resolver.outputs["model"], **inputs)
        gate = Gate(
            scorecard=scorecard.outputs["scorecard"],
            baseline=baseline.outputs["baseline"],
            variants=variants,
            settings=GateSettings(budgets=budgets),
        )
        pusher = ModelRootPusher(
            model=gate.outputs["model"],
            model_blessing=gate.outputs["blessing"],
            model_root=self.served,
            name="digits",
        )
        return Pipeline(
            pipeline_name="road",
            pipeline_root=str(self.home / "root"),
            components=[examples, trained, compressor, scorecard, resolver, baseline, gate, pusher],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(self.home / "metadata.db")),
            enable_cache=True,
        )


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    return Road(tmp_path_factory.mktemp("road"))


@pytest.fixture(scope="module")
def refused(road):
    return road.run(MISSES)[0], road.served.exists()


@pytest.fixture(scope="module")
def first(road, refused):
    return road.run(FITS)


@pytest.fixture(scope="module")
def second(road, first):
    return road.run(FITS)


@pytest.fixture(scope="module")
def third(road, second):
    shutil.rmtree(road.served)
    return road.run(FITS)


def read_scorecard(result):
    return card.Scorecard.model_validate_json(
        (Path(result.output("Scorecard", "scorecard")) / "scorecard.json").read_text()
    )


def read_baseline(result):
    return card.Baseline.model_validate_json(
        (Path(result.output("BaselineScore", "baseline")) / "baseline.json").read_text()
    )


def read_verdict(result):
    return Verdict.model_validate_json((Path(result.output("Gate", "blessing")) / VERDICT_FILE).read_text())


def read_pushed(result):
    return Pushed.model_validate_json(
        (Path(result.output("ModelRootPusher", "pushed_model")) / PUSHED_FILE).read_text()
    )


def test_a_run_whose_variants_miss_ends_well_and_says_what_they_missed(refused):
    result, _ = refused
    assert read_verdict(result).missed("int8") == ("max_size",)
    assert (Path(result.output("Gate", "blessing")) / "NOT_BLESSED").is_file()
    assert list(Path(result.output("Gate", "model")).iterdir()) == []


def test_a_run_whose_variants_miss_pushes_nothing(refused):
    result, served = refused
    assert read_pushed(result) == Pushed()
    assert not served


def test_the_compressor_writes_a_version_folder_with_the_recipes_name(first):
    version = Path(first[0].output("Compressor.int8", "model")) / "Format-Serving"
    assert (version / "model.tflite").is_file()
    assert ModelCard.read(version).variant == "int8"


def test_the_scorecard_holds_parent_and_variant_measured_from_their_files(first, road):
    scorecard = read_scorecard(first[0])
    (int8,) = scorecard.variants
    assert (scorecard.parent.variant, int8.variant) == ("parent", "int8")
    assert (scorecard.parent.format, int8.format) == ("saved_model", "litert")
    assert (scorecard.parent.quality_source, int8.quality_source) == ("tfma", "litert")
    assert scorecard.parent.size_bytes == measure_size(road.home / "trained" / "Format-Serving").raw_bytes
    assert int8.examples == PER_CLASS["test"] * len(LABELS)
    assert int8.latency.calls == 20
    assert scorecard.parent.parity is None
    assert int8.parity.agreement > 0.8
    assert [record.step.kind for record in int8.steps] == ["quantize"]
    assert {one.value for one in int8.slices} == set(LABELS)
    assert all(one.drop_interval is not None for one in int8.slices)
    assert np.sum(int8.confusion) == int8.examples
    assert {layer.dtype for layer in int8.layers} == {"int8"}
    assert int8.peak_memory_bytes < scorecard.parent.peak_memory_bytes
    assert set(int8.recall) == set(LABELS)


def test_the_parents_quality_by_tfma_is_ours(first, road):
    parent = read_scorecard(first[0]).parent
    files = [f"{road.home}/examples/Split-test/*"]
    truth = read_truth(files)
    write_answers(road.home / "trained" / "Format-Serving", files, truth=truth, out=road.home / "answers.npy")
    ours = quality_of(read_answers(road.home / "answers.npy"), truth, LABELS)
    assert parent.accuracy == pytest.approx(ours.accuracy, abs=1e-12)
    assert parent.recall == pytest.approx(ours.recall, abs=1e-12)
    assert parent.examples == ours.examples
    assert len(set(np.round(list(ours.recall.values()), 6))) > 1


def test_tfmas_own_result_lies_beside_the_scorecard(first):
    import tensorflow_model_analysis as tfma

    result = tfma.load_eval_result(str(Path(first[0].output("Scorecard", "scorecard")) / "tfma" / "parent"))
    assert len(result.slicing_metrics) == 1 + len(LABELS)


def test_the_blessed_variant_is_pushed(first, road):
    pushed = read_pushed(first[0])
    assert pushed == Pushed(path=str(road.served / "digits" / "1"), version=1)
    compressed = Path(first[0].output("Compressor.int8", "model")) / "Format-Serving" / "model.tflite"
    assert (road.served / "digits" / "1" / "model.tflite").read_bytes() == compressed.read_bytes()


def test_before_the_first_blessing_there_is_no_baseline(first):
    assert read_baseline(first[0]).model is None


def test_other_budgets_alone_do_not_measure_again(first):
    states = first[1]
    assert {states["Compressor.int8"], states["Scorecard"], states["BaselineScore"]} == {"cached"}
    assert states["Gate"] == "done"


def test_the_next_run_compares_with_the_variant_that_was_blessed(first, second):
    baseline = read_baseline(second[0]).model
    assert baseline.variant == "int8"
    assert baseline.uri == read_scorecard(first[0]).variants[0].uri
    assert [check.against for check in read_verdict(second[0]).variants[0].checks] == [
        "parent",
        "last blessed",
        "parent",
    ]


def test_the_variants_are_compared_with_it_image_by_image(second):
    beside = read_baseline(second[0]).parities["int8"]
    assert (beside.agreement, beside.max_difference, beside.accuracy_drop) == (1, 0, 0)
    assert not any("not paired" in check.note for check in read_verdict(second[0]).variants[0].checks)


def test_the_next_run_takes_the_heavy_nodes_from_the_cache_and_pushes_nothing_new(second):
    result, states = second
    assert {states["Compressor.int8"], states["Scorecard"]} == {"cached"}
    assert (read_pushed(result).version, read_pushed(result).already) == (1, True)


def test_a_model_root_that_was_deleted_is_pushed_to_again(third, road):
    result, states = third
    assert {states["Scorecard"], states["BaselineScore"], states["Gate"]} == {"cached"}
    assert (read_pushed(result).version, read_pushed(result).already) == (1, False)
    assert (road.served / "digits" / "1" / "model.tflite").is_file()
