"""The compiled pipeline, as its readers parse it; and whole, beside a golden copy: `make golden` writes that again."""

from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from roadworthy.models.config import TrainedModel
from roadworthy.pipeline.cloud_config import NodeResources
from roadworthy.pipeline.compiled.compile import compile_spec
from roadworthy.pipeline.compiled.file import spec_text
from roadworthy.pipeline.compiled.names import with_plain_names
from roadworthy.pipeline.compiled.resources import with_custom_jobs
from roadworthy.pipeline.config import load_config
from roadworthy.serving.errors import ConfigError

GOLDEN = Path(__file__).parents[2] / "testdata" / "compiled"
PLATFORMS = ("vertex", "kubeflow")


@pytest.fixture(scope="module")
def config():
    return load_config(GOLDEN / "cloud.yaml")


@pytest.fixture(scope="module")
def compiled(config):
    return {platform: compile_spec(config, platform) for platform in PLATFORMS}


@pytest.fixture(scope="module")
def executors(compiled):
    return {platform: compiled[platform][0]["deploymentSpec"]["executors"] for platform in PLATFORMS}


def with_cloud(config, **changes):
    return config.model_copy(update={"cloud": config.cloud.model_copy(update=changes)})


@pytest.mark.parametrize("platform", PLATFORMS)
def test_it_is_as_the_golden_copy(compiled, platform):
    assert spec_text(*compiled[platform]) == (GOLDEN / f"{platform}.yaml").read_text()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_it_parses_as_a_pipeline_spec_and_its_deployment_as_a_deployment_config(compiled, platform):
    spec = json_format.ParseDict(compiled[platform][0], pipeline_spec_pb2.PipelineSpec())
    deployment = json_format.ParseDict(
        json_format.MessageToDict(spec.deployment_spec), pipeline_spec_pb2.PipelineDeploymentConfig()
    )

    components = {task.component_ref.name for task in spec.root.dag.tasks.values()}
    assert components == set(spec.components)
    assert {component.executor_label for component in spec.components.values()} == set(deployment.executors)
    for task in spec.root.dag.tasks.values():
        producers = {source.task_output_artifact.producer_task for source in task.inputs.artifacts.values()}
        assert producers | set(task.dependent_tasks) <= set(spec.root.dag.tasks)


def test_every_node_runs_in_our_image(executors, config):
    images = {executor["container"]["image"] for executor in executors["kubeflow"].values()}

    assert images == {config.cloud.image}


def test_parameters_have_the_configs_values(compiled):
    parameters = compiled["vertex"][0]["root"]["inputDefinitions"]["parameters"]

    assert {name: parameter["defaultValue"] for name, parameter in parameters.items()} == {
        "data_root": "gs://shop/photos",
        "model_root": "gs://shop/served",
        "head_epochs": 1,
        "full_epochs": 4,
        "epochs_pruned_int8_1_prune": 1,
        "min_accuracy": "null",
        "max_quality_drop": "0.02",
        "min_slice_quality": "null",
        "max_size": "50%",
        "max_latency_p95": "null",
    }


def test_other_values_leave_the_rest_of_the_spec_as_it_is(compiled, config):
    train = config.train.model_copy(update={"full": config.train.full.model_copy(update={"epochs": 9})})
    other, _ = compile_spec(config.model_copy(update={"train": train}), "vertex")
    tasks, others = (spec["root"]["dag"]["tasks"] for spec in (compiled["vertex"][0], other))

    assert {name for name in tasks if tasks[name] != others[name]} == {"Trainer"}
    assert tasks["Trainer"]["inputs"]["parameters"]["full_epochs"] == {"componentInputParameter": "full_epochs"}


def test_accelerators_go_to_the_nodes_that_the_config_names(executors):
    vertex, kubeflow = executors["vertex"], executors["kubeflow"]

    assert vertex["Compressor-int8_executor"]["container"]["resources"]["accelerator"]["type"] == "NVIDIA_TESLA_T4"
    assert kubeflow["Compressor-int8_executor"]["container"]["resources"] == {
        "cpuLimit": 8.0,
        "resourceCpuLimit": "8",
        "memoryLimit": 30.0,
        "resourceMemoryLimit": "30G",
        "accelerator": {
            "type": "nvidia.com/gpu",
            "count": "2",
            "resourceType": "nvidia.com/gpu",
            "resourceCount": "2",
        },
    }
    assert vertex["ImageFolderExampleGen_executor"]["container"]["resources"]["resourceCpuLimit"] == "2"
    assert "resources" not in vertex["Scorecard_executor"]["container"]


def test_what_trains_runs_as_the_trainers_account_where_it_is_a_job_of_its_own(config):
    labels = ("Trainer", "Compressor.small.1-prune", "Scorecard", "Gate")
    container = {"image": "an-image", "command": ["python"], "args": []}
    spec = {"deploymentSpec": {"executors": {f"{label}_executor": {"container": dict(container)} for label in labels}}}
    nodes = (NodeResources(match=[label], machine_type="n1-standard-8") for label in labels[:-1])
    with_custom_jobs(spec, with_cloud(config, trainer_account="trainer@shop", nodes=tuple(nodes)).cloud)

    jobs = {
        label.removesuffix("_executor"): executor["customJob"]["customJob"]["jobSpec"]["serviceAccount"]
        for label, executor in spec["deploymentSpec"]["executors"].items()
        if "customJob" in executor
    }
    assert jobs == dict(zip(labels, ["trainer@shop", "trainer@shop", config.cloud.service_account], strict=False))


def test_vertex_has_spot_machines_and_tpus_as_custom_jobs(executors):
    trainer = executors["vertex"]["Trainer_executor"]["customJob"]["customJob"]
    prune = executors["vertex"]["Compressor-pruned-int8-1-prune_executor"]["customJob"]["customJob"]
    (pool,) = trainer["jobSpec"]["workerPoolSpecs"]

    assert trainer["jobSpec"]["scheduling"]["strategy"] == "SPOT"
    assert pool["machineSpec"] == {
        "machineType": "g2-standard-8",
        "acceleratorType": "NVIDIA_L4",
        "acceleratorCount": 1,
    }
    assert pool["containerSpec"]["command"] == ["python", "-m", "roadworthy.pipeline.container.execute"]
    assert prune["jobSpec"]["workerPoolSpecs"][0]["machineSpec"] == {
        "machineType": "ct5lp-hightpu-4t",
        "tpuTopology": "2x2",
    }
    assert trainer["encryptionSpec"]["kmsKeyName"].endswith("cryptoKeys/runs")


def test_kubeflow_puts_nodes_on_machines_by_their_labels(compiled):
    settings = compiled["kubeflow"][1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    assert settings["Trainer_executor"]["nodeSelector"]["labels"] == {
        "cloud.google.com/gke-accelerator": "nvidia-l4",
        "cloud.google.com/gke-spot": "true",
    }
    assert settings["Trainer_executor"]["tolerations"][0]["key"] == "cloud.google.com/gke-spot"
    assert settings["Compressor-pruned-int8-1-prune_executor"]["nodeSelector"]["labels"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "2x2",
    }
    assert "nodeSelector" not in settings["ImageFolderExampleGen_executor"]


def test_every_pod_of_kubeflow_bears_the_labels(config, compiled, executors):
    settings = compiled["kubeflow"][1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    assert settings.keys() == executors["kubeflow"].keys()
    assert all(one["podMetadata"]["labels"] == {"team": "vision"} for one in settings.values())
    with pytest.raises(ConfigError, match="begin and end with letters or digits"):
        compile_spec(with_cloud(config, labels={"team": "vision-"}), "kubeflow")


def test_only_data_nodes_run_on_dataflow(executors):
    on_dataflow = {
        label
        for label, executor in executors["kubeflow"].items()
        if "--runner=DataflowRunner" in executor["container"]["args"]
    }
    args = executors["kubeflow"]["StatisticsGen_executor"]["container"]["args"]

    assert on_dataflow == {"ImageFolderExampleGen_executor", "StatisticsGen_executor"}
    assert "--dataflow_kms_key=projects/shop-1234/locations/europe-west4/keyRings/ml/cryptoKeys/runs" in args
    assert "--labels=team=vision" in args


def test_our_driver_finds_out_what_is_new(executors, compiled):
    vertex = executors["vertex"]["ImageFolderExampleGen_executor"]["container"]
    kubeflow = executors["kubeflow"]["ImageFolderExampleGen_executor"]["container"]

    assert vertex["lifecycle"]["preCacheCheck"]["command"][-1] == "roadworthy.pipeline.container.drive"
    assert kubeflow["args"][-1] == "--drive_first"
    assert "cachingOptions" not in compiled["kubeflow"][0]["root"]["dag"]["tasks"]["ImageFolderExampleGen"]


def test_kubeflow_gets_no_resolver(executors):
    assert any("resolver" in executor for executor in executors["vertex"].values())
    assert all("container" in executor for executor in executors["kubeflow"].values())


def test_nodes_that_look_into_the_model_root_are_never_cached(compiled):
    tasks = compiled["kubeflow"][0]["root"]["dag"]["tasks"]

    assert {name for name, task in tasks.items() if "cachingOptions" not in task} == {
        "ImageFolderExampleGen",
        "LatestBlessed",
        "ModelRootPusher",
    }
    assert tasks["Trainer"]["retryPolicy"]["maxRetryCount"] == 2


def test_without_caching_nothing_is_cached(config):
    spec, _ = compile_spec(with_cloud(config, caching=False), "vertex")

    assert not any("cachingOptions" in task for task in spec["root"]["dag"]["tasks"].values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nodes": ({"match": ["Trainer", "Compresor.*"]},)}, "Received: Compresor.*, which match none of"),
        ({"data": None}, "cloud.data must name a gs:// folder"),
        ({"nodes": ({"match": "Trainer", "spot": True},)}, "machine_type must be given for Trainer"),
        ({"nodes": ({"match": "Image*", "machine_type": "n1"},)}, "ImageFolderExampleGen reads the data"),
        ({"project": None}, "cloud.project must be given for Dataflow"),
    ],
)
def test_what_can_not_be_compiled_is_told(config, change, said):
    cloud = type(config.cloud).model_validate({**config.cloud.model_dump(), **change})

    with pytest.raises(ConfigError) as caught:
        compile_spec(config.model_copy(update={"cloud": cloud}), "vertex")
    assert said in str(caught.value)


def test_files_of_this_machine_are_refused(config, tmp_path):
    with pytest.raises(ConfigError, match="sees no file of this machine"):
        compile_spec(config.model_copy(update={"trained": TrainedModel(path=tmp_path / "model.keras")}), "vertex")


def test_two_nodes_never_share_a_name():
    with pytest.raises(ConfigError, match="A-b twice"):
        with_plain_names({"root": {"dag": {"tasks": {"A.b": {}, "A-b": {}}}}})


def test_kubernetes_settings_are_a_second_document(compiled):
    assert len(list(yaml.safe_load_all(spec_text(*compiled["kubeflow"])))) == 2
    assert len(list(yaml.safe_load_all(spec_text(*compiled["vertex"])))) == 1
