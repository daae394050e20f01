"""Runs, logs and schedules in the cloud through the command line, against a Kubeflow API server on loopback."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from contracts.kfp.server import kfp_server
from contracts.runs import record as finished
from roadworthy.pipeline.cli.main import cli, main
from roadworthy.pipeline.report.record import write_record
from roadworthy.serving.errors import ConfigError, DeployError

GOLDEN = Path(__file__).parents[2] / "testdata" / "compiled" / "cloud.yaml"
TASKS = 15


@pytest.fixture
def kfp(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with kfp_server() as server:
        yield server


@pytest.fixture
def config(kfp, tmp_path):
    document = yaml.safe_load(GOLDEN.read_text())
    document["output"] = "out"
    document["cloud"] |= {"kubeflow": {"host": kfp.url}, "project": None, "beam": None}
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def call(*words):
    return CliRunner().invoke(cli, list(map(str, words)))


def test_a_dry_run_tells_what_would_be_submitted_and_asks_nobody(config, kfp):
    told = call("run", config, "--on", "kubeflow", "--set", "full_epochs=9", "--dry-run").output.splitlines()

    assert "Trainer" in told
    assert "full_epochs=9" in told
    assert told[-1] == "Would submit this to kubeflow, with artifacts below gs://shop/pipelines/shop."
    assert kfp.calls == []


def test_a_run_is_followed_and_told_as_json(config, kfp):
    done = call("run", config, "--on", "kubeflow", "--run-id", "shop-7", "--poll", "0.01", "--json")

    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["state"], len(document["tasks"])) == ("succeeded", TASKS)
    (run,) = kfp.runs.values()
    assert (run.display_name, run.runtime_config.parameters["max_size"]) == ("shop-7", "50%")


def test_interrupted_it_says_that_the_run_goes_on_and_not_that_the_same_command_would(config, kfp, monkeypatch, capsys):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("roadworthy.pipeline.runners.cloud.platform.time.sleep", interrupt)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(config), "--on", "kubeflow"])

    (run_id,) = kfp.runs
    assert ended.value.code == 130
    assert f"{run_id} goes on. To end it: roadworthy runs CONFIG" in (said := capsys.readouterr().err)
    assert "the same command" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "local", "--timeout", "9"], "--timeout is for --on vertex and kubeflow. Received: --on local."),
        (["--on", "local-containers", "--no-wait"], "--wait is for --on vertex and kubeflow"),
        (["--run-id", "shop-1"], "--run-id is for --on vertex and kubeflow"),
        (["--on", "kubeflow", "--no-wait", "--timeout", "9"], "--timeout is how long a run is followed"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(config, kfp, words, said):
    assert said in call("run", config, "--dry-run", *words).output
    assert kfp.calls == []


def test_one_run_is_told_of_or_cancelled(config, kfp):
    assert "--run and --cancel go one at a time" in call("runs", config, "--run", "a", "--cancel", "b").output


def test_a_run_that_fails_says_where_to_read_on(config, kfp):
    kfp.fails["DataCheck"] = "The examples must fit the schema."
    kfp.logs["DataCheck"] = "what the node wrote\n"

    failed = call("run", config, "--on", "kubeflow", "--poll", "0.01")

    assert isinstance(failed.exception, DeployError)
    assert "- DataCheck: The examples must fit the schema." in str(failed.exception)
    (run_id,) = kfp.runs
    assert f"roadworthy logs CONFIG {run_id} DataCheck --on kubeflow" in str(failed.exception)
    assert call("logs", config, run_id, "DataCheck").output == "what the node wrote\n"


def test_without_waiting_it_returns_at_once_and_the_run_is_listed_and_cancelled(config, kfp):
    call("run", config, "--on", "kubeflow", "--no-wait")
    (run_id,) = kfp.runs

    assert [run["run_id"] for run in json.loads(call("runs", config, "--json").output)] == [run_id]
    would = call("runs", config, "--cancel", run_id, "--dry-run").output
    assert would.startswith(f"Would ask {run_id}, which is ")
    assert "was asked to end" in call("runs", config, "--cancel", run_id).output
    assert call("runs", config, "--run", run_id).output.startswith(f"{run_id} cancelled")
    again = call("runs", config, "--cancel", run_id)
    assert f"{run_id} must be under way to be cancelled. Received: it is cancelled" in str(again.exception)
    assert "--dry-run is for --cancel" in call("runs", config, "--dry-run").output


def test_a_cancellation_is_told_as_json(config, kfp):
    call("run", config, "--on", "kubeflow", "--no-wait")
    (run_id,) = kfp.runs

    for dry, asked in ((["--dry-run"], False), ([], True)):
        told = json.loads(call("runs", config, "--cancel", run_id, "--json", *dry).output)
        assert (told["run_id"], told["asked_to_end"]) == (run_id, asked)


def test_a_schedule_is_created_listed_and_deleted(config, kfp):
    made = json.loads(call("schedule", "create", config, "--on", "kubeflow", "--cron", "0 3 * * 1", "--json").output)

    assert kfp.recurring[made["schedule_id"]].runtime_config.parameters["full_epochs"] == 4
    assert made["schedule_id"] in call("schedule", "list", config, "--on", "kubeflow").output
    delete = ["schedule", "delete", config, made["schedule_id"], "--on", "kubeflow"]
    assert call(*delete, "--dry-run").output == f"Would delete {made['schedule_id']} 0 0 3 * * 1 shop.\n"
    assert json.loads(call(*delete, "--dry-run", "--json").output)["deleted"] is False
    assert made["schedule_id"] in kfp.recurring
    assert json.loads(call(*delete, "--json").output) == {"schedule_id": made["schedule_id"], "deleted": True}
    assert call("schedule", "list", config, "--on", "kubeflow").output == "No schedules yet.\n"


def test_a_dry_run_of_a_schedule_tells_when_and_asks_nobody(config, kfp):
    words = ["schedule", "create", config, "--on", "kubeflow", "--cron", "0 3 * * 1", "--name", "nightly", "--dry-run"]

    told, document = call(*words).output.splitlines(), json.loads(call(*words, "--json").output)

    assert told[-1].startswith("Would schedule this to kubeflow by 0 3 * * 1 as nightly, with artifacts below gs://")
    assert document["schedule"] == {"name": "nightly", "cron": "0 3 * * 1"}
    assert kfp.calls == []


def test_a_compiled_file_is_told_as_json(config, tmp_path):
    told = json.loads(call("compile", config, "--for", "kubeflow", "-o", tmp_path / "spec.yaml", "--json").output)

    assert len(told["tasks"]) == TASKS
    assert told["parameters"]["full_epochs"] == 4
    assert Path(told["out"]).is_file()


def test_what_is_no_schedule_or_no_cron_is_told_and_nobody_is_asked_to_change_anything(config, kfp):
    missing = call("schedule", "delete", config, "3001", "--on", "kubeflow", "--dry-run")
    wrong = call("schedule", "create", config, "--on", "kubeflow", "--cron", "61 3 * * 1", "--dry-run")

    assert "3001 must be a schedule of" in str(missing.exception)
    assert "The minute of a cron must be in 0 to 59. Received: 61" in str(wrong.exception)
    assert not [called for called in kfp.calls if called[0] != "GET"]


def test_buckets_are_for_containers_here_and_must_be_named(config, tmp_path):
    assert "--in-buckets is for --on local-containers" in call("run", config, "--in-buckets").output
    (tmp_path / "run.yaml").write_text("name: shop\noutput: out\ndata: {path: photos}\n")

    told = call("run", config, "--on", "local-containers", "--in-buckets", "--dry-run").output
    refused = call("run", tmp_path / "run.yaml", "--on", "local-containers", "--in-buckets", "--dry-run")

    assert told.splitlines()[-1].startswith("Would write below gs://shop/pipelines/shop")
    document = json.loads(call("run", config, "--on", "local-containers", "--in-buckets", "--dry-run", "--json").output)
    assert (document["nodes"], document["output"]) == (told.splitlines()[:-1], "gs://shop/pipelines/shop")
    assert "cloud must be given" in str(refused.exception)


def test_a_file_that_can_not_be_written_is_told_before_compiling(config, tmp_path):
    for out, said in (
        ("spec.txt", "must be a .yaml, .yml or .json file"),
        ("nowhere/spec.yaml", "must be in a folder"),
    ):
        assert said in str(call("compile", config, "--for", "kubeflow", "-o", tmp_path / out).exception)


def test_runs_here_are_listed_past_one_that_can_not_be_read_and_told_of_by_their_id(tmp_path):
    (tmp_path / "run.yaml").write_text("name: shop\noutput: out\ndata: {path: photos}\n")
    write_record(finished(), tmp_path / "out")
    damaged = write_record(finished().model_copy(update={"run_id": "2099-01-01T00:00:00"}), tmp_path / "out")
    damaged.write_text("{}")

    listed = call("runs", tmp_path / "run.yaml", "--json")
    told = call("runs", tmp_path / "run.yaml", "--run", finished().run_id).output.splitlines()

    assert [run["run_id"] for run in json.loads(listed.stdout)] == [finished().run_id]
    assert f"{damaged} must be the record of a run" in str(listed.exception)
    assert told[0].startswith(f"{finished().run_id} succeeded: {tmp_path}")
    assert told[1].split()[:2] == [finished().nodes[0].node, finished().nodes[0].state]
    assert "has one log for all, in " in str(call("logs", tmp_path / "run.yaml", "1", "Trainer").exception)


def test_logs_of_containers_here_are_files(config, tmp_path):
    log = tmp_path / "out" / "logs" / "20260102T030405" / "Trainer.log"
    log.parent.mkdir(parents=True)
    log.write_text("loss: 1\n")

    log.with_name("Compressor-int8.log").write_text("pruned\n")

    assert call("logs", config, "20260102T030405", "Trainer").output == "loss: 1\n"
    assert call("logs", config, "20260102T030405", "Compressor.int8").output == "pruned\n"
    assert isinstance(call("logs", config, "1", "Trainer", "--on", "local-containers").exception, ConfigError)


def test_what_needs_a_cloud_section_says_so(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("name: shop\noutput: out\ndata: {path: photos}\n")

    for words in (["run", path, "--on", "vertex"], ["schedule", "list", path, "--on", "vertex"]):
        assert "cloud must be given" in str(call(*words).exception)
    assert "--on must name vertex or kubeflow" in str(call("runs", path, "--run", "x").exception)
    assert call("runs", path).output == "No runs yet.\n"
