import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.pipeline.cloud_config import TPU_MACHINES, CloudSettings, NodeResources, Tpu
from roadworthy.pipeline.config import load_config
from roadworthy.serving.errors import ConfigError

RUN = """
name: shop
output: out
data: {path: photos}
cloud:
  project: shop-1234
  pipeline_root: gs://shop/pipelines/
  image: registry.example.com/roadworthy:1
"""


def loaded(tmp_path: Path, more: str = "") -> CloudSettings:
    path = tmp_path / "run.yaml"
    path.write_text(RUN + textwrap.indent(textwrap.dedent(more), "  "))
    cloud = load_config(path).cloud
    assert cloud is not None
    return cloud


def test_a_pipeline_root_is_a_folder_without_a_slash_at_its_end(tmp_path):
    assert loaded(tmp_path).pipeline_root == "gs://shop/pipelines"


def test_the_first_entry_that_matches_a_node_counts(tmp_path):
    cloud = loaded(
        tmp_path,
        """
        nodes:
          - {match: Compressor.int8, cpu: 4}
          - {match: [Trainer, "Compressor.*"], gpu: {kind: nvidia-l4}, machine_type: g2-standard-8, spot: true}
        """,
    )

    assert cloud.resources_of("Compressor.int8").cpu == 4
    assert cloud.resources_of("Compressor.int8").gpu is None
    assert cloud.resources_of("Compressor.pruned-int8").gpu.kind == "nvidia-l4"
    assert cloud.resources_of("Scorecard") is None


def test_a_pattern_that_matches_no_node_is_found(tmp_path):
    cloud = loaded(tmp_path, "nodes: [{match: [Trainer, 'Compresor.*'], cpu: 4}]")

    assert cloud.idle_patterns(["Trainer", "Compressor.int8"]) == ["Compresor.*"]


def test_the_token_file_lies_beside_the_config(tmp_path):
    cloud = loaded(tmp_path, "kubeflow: {host: 'https://kubeflow.example.com', token_file: secret}")

    assert cloud.kubeflow.token_file == tmp_path / "secret"


def test_beam_goes_where_the_runner_says(tmp_path):
    flink = loaded(tmp_path, "beam: {runner: flink, endpoint: 'jobs:8099', environment_config: 'localhost:50000'}")

    assert flink.beam.endpoint == "jobs:8099"
    assert loaded(tmp_path, "beam: {runner: dataflow, max_workers: 3}").beam.max_workers == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "data: /photos",
            "cloud.data must be a folder in a bucket, such as gs://my-bucket/pipelines. Received: /photos",
        ),
        ("labels: {Team: vision}", "must match pattern"),
        ("nodes: [{match: Trainer, tpu: {kind: v5e, topology: 4x4}}]", "1x1, 2x2, 2x4. Received: 4x4"),
        ("nodes: [{match: A, gpu: {kind: nvidia-l4}, tpu: {kind: v5e, topology: 1x1}}]", "Received: both"),
        ("nodes: [{match: A, tpu: {kind: v5e, topology: 1x1}, machine_type: x}]", "Received: x; leave it out"),
        ("nodes: [{match: A, cpu: 1}, {match: [B, A], cpu: 2}]", "Received: A again"),
        ("nodes: [{match: [], cpu: 1}]", "match must"),
        ("beam: {runner: dataflow, workers: 9}", "workers must be at most max_workers, 8. Received: 9"),
        ("beam: {runner: flink, endpoint: 'jobs:8099'}", "environment_config must be given for EXTERNAL"),
        ("kms_key: my-key", "must match pattern"),
        ("kubeflow: {host: kubeflow}", "cloud.kubeflow.host"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path, more, said):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, more)

    assert said in str(caught.value)


@pytest.mark.parametrize(("kind", "topology"), TPU_MACHINES)
def test_the_machine_of_a_tpu_has_as_many_chips(kind, topology):
    tpu = Tpu(kind=kind, topology=topology)

    assert tpu.machine_type.endswith(f"-{tpu.chips}t")


@given(st.text(alphabet="abcXYZ.-0129", min_size=1, max_size=30))
def test_an_id_matches_itself_and_nothing_shorter(node_id):
    cloud = CloudSettings(pipeline_root="gs://b/r", image="i", nodes=(NodeResources(match=(node_id,)),))

    assert cloud.resources_of(node_id) is not None
    assert cloud.resources_of(node_id[:-1]) is None
