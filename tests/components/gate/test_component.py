import json

from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline
from tfx.types.standard_artifacts import Examples, Model

from contracts.component import channel_of, check_component
from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.components.gate.component import Gate
from roadworthy.components.scorecard.artifacts import BaselineArtifact, ScorecardArtifact
from roadworthy.components.scorecard.component import BaselineScore, Scorecard

SETTINGS = GateSettings(budgets=Budgets(max_size="30%"))


def gate(**inputs):
    variants = {name: channel_of(Model, uri=f"/{name}") for name in ("int8", "pruned-int8")}
    return Gate(scorecard=channel_of(ScorecardArtifact), variants=variants, settings=SETTINGS, **inputs)


def test_it_keeps_the_component_contract():
    check_component(gate(baseline=channel_of(BaselineArtifact)))


def test_it_needs_no_baseline():
    check_component(gate())


def test_its_settings_are_one_whole_parameter():
    assert GateSettings.model_validate_json(gate().exec_properties["settings"]) == SETTINGS


def test_it_and_the_scorecard_compile_for_kubeflow(tmp_path):
    models = {name: channel_of(Model, uri=f"gs://models/{name}") for name in ("int8", "pruned-int8")}
    parent, examples = channel_of(Model, uri="gs://models/parent"), channel_of(Examples, uri="gs://examples")
    scorecard = Scorecard(parent=parent, examples=examples, variants=models)
    baseline = BaselineScore(examples=examples, scorecard=scorecard.outputs["scorecard"], model=parent)
    judged = Gate(
        scorecard=scorecard.outputs["scorecard"],
        baseline=baseline.outputs["baseline"],
        variants=models,
        settings=SETTINGS,
    )
    imports = [channel.producer_component for channel in (*models.values(), parent, examples)]
    pipeline = Pipeline("road", "gs://root", components=[*imports, scorecard, baseline, judged])
    path = tmp_path / "pipeline.json"
    KubeflowV2DagRunner(KubeflowV2DagRunnerConfig(default_image="roadworthy"), output_filename=str(path)).run(pipeline)
    tasks = json.loads(path.read_text())["pipelineSpec"]["root"]["dag"]["tasks"]
    assert set(tasks["Gate"]["inputs"]["artifacts"]) == {"scorecard", "baseline", "variant_int8", "variant_pruned_int8"}
