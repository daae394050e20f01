from pathlib import Path

import pytest
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline

from contracts.beam_workers import IN_PROCESS
from contracts.component import check_component
from roadworthy.components.ingest.component import ImageFolderExampleGen, base_and_pattern
from roadworthy.serving.errors import DataError


def run(root: Path, *, data: Path, max_bad_fraction: float = 0.01) -> list[Path]:
    """Runs the component alone; returns the artifacts that exist afterwards."""
    pipeline = Pipeline(
        pipeline_name="ingest",
        pipeline_root=str(root),
        components=[ImageFolderExampleGen(str(data), max_bad_fraction=max_bad_fraction)],
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.db")),
        enable_cache=True,
        beam_pipeline_args=IN_PROCESS,
    )
    LocalDagRunner().run(pipeline)
    return sorted(root.glob("ImageFolderExampleGen/examples/*"))


@pytest.fixture(scope="module")
def data(tmp_path_factory, tiles) -> Path:
    root = tmp_path_factory.mktemp("data")
    for index, name in enumerate(["flower", "temple"]):
        (root / name).mkdir()
        for number in range(12):
            tiles[2 * number + index].save(root / name / f"{number}.png")
    return root


def test_it_keeps_the_contract_of_components():
    check_component(ImageFolderExampleGen("/data/day-{SPAN}", splits={"train": 2, "test": 1}, span=3))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/photos", ("/data/photos", ".")),
        ("/data/day-{SPAN}", ("/data", "day-{SPAN}")),
        ("/data/{YYYY}/{MM}-{DD}/photos", ("/data", "{YYYY}/{MM}-{DD}/photos")),
    ],
)
def test_a_path_is_parted_before_its_first_placeholder(path, expected):
    assert base_and_pattern(path) == expected


def test_unchanged_data_is_taken_from_the_cache_and_changed_data_is_not(tmp_path, data):
    first = run(tmp_path, data=data)
    again = run(tmp_path, data=data)
    (data / "flower" / "0.png").rename(data / "flower" / "zero.png")
    changed = run(tmp_path, data=data)

    assert (len(first), again, len(changed)) == (1, first, 2)


def test_a_fault_of_the_data_reaches_the_caller_as_it_is(tmp_path, data):
    (data / "temple" / "notes.txt").write_text("not an image")

    with pytest.raises(DataError, match=r"(?s)Received: 1 of 25.*temple/notes.txt: .*JPEG or PNG"):
        run(tmp_path, data=data)
