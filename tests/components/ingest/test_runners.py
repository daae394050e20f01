"""The same images come to the same files on every runner, and a worker that is killed ends the run, not the machine."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tfx.components.statistics_gen.executor import Executor as StatisticsExecutor
from tfx.types import standard_artifacts

from contracts.beam_workers import IN_PROCESS, TWO_PROCESSES, kill_when, portable_runner, worker_processes
from contracts.data_artifacts import differing_figures, differing_files
from roadworthy.components.data_check.statistics import image_statistics
from roadworthy.components.ingest import shards
from roadworthy.components.ingest.component import ImageFolderExampleGen
from roadworthy.components.ingest.driver import Driver
from roadworthy.components.ingest.executor import Executor
from roadworthy.pipeline.beam.lost import lost_workers_named
from roadworthy.serving.errors import WorkerLost

pytestmark = pytest.mark.beam

LARGE = 5000
FOLDERS = ("flower", "temple")


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    # Many shards of few images, for small data to have something to share.
    monkeypatch.setattr(shards, "SHARD_IMAGES", 16)


@pytest.fixture(scope="module")
def photos(tiles, tmp_path_factory) -> Path:
    """300 tiles of two photos, and a file that is no image."""
    root = tmp_path_factory.mktemp("photos") / "data"
    for number, tile in enumerate(tiles):
        folder = root / ("flower" if number % 2 else "temple")
        folder.mkdir(parents=True, exist_ok=True)
        tile.save(folder / f"{number}.png")
    (root / "temple" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


@pytest.fixture(scope="module")
def large_photos(tiles, tmp_path_factory) -> Path:
    """Images that take a second each, so that a worker can be killed over them."""
    root = tmp_path_factory.mktemp("large") / "data"
    for number in range(16):
        folder = root / FOLDERS[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.full((LARGE, LARGE, 3), number, np.uint8)
        pixels[:40, :40] = np.asarray(tiles[number])
        Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=1)
    return root


def ingest(data: Path, uri: Path, options: list[str]) -> standard_artifacts.Examples:
    component = ImageFolderExampleGen(str(data))
    properties = Driver(None).resolve_exec_properties(dict(component.exec_properties), None, None)
    examples = standard_artifacts.Examples()
    examples.uri = str(uri)
    Executor(Executor.Context(beam_pipeline_args=list(options))).Do({}, {"examples": [examples]}, properties)
    return examples


def statistics(examples: standard_artifacts.Examples, uri: Path, options: list[str]) -> None:
    written = standard_artifacts.ExampleStatistics()
    written.uri = str(uri)
    properties = {"stats_options_json": image_statistics().to_json(), "exclude_splits": "[]"}
    executor = StatisticsExecutor(StatisticsExecutor.Context(beam_pipeline_args=list(options)))
    executor.Do({"examples": [examples]}, {"statistics": [written]}, properties)


def check_same(root: Path, expected: Path) -> None:
    """The examples to the byte; of the statistics every figure, up to the order in which means were added up."""
    assert differing_files(root / "examples", expected / "examples") == []
    assert differing_figures(root / "statistics", expected / "statistics") == []


@pytest.fixture(scope="module")
def in_process(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("in_process")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shards, "SHARD_IMAGES", 16)
        statistics(ingest(photos, root / "examples", IN_PROCESS), root / "statistics", IN_PROCESS)
    return root


def test_shards_are_those_of_the_folder_and_not_of_the_runner(in_process: Path) -> None:
    names = sorted(path.name for path in (in_process / "examples" / "Split-train").iterdir())

    assert names == [f"data_tfrecord-{number:05}-of-00019.gz" for number in range(19)]


def test_two_processes_write_what_one_writes(in_process: Path, photos: Path, tmp_path: Path) -> None:
    statistics(ingest(photos, tmp_path / "examples", TWO_PROCESSES), tmp_path / "statistics", TWO_PROCESSES)

    check_same(tmp_path, in_process)


def test_external_workers_of_a_portable_runner_write_what_one_process_writes(
    in_process: Path, photos: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with portable_runner(tmp_path_factory.mktemp("runner")) as (options, pool):
        statistics(ingest(photos, tmp_path / "examples", options), tmp_path / "statistics", options)
        # Beam's local job service asks for one worker a job, however many options ask for.
        assert len(pool.processes) == 2

    check_same(tmp_path, in_process)


@pytest.mark.parametrize("runner", ["two processes", "portable"])
def test_a_killed_worker_fails_the_node_and_the_next_run_writes_what_it_would_have(
    large_photos: Path, runner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_IMAGES", 2)
    expected = ingest(large_photos, tmp_path / "expected", IN_PROCESS)
    with ExitStack() as stack:
        options, workers = TWO_PROCESSES, worker_processes
        if runner == "portable":
            options, pool = stack.enter_context(portable_runner(tmp_path))
            workers = pool.pids
        killer = stack.enter_context(ThreadPoolExecutor(1)).submit(
            kill_when, tmp_path / "killed", "Split-*/*.gz", workers
        )
        with pytest.raises(WorkerLost, match="Received: the end of one, by a signal"), lost_workers_named():
            ingest(large_photos, tmp_path / "killed", options)
        assert killer.result()
        # What is left of the attempt is in the way of nothing, though TFX gives the next one a folder of its own.
        again = ingest(large_photos, tmp_path / "killed", options)

    assert differing_files(Path(again.uri), Path(expected.uri)) == []
