"""Kubeflow by KFP's own client against a server of KFP's published API, through the command line's own functions."""

import json

import pytest

from contracts.kfp.server import Fault, kfp_server
from roadworthy.pipeline.cloud_config import CloudSettings, KubeflowSettings
from roadworthy.pipeline.runners.cloud.kubeflow import TOKEN_VARIABLE, Kubeflow
from roadworthy.pipeline.runners.cloud.platform import Job, follow
from roadworthy.serving.errors import ConfigError, DeployError

TOKEN = "planted-token-of-the-test"  # noqa: S105
TASK = {"componentRef": {"name": "a"}, "taskInfo": {"name": "a"}}
SPEC = {
    "pipelineInfo": {"name": "shop"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "tests",
    "components": {"a": {"executorLabel": "a"}},
    "deploymentSpec": {"executors": {"a": {"container": {"image": "i"}}}},
    "root": {
        "inputDefinitions": {"parameters": {"word": {"parameterType": "STRING"}}},
        "dag": {"tasks": {"Ingest": TASK, "Trainer": TASK}},
    },
}
JOB = Job(SPEC, {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}, {"word": "given"}, "shop-1")
FINE = [("Ingest", "running"), ("Ingest", "done"), ("Trainer", "running"), ("Trainer", "done")]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """KFP's client keeps settings at home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def kfp():
    with kfp_server(token=TOKEN) as server:
        yield server


@pytest.fixture
def kubeflow(kfp, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    settings = KubeflowSettings(host=kfp.url, token_file=tmp_path / "token")
    return Kubeflow(CloudSettings(pipeline_root="gs://shop/pipelines", image="i", kubeflow=settings), name="shop")


def followed(kubeflow, run_id: str):
    told = []
    run = follow(
        kubeflow, run_id, on_task=lambda task: told.append((task.name, task.state)), poll_s=0.001, timeout_s=60
    )
    return run, told


def test_a_run_is_submitted_and_followed_to_its_end(kubeflow, kfp):
    submitted = kubeflow.submit(JOB)
    run, told = followed(kubeflow, submitted.run_id)

    sent = kfp.runs[submitted.run_id]
    assert (sent.display_name, sent.runtime_config.parameters) == ("shop-1", {"word": "given"})
    assert sent.runtime_config.pipeline_root == "gs://shop/pipelines/shop"
    assert "platform_spec" in sent.pipeline_spec
    assert (run.state, told) == ("succeeded", FINE)
    assert [one.run_id for one in kubeflow.runs(5)] == [submitted.run_id]
    assert kfp.experiments[sent.experiment_id].display_name == "shop"


def test_runs_and_schedules_of_other_pipelines_are_not_its_own(kubeflow, kfp):
    other = Kubeflow(kubeflow._cloud, name="another")
    assert (other.runs(5), other.schedules(), kfp.experiments) == ([], [], {})

    kubeflow.submit(JOB)
    kubeflow.create_schedule(JOB, name="nightly", cron="0 3 * * *")
    run_id = other.submit(JOB).run_id
    made = other.create_schedule(JOB, name="nightly", cron="0 4 * * *")

    assert [one.run_id for one in other.runs(5)] == [run_id]
    assert [one.schedule_id for one in other.schedules()] == [made.schedule_id]


def test_schedules_beyond_a_page_are_listed(kubeflow, monkeypatch):
    monkeypatch.setattr("roadworthy.pipeline.runners.cloud.kubeflow._PAGE", 2)
    made = [kubeflow.create_schedule(JOB, name=f"at-{hour}", cron=f"0 {hour} * * *") for hour in range(5)]

    assert kubeflow.schedules() == made


def test_a_task_that_fails_is_told_with_what_it_said(kubeflow, kfp):
    kfp.fails["Trainer"] = "out of memory"
    run, told = followed(kubeflow, kubeflow.submit(JOB).run_id)

    assert (run.state, told[-1]) == ("failed", ("Trainer", "failed"))
    assert run.tasks[-1].error == "out of memory"


def test_a_run_can_be_cancelled(kubeflow):
    run_id = kubeflow.submit(JOB).run_id
    kubeflow.look(run_id)
    kubeflow.cancel(run_id)

    assert kubeflow.look(run_id).state == "cancelled"


def test_following_ends_after_a_while_and_the_run_goes_on(kubeflow):
    run_id = kubeflow.submit(JOB).run_id

    with pytest.raises(DeployError, match=r"within 0.01 s. Received: it is \w+. The run goes on; look"):
        follow(kubeflow, run_id, on_task=lambda task: None, poll_s=1, timeout_s=0.01)


def test_a_server_that_is_away_for_a_while_is_waited_for(kubeflow, kfp, monkeypatch):
    run_id = kubeflow.submit(JOB).run_id
    kfp.faults.append(Fault("GET", f"/runs/{run_id}$", 503, 14, times=3))

    assert followed(kubeflow, run_id)[0].state == "succeeded"

    monkeypatch.setattr("roadworthy.pipeline.runners.cloud.platform.AWAY_S", 0.0)
    kfp.faults.append(Fault("GET", "/runs/", 503, 14, times=99))
    with pytest.raises(DeployError, match=rf"(?s)UNAVAILABLE.*The run goes on; look at it with: .* --run {run_id}"):
        followed(kubeflow, run_id)


def test_a_no_while_a_run_is_followed_ends_the_following_at_once(kubeflow, kfp):
    run_id = kubeflow.submit(JOB).run_id
    kfp.faults.append(Fault("GET", f"/runs/{run_id}$", 403, 7))

    with pytest.raises(DeployError, match=r"(?s)PERMISSION_DENIED.*The run goes on"):
        followed(kubeflow, run_id)


def test_a_token_that_was_changed_in_its_file_is_the_next_looks(kubeflow, kfp, tmp_path):
    run_id = kubeflow.submit(JOB).run_id
    kfp.token = "a-newer-token"  # noqa: S105
    (tmp_path / "token").write_text(kfp.token)
    kfp.faults.append(Fault("GET", "/runs/", 403, 7, message=f"{kfp.token} may not"))

    with pytest.raises(DeployError, match="PERMISSION_DENIED: … may not"):
        kubeflow.look(run_id)
    assert kubeflow.look(run_id).run_id == run_id


def test_the_log_of_a_node_is_its_pods(kubeflow, kfp):
    kfp.logs["Ingest"] = "one\ntwo\n"
    run_id = kubeflow.submit(JOB).run_id
    kubeflow.look(run_id)

    assert list(kubeflow.logs(run_id, "Ingest")) == ["one", "two"]
    with pytest.raises(DeployError, match=r"a node Scorecard that has started. Received: Ingest"):
        list(kubeflow.logs(run_id, "Scorecard"))


def test_a_schedule_is_made_listed_and_deleted(kubeflow, kfp):
    made = kubeflow.create_schedule(JOB, name="nightly", cron="0 3 * * *")

    sent = kfp.recurring[made.schedule_id]
    assert (sent.trigger.cron_schedule.cron, sent.max_concurrency, sent.no_catchup) == ("0 0 3 * * *", "1", True)
    assert [(one.name, one.state) for one in kubeflow.schedules()] == [("nightly", "enabled")]
    kubeflow.delete_schedule(made.schedule_id)
    assert kubeflow.schedules() == []
    with pytest.raises(DeployError, match="NOT_FOUND"):
        kubeflow.delete_schedule(made.schedule_id)


def test_a_cron_that_is_none_is_told(kubeflow):
    with pytest.raises(DeployError, match=r"INVALID_ARGUMENT: Invalid cron: daily.*and the cron"):
        kubeflow.create_schedule(JOB, name="nightly", cron="daily")


@pytest.mark.parametrize(
    ("status", "number", "said"),
    [
        (400, 3, "INVALID_ARGUMENT: injected by the test. Check the cloud section"),
        (401, 16, "UNAUTHENTICATED: injected by the test. Give a valid token"),
        (403, 7, "PERMISSION_DENIED: injected by the test. Ask for the role kubeflow-edit"),
        (404, 5, "NOT_FOUND: injected by the test. Check the id"),
        (409, 6, "ALREADY_EXISTS: injected by the test"),
        (400, 9, "FAILED_PRECONDITION: injected by the test"),
        (409, 10, "ABORTED: injected by the test"),
        (429, 8, "RESOURCE_EXHAUSTED: injected by the test. The server is busy"),
        (500, 13, "INTERNAL: injected by the test. A fault of the server"),
        (501, 12, "UNIMPLEMENTED: injected by the test"),
        (503, 14, "UNAVAILABLE: injected by the test"),
        (504, 4, "DEADLINE_EXCEEDED: injected by the test"),
        (502, 0, "UNAVAILABLE"),
    ],
)
def test_every_code_is_one_clear_message(kubeflow, kfp, status, number, said):
    kfp.faults.append(Fault("GET", "/experiments$", status, number))

    with pytest.raises(DeployError) as caught:
        kubeflow.runs(5)
    assert str(caught.value).startswith("Listing runs must be possible. Received: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_told(kfp, tmp_path):
    settings = KubeflowSettings(host="http://127.0.0.1:9")
    cloud = CloudSettings(pipeline_root="gs://shop/pipelines", image="i", kubeflow=settings)

    with pytest.raises(DeployError, match=r"UNAVAILABLE.*http://127.0.0.1:9 can't be reached"):
        Kubeflow(cloud, name="shop").runs(1)


def test_the_token_may_come_from_the_environment_and_a_wrong_one_is_told(kfp, monkeypatch):
    cloud = CloudSettings(pipeline_root="gs://b/r", image="i", kubeflow=KubeflowSettings(host=kfp.url))
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert Kubeflow(cloud, name="shop").runs(1) == []

    monkeypatch.setenv(TOKEN_VARIABLE, "wrong")
    with pytest.raises(DeployError, match="UNAUTHENTICATED"):
        Kubeflow(cloud, name="shop").runs(1)


def test_what_the_config_lacks_is_told(tmp_path):
    cloud = CloudSettings(pipeline_root="gs://b/r", image="i")
    with pytest.raises(ConfigError, match=r"cloud\.kubeflow must be given"):
        Kubeflow(cloud, name="shop")
    settings = KubeflowSettings(host="http://kubeflow", token_file=tmp_path / "missing")
    with pytest.raises(ConfigError, match="token_file must be a file that can be read"):
        Kubeflow(cloud.model_copy(update={"kubeflow": settings}), name="shop")


def test_the_token_is_nowhere_but_in_its_own_file(kubeflow, kfp, tmp_path, caplog):
    caplog.set_level("DEBUG")
    run, _ = followed(kubeflow, kubeflow.submit(JOB).run_id)
    kubeflow.create_schedule(JOB, name="nightly", cron="0 3 * * *")

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files if TOKEN in path.read_text(errors="replace")] == ["token"]
    kept = json.dumps([made.to_dict() for made in (*kfp.runs.values(), *kfp.recurring.values())], default=str)
    assert TOKEN not in kept + str(run) + caplog.text
