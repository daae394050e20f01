"""A token planted where credentials come from shows in nothing that is printed, compiled, sent or written."""

import contextlib
import io
import json
from pathlib import Path

import pytest
import yaml

from contracts.kfp.server import Fault as KfpFault
from contracts.kfp.server import kfp_server
from contracts.vertex.server import Fault
from roadworthy.pipeline.cli.main import main

GOLDEN = Path(__file__).parents[2] / "testdata" / "compiled" / "cloud.yaml"
TOKEN = "planted-token-that-must-not-be-seen"  # noqa: S105
VARIABLES = ("ROADWORTHY_KUBEFLOW_TOKEN", "GOOGLE_AUTH_TOKEN_FOR_TESTING", "GOOGLE_OAUTH_ACCESS_TOKEN")


@pytest.fixture
def kfp(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in VARIABLES:
        monkeypatch.setenv(variable, TOKEN)
    with kfp_server(token=TOKEN) as server:
        yield server


@pytest.fixture(params=["file", "environment"])
def config(request, kfp, tmp_path, monkeypatch) -> Path:
    """A config whose token is in a file of its own, or in the environment alone."""
    document = yaml.safe_load(GOLDEN.read_text())
    document["cloud"]["kubeflow"] = {"host": kfp.url}
    document["cloud"]["beam"] = None
    if request.param == "file":
        (tmp_path / "the-token").write_text(TOKEN)
        document["cloud"]["kubeflow"]["token_file"] = "the-token"  # noqa: S105
        monkeypatch.delenv("ROADWORTHY_KUBEFLOW_TOKEN")
    document["output"] = "out"
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(document))
    monkeypatch.chdir(tmp_path)
    return path


def told(*words) -> str:
    """Everything a command says, with the traceback that --debug shows."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        main([*map(str, words), "--debug"])
    return said.getvalue()


def holding(folder: Path, secret: str, *, but: tuple[str, ...] = ()) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in but]
    return [str(path) for path in files if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize("platform", ["vertex", "kubeflow"])
@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_no_compiled_pipeline_holds_it(config, tmp_path, platform, ending):
    said = told("compile", config, "--for", platform, "-o", tmp_path / f"spec.{ending}")
    said += told("run", config, "--on", platform, "--dry-run", "--json") + told("check", config, "--json")

    assert TOKEN not in said
    assert holding(tmp_path, TOKEN, but=("the-token",)) == []


def test_nothing_that_kubeflow_is_asked_or_answers_shows_it(config, kfp, tmp_path, caplog):
    caplog.set_level("DEBUG")
    kfp.logs["Trainer"] = "what the node wrote\n"
    said = told("run", config, "--on", "kubeflow", "--poll", "0.01", "--json")
    (run_id,) = kfp.runs
    said += told("runs", config, "--json") + told("runs", config, "--run", run_id, "--json")
    said += told("logs", config, run_id, "Trainer")
    said += told("schedule", "create", config, "--on", "kubeflow", "--cron", "0 3 * * 1", "--json")
    said += told("schedule", "list", config, "--on", "kubeflow", "--json")
    asked = json.dumps([made.to_dict() for made in (*kfp.runs.values(), *kfp.recurring.values())], default=str)

    assert "succeeded" in said
    assert TOKEN not in said + asked + caplog.text
    assert holding(tmp_path, TOKEN, but=("the-token",)) == []


@pytest.mark.parametrize("words", [f"Bearer {TOKEN} has expired", f"token {TOKEN} has expired"])
def test_a_server_that_sends_it_back_in_an_error_does_not_bring_it_to_light(config, kfp, tmp_path, caplog, words):
    caplog.set_level("DEBUG")
    kfp.faults.append(KfpFault("POST", "runs", 401, 16, message=words))

    said = told("run", config, "--on", "kubeflow", "--json")

    assert "Received: UNAUTHENTICATED:" in said
    assert "has expired" in said
    assert TOKEN not in said + caplog.text
    assert holding(tmp_path, TOKEN, but=("the-token",)) == []


def test_an_address_with_a_password_is_refused_without_showing_it(config):
    document = yaml.safe_load(config.read_text())
    document["cloud"]["kubeflow"]["host"] = f"https://someone:{TOKEN}@kubeflow.example.com"
    config.write_text(yaml.safe_dump(document))

    said = told("check", config)

    assert "cloud.kubeflow.host must hold no user and no password" in said
    assert TOKEN not in said


def test_a_token_in_the_config_itself_is_refused_without_showing_it(config):
    document = yaml.safe_load(config.read_text())
    document["cloud"]["kubeflow"]["token"] = TOKEN
    config.write_text(yaml.safe_dump(document))

    said = told("check", config)

    assert "cloud.kubeflow.token is not a known key" in said
    assert TOKEN not in said


@pytest.mark.parametrize("slip", ["token: '{}", "token: *{}", "token_file: {}"])
def test_a_slip_beside_a_token_in_the_config_does_not_show_it(config, slip):
    document = yaml.safe_load(config.read_text())
    host = document["cloud"]["kubeflow"]["host"]
    document["cloud"]["kubeflow"] = None
    text = yaml.safe_dump(document, sort_keys=False)
    config.write_text(text.replace("kubeflow: null", f"kubeflow: \n    host: {host}\n    {slip.format(TOKEN)}"))

    said = told("runs", config, "--on", "kubeflow")

    assert "must be" in said
    assert TOKEN not in said


@pytest.mark.parametrize("method", ["CreatePipelineJob", "ListPipelineJobs"])
def test_no_key_and_no_token_of_google_shows_when_vertex_says_no(vertex, tmp_path, monkeypatch, caplog, method):
    caplog.set_level("DEBUG")
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", f"https://{vertex.address}/")
    document = yaml.safe_load(GOLDEN.read_text())
    document["output"] = str(tmp_path / "out")
    document["cloud"] |= {"project": "demo-1234", "region": "us-central1", "pipeline_root": "gs://rw-bucket/root"}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(document))
    vertex.faults.append(Fault(method, "PERMISSION_DENIED", f"authorization: Bearer {TOKEN} lacks a role", times=9))
    words = {"CreatePipelineJob": ["run", "--json"], "ListPipelineJobs": ["runs", "--json"]}[method]

    said = told(words[0], tmp_path / "shop.yaml", "--on", "vertex", *words[1:])

    assert "Received: PERMISSION_DENIED" in said
    (key_file,) = tmp_path.rglob("service-account.json")
    key = json.loads(key_file.read_text())["private_key"].splitlines()[1]
    sent = [value.removeprefix("Bearer ") for value in vertex.authorizations]
    assert sent, "The server saw none, so there was none to leak."
    for secret in (key, *sent):
        assert secret not in said + caplog.text + str(vertex.calls)
        assert holding(tmp_path, secret, but=(key_file.name,)) == []
    assert "Traceback" in said
    assert TOKEN not in said
