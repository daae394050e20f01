"""The whole pipeline on ten real images a class, through the command line alone."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROADWORTHY = [sys.executable, "-m", "roadworthy.pipeline.cli.main"]
CONFIG = """
name: tiny
output: run
seed: 3
data:
  path: images
  fetch: {{dataset: fashion-mnist, images_per_class: 10}}
  splits: {{train: 5, val: 1, test: 4}}
model: {{image_size: 32}}
train:
  batch_size: 16
  head: {{epochs: 1}}
  full: {{epochs: 1}}
compress:
  recipes:
    - name: int8
      steps: [{{quantize: {{calibration_images: 16}}}}]
    - name: pruned-int8
      steps: [{{prune: {{sparsity: 0.5}}}}, {{quantize: {{calibration_images: 16}}}}]
scorecard: {{latency_calls: 20}}
gate: {{budgets: {{max_quality_drop: {drop}, max_size: {size}}}}}
push: {{model_root: served}}
"""
HEAVY = {"ImageFolderExampleGen", "Trainer", "Compressor.int8", "Compressor.pruned-int8", "Scorecard"}


def roadworthy(*words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run([*ROADWORTHY, *map(str, words)], capture_output=True, text=True, timeout=900, check=False)


def write_config(folder: Path, *, drop: float = 1.0, size: str = "50%") -> Path:
    path = folder / "tiny.yaml"
    path.write_text(CONFIG.format(drop=drop, size=size))
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="module")
def first(home):
    return roadworthy("run", write_config(home))


@pytest.fixture(scope="module")
def second(home, first):
    assert first.returncode == 0, first.stderr
    return roadworthy("run", write_config(home), "--json")


@pytest.fixture(scope="module")
def strict(home, second):
    assert second.returncode == 0, second.stderr
    return roadworthy("run", write_config(home, size="1%"))


def versions(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "served" / "tiny").iterdir())


def test_a_run_tells_each_node_and_ends_with_the_table(first):
    assert first.returncode == 0, first.stderr
    for node in HEAVY:
        assert re.search(rf"{re.escape(node)} +done +\d+\.\d s", first.stdout)
    rows = [line.split()[0] for line in first.stdout.splitlines() if line]
    assert rows[rows.index("variant") :][:4] == ["variant", "parent", "int8", "pruned-int8"]
    assert "chosen" in first.stdout


def test_a_run_keeps_the_libraries_chatter_in_a_log(home, first):
    assert first.stderr == ""
    (log,) = sorted((home / "run" / "logs").glob("*.log"))[:1]
    assert log.stat().st_size > 0


def test_a_second_run_takes_the_heavy_nodes_from_the_cache_and_pushes_nothing_new(home, second):
    document = json.loads(second.stdout)

    cached = {node["node"] for node in document["nodes"] if node["state"] == "cached"}
    assert cached >= HEAVY
    assert versions(home) == ["1"]
    assert document["pushed"] == str(home / "served" / "tiny" / "1")


def test_the_scorecard_is_measured(second):
    card = json.loads(second.stdout)["scorecard"]
    pruned = next(score for score in card["variants"] if score["variant"] == "pruned-int8")

    assert card["parent"]["examples"] == pruned["examples"] > 20
    assert pruned["size_bytes"] < 0.35 * card["parent"]["size_bytes"]
    assert 0.4 < pruned["sparsity"] < 0.7
    assert 0 < pruned["latency"]["p50_ms"] <= pruned["latency"]["p95_ms"]


def test_the_pushed_model_was_rehearsed_and_has_its_warm_up(home, second):
    document = json.loads(second.stdout)
    rehearsal, examples = document["rehearsal"], document["scorecard"]["parent"]["examples"]
    assert rehearsal["faults"] == []
    assert {asked["requests"] for asked in rehearsal["transports"].values()} == {min(50, examples)}
    assert (home / "served" / "tiny" / "1" / "assets.extra" / "tf_serving_warmup_requests").is_file()


def test_when_no_variant_passes_nothing_is_pushed_and_the_budget_is_named(home, strict):
    assert strict.returncode == 2
    assert "max_size" in strict.stderr
    assert "Traceback" not in strict.stderr
    assert versions(home) == ["1"]


def test_a_refused_run_has_a_page_that_says_why(home, strict):
    done = roadworthy("report", home / "run", "--json")
    told = json.loads(done.stdout)
    assert (told["chosen"], told["failed"]) == (None, None)
    assert "missed: max_size" in Path(told["report"]).read_text()


def test_a_run_that_fails_half_way_has_a_page_of_how_far_it_came(home, strict):
    config = write_config(home)
    config.write_text(config.read_text().replace("latency_calls: 20", "latency_calls: 20, slices: [no/such]"))
    assert roadworthy("run", config).returncode == 2

    told = json.loads(roadworthy("report", home / "run", "--json").stdout)
    assert "under 'no/such'" in told["failed"]
    page = Path(told["report"]).read_text()
    assert "Failed at Scorecard" in page
    assert re.search(r"Trainer</th><td[^>]*>cached", page)


@pytest.mark.parametrize(("transport", "workers"), [("grpc", "1"), ("rest", "2")])
def test_the_pushed_model_answers(home, second, transport, workers):
    images = sorted((home / "images").glob("*/*.png"))[:3]
    command = [*ROADWORTHY, "serve", str(home / "served"), "--grpc-port", "0", "--rest-port", "0", "--workers", workers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            ready = next(line for line in server.stdout if "REST http://" in line)
            address = re.search(r"gRPC (\S+)," if transport == "grpc" else r"http://(\S+)", ready).group(1)
            done = roadworthy(
                "predict", "--server", address, "--transport", transport, "--model", "tiny", "--json", *images
            )
        finally:
            server.terminate()

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["file"] for answer in answers] == [str(image) for image in images]
    assert all(answer["label"] in {path.name for path in (home / "images").iterdir()} for answer in answers)
    assert server.returncode == 0


def test_a_second_run_at_the_same_time_is_refused_before_anything_is_loaded(home, strict):
    import fcntl

    with (home / "run" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = roadworthy("run", write_config(home))

    assert done.returncode == 2
    assert "one run at a time" in done.stderr
    assert "loading TFX" not in done.stdout
