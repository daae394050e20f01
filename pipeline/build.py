"""RunConfig -> TFX pipeline. The one place that knows how the nodes hang together."""

from pathlib import Path
from typing import Final

from ml_metadata.proto import metadata_store_pb2
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration.pipeline import Pipeline
from tfx.types.channel import BaseChannel, Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from roadworthy.components.data_check.component import DataCheck
from roadworthy.components.data_check.statistics import SPLITS_WITHOUT_SCHEMA, image_statistics
from roadworthy.components.gate.component import Gate
from roadworthy.components.ingest.component import ImageFolderExampleGen
from roadworthy.components.pushers.last_pushed import LastPushed
from roadworthy.components.pushers.model_root import ModelRootPusher
from roadworthy.components.pushers.vertex import VertexPusher
from roadworthy.components.scorecard.component import BaselineScore, Scorecard
from roadworthy.components.serving_check.component import ChosenInfraValidator, ServingCheck
from roadworthy.components.trainer.component import FineTuner
from roadworthy.models.finetuning.adopt import ADOPTED
from roadworthy.models.finetuning.run_fn import TRAINING_RUN
from roadworthy.pipeline.beam.arguments import beam_arguments
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.deploying import vertex_push
from roadworthy.pipeline.parameters import BUDGETS, DATA_ROOT, FULL_EPOCHS, HEAD_EPOCHS
from roadworthy.pipeline.place import Place, local_place
from roadworthy.pipeline.recipe_steps import variant_id
from roadworthy.pipeline.recipe_tree import recipe_nodes

RUN_FN: Final = "roadworthy.models.finetuning.run_fn.run_fn"
ADOPT_FN: Final = "roadworthy.models.finetuning.adopt.run_fn"
METADATA_FILE: Final = "metadata.sqlite"


def build_pipeline(config: RunConfig, place: Place | None = None) -> Pipeline:
    """The pipeline of a run; building it reads and writes nothing.

    Args:
        config: checked, with absolute paths.
        place: where it runs; None: on this machine.
    """
    place = place or local_place(config)
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=place.root,
        metadata_connection_config=_sqlite(config.output / METADATA_FILE),
        components=_components(config, place),
        enable_cache=place.caching,
    )


def _sqlite(path: Path) -> metadata_store_pb2.ConnectionConfig:
    """A metadata store in one file, made when it is first used; TFX's own function would make its folder here."""
    source = metadata_store_pb2.SqliteMetadataSourceConfig(
        filename_uri=str(path),
        connection_mode=metadata_store_pb2.SqliteMetadataSourceConfig.ConnectionMode.READWRITE_OPENCREATE,
    )
    return metadata_store_pb2.ConnectionConfig(sqlite=source)


def _components(config: RunConfig, place: Place) -> list[BaseNode]:
    ingest, checks = _data(config, place)
    examples = ingest.outputs["examples"]
    trainer = _trained(config, place, examples)
    trainer.add_upstream_node(checks[-1])
    parent = trainer.outputs["model"]
    compressors = recipe_nodes(config, parent, examples, varying=place.varying)
    variants = {
        recipe.name: compressors[variant_id(recipe.name)].outputs["model"] for recipe in config.compress.recipes
    }
    return [ingest, *checks, trainer, *compressors.values(), *_judgement(config, place, parent, variants, examples)]


def _data(config: RunConfig, place: Place) -> tuple[ImageFolderExampleGen, list[BaseNode]]:
    """Ingest, and the chain of checks that ends in one that stops the run."""
    data = config.data
    ingest = ImageFolderExampleGen(
        place.data,
        splits=data.splits.model_dump(),
        max_bad_fraction=data.max_bad_fraction,
        base=place.varying.get(DATA_ROOT),
    )
    statistics = StatisticsGen(examples=ingest.outputs["examples"], stats_options=image_statistics())
    schema = SchemaGen(
        statistics=statistics.outputs["statistics"],
        infer_feature_shape=True,
        exclude_splits=list(SPLITS_WITHOUT_SCHEMA),
    )
    for node in (ingest, statistics):
        node.with_beam_pipeline_args(list(place.beam) or beam_arguments(config.beam.workers))
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    return ingest, [statistics, schema, validator, DataCheck(anomalies=validator.outputs["anomalies"])]


def _trained(config: RunConfig, place: Place, examples: BaseChannel) -> FineTuner:
    """Fine-tunes a model or, where the config names a trained one, takes that."""
    run_fn, custom_config, node_id = (
        (RUN_FN, {TRAINING_RUN: config.training_run().model_dump_json()}, "Trainer")
        if config.trained is None
        else (ADOPT_FN, {ADOPTED: config.trained.model_dump_json()}, "TrainedModel")
    )
    trainer = FineTuner(
        run_fn=run_fn,
        examples=examples,
        custom_config=custom_config,
        head_epochs=place.varying.get(HEAD_EPOCHS),
        full_epochs=place.varying.get(FULL_EPOCHS),
    )
    trainer.with_id(node_id)
    return trainer


def _judgement(
    config: RunConfig, place: Place, parent: BaseChannel, variants: dict[str, BaseChannel], examples: BaseChannel
) -> list[BaseNode]:
    """Scorecard, the last blessed model's score, gate, rehearsal and push."""
    scorecard = Scorecard(parent=parent, examples=examples, variants=variants, **config.scorecard.model_dump())
    blessed = _last_blessed(config, place)
    for node in blessed:
        node.add_upstream_node(scorecard)  # a fault of this run's own data or model should show first
    baseline = BaselineScore(
        examples=examples,
        scorecard=scorecard.outputs["scorecard"],
        model=blessed[0].outputs["model"] if blessed else None,
    )
    for node in (scorecard, baseline):
        node.with_beam_pipeline_args(beam_arguments(1))  # what they measure has the machine to itself
    gate = Gate(
        scorecard=scorecard.outputs["scorecard"],
        baseline=baseline.outputs["baseline"],
        variants=variants,
        settings=config.gate,
        budgets={name: place.varying[name] for name in BUDGETS if name in place.varying},
    )
    return [scorecard, *blessed, baseline, gate, *_delivery(config, place, gate, examples)]


def _last_blessed(config: RunConfig, place: Place) -> list[BaseNode]:
    """Finds the model that this run's have to be as good as; nothing where none could be found."""
    if place.resolvers:
        resolver = Resolver(
            strategy_class=LatestBlessedModelStrategy,
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        )
        return [resolver.with_id("LatestBlessed")]
    if place.model_root is None:
        return []
    pushed = LastPushed(model_root=place.model_root, name=config.name, run_id=place.run_id or "")
    return [pushed.with_id("LatestBlessed")]


def _delivery(config: RunConfig, place: Place, gate: Gate, examples: BaseChannel) -> list[BaseNode]:
    """The rehearsal of what the gate chose, and its push."""
    if config.push is None:
        return []
    chosen = {"model": gate.outputs["model"], "model_blessing": gate.outputs["blessing"]}
    rehearsal = None
    if config.rehearsal is not None:
        check = ServingCheck if config.rehearsal.by == "roadworthy" else ChosenInfraValidator
        rehearsal = check(**chosen, examples=examples, name=config.name, settings=config.rehearsal)
    pusher = ModelRootPusher(
        **chosen,
        infra_blessing=rehearsal and rehearsal.outputs["blessing"],
        model_root=place.model_root,
        name=config.name,
        run_id=place.run_id,
    )
    return [*([rehearsal] if rehearsal else []), pusher, *_deployment(config, place, chosen, rehearsal, examples)]


def _deployment(
    config: RunConfig, place: Place, chosen: dict[str, BaseChannel], rehearsal: BaseNode | None, examples: BaseChannel
) -> list[BaseNode]:
    """The way to all traffic at Vertex AI, where a run is to end with it."""
    if config.deploy is None or not config.deploy.in_pipeline:
        return []
    pusher = VertexPusher(
        **chosen,
        infra_blessing=rehearsal and rehearsal.outputs["blessing"],
        examples=examples,
        push=vertex_push(config),
        run_id=place.run_id,
    )
    return [pusher]
