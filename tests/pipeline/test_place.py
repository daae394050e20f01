import pytest

from roadworthy.pipeline.cloud_config import CloudSettings, DataflowSettings, PortableSettings
from roadworthy.pipeline.place import beam_arguments
from roadworthy.serving.errors import ConfigError


def cloud(beam, **more) -> CloudSettings:
    return CloudSettings(pipeline_root="gs://shop/pipelines", image="roadworthy:1", beam=beam, **more)


def test_without_a_section_beam_stays_in_the_node():
    assert beam_arguments(cloud(None)) == ()


def test_dataflow_runs_in_the_project_with_our_image_and_its_own_options_last():
    given = DataflowSettings(runner="dataflow", workers=2, options=("--disk_size_gb=50",))
    words = beam_arguments(cloud(given, project="shop-1234", region="europe-west1"))

    assert {
        "--runner=DataflowRunner",
        "--project=shop-1234",
        "--region=europe-west1",
        "--sdk_container_image=roadworthy:1",
        "--num_workers=2",
        "--temp_location=gs://shop/pipelines/beam",
    } <= set(words)
    assert words[-1] == "--disk_size_gb=50"


def test_dataflow_needs_a_project():
    with pytest.raises(ConfigError, match=r"cloud\.project must be given for Dataflow"):
        beam_arguments(cloud(DataflowSettings(runner="dataflow")))


@pytest.mark.parametrize("runner", ["flink", "spark"])
def test_flink_and_spark_are_portable_runners_by_their_job_server(runner):
    given = PortableSettings(runner=runner, endpoint="jobs:8099", environment="DOCKER", workers=4)

    assert beam_arguments(cloud(given)) == (
        "--runner=PortableRunner",
        "--job_endpoint=jobs:8099",
        "--parallelism=4",
        "--environment_type=DOCKER",
        "--environment_config=roadworthy:1",
    )
