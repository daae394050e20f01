"""The server under TF Serving's flags, in a process of its own, asked by upstream's own stubs."""

import base64
import json
import re
import shutil
import signal
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from contracts.certificates import Authority
from contracts.half_plus_two import write_half_plus_two
from contracts.ports import free_port
from roadworthy.serving.server.main import main
from roadworthy.serving.server.tokens import mint
from roadworthy.serving.tfrecord import read_records

COMMAND = [sys.executable, "-m", "roadworthy.serving.server.main"]


@pytest.fixture
def start():
    """Starts servers with flags; gives the process and its ports once it serves."""
    running = []

    def started(*flags):
        process = subprocess.Popen([*COMMAND, "--port=0", *flags], stderr=subprocess.PIPE, text=True)
        running.append(process)
        for line in process.stderr:
            if said := re.match(r"Serving: gRPC (\d+), REST (\w+)", line):
                return process, said[1], said[2]
        raise AssertionError("it ended before it served")

    yield started
    for process in running:
        process.kill()
        process.communicate()


def predict(address, x, **spec):
    asked = predict_pb2.PredictRequest(model_spec=spec)
    asked.inputs["x"].CopyFrom(tf.make_tensor_proto([x]))
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return stub.Predict(asked, timeout=20).outputs["y"].float_val[0]


def test_one_model_is_served_over_grpc_rest_and_a_unix_socket(start, half_plus_two, tmp_path):
    rest, socket = free_port(), tmp_path / "grpc.sock"
    process, port, told = start(
        "--model_name=half", f"--model_base_path={half_plus_two}", "--rest_api_port", str(rest),
        f"--grpc_socket_path={socket}", "--grpc_channel_arguments=grpc.max_connection_age_ms=2000",
    )  # fmt: skip
    assert told == str(rest)
    assert predict(f"127.0.0.1:{port}", 2.0, name="half") == 3.0
    assert predict(f"unix:{socket}", 4.0, name="half") == 4.0
    answer = httpx.post(f"http://127.0.0.1:{rest}/v1/models/half:predict", json={"instances": [2.0, 3.0, 4.0]})
    assert answer.json() == {"predictions": [3.0, 3.5, 4.0]}
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def test_all_that_makes_it_safe_goes_together(start, half_plus_two, tmp_path):
    authority, rest = Authority(tmp_path), free_port()
    pair, (token, line) = authority.issue("server"), mint("ci", ["half"])
    (tmp_path / "tokens").write_text(line)
    (tmp_path / "tokens").chmod(0o600)
    process, *_ = start(
        "--model_name=half", f"--model_base_path={half_plus_two}", f"--rest_api_port={rest}",
        f"--tls_cert={pair.certificate}", f"--tls_key={pair.key}", f"--token_file={tmp_path / 'tokens'}",
        f"--access_log={tmp_path / 'access.jsonl'}", f"--request_log_dir={tmp_path / 'requests'}",
        "--request_log_sampling=1", "--drain_delay_seconds=0.1",
    )  # fmt: skip
    url = f"https://localhost:{rest}/v1/models/half:predict"
    with httpx.Client(verify=ssl.create_default_context(cafile=authority.file), trust_env=False) as http:
        refused = http.post(url, json={"instances": [2.0]})
        answer = http.post(url, json={"instances": [2.0]}, headers={"authorization": f"Bearer {token}"})
    assert (refused.status_code, answer.json()) == (401, {"predictions": [3.0]})
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0

    lines = (tmp_path / "access.jsonl").read_text().splitlines()
    assert [json.loads(line)["code"] for line in lines] == ["UNAUTHENTICATED", "OK"]
    (logged,) = (tmp_path / "requests").iterdir()
    assert (logged.suffix, len(list(read_records(logged)))) == (".tfrecord", 1)
    assert token not in process.stderr.read() + "".join(lines)


def test_metrics_and_health_are_told_where_they_are_asked_for(start, half_plus_two, tmp_path):
    config, rest = tmp_path / "monitoring.config", free_port()
    config.write_text('prometheus_config { enable: true path: "/metrics" }')
    _, port, _ = start(
        f"--model_base_path={half_plus_two}", f"--rest_api_port={rest}", f"--monitoring_config_file={config}",
        "--enable_grpc_healthcheck_service",
    )  # fmt: skip
    predict(f"127.0.0.1:{port}", 2.0, name="default")
    httpx.post(f"http://127.0.0.1:{rest}/v1/models/none:predict", json={"instances": [2.0]})
    text = httpx.get(f"http://127.0.0.1:{rest}/metrics").text
    assert ':tensorflow:serving:request_count{model_name="default",status="OK"} 1' in text
    assert ':tensorflow:serving:request_count{model_name="none",status="NOT_FOUND"} 1' in text
    assert 'API="Predict",entrypoint="GRPC",le="+Inf"} 1' in text
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        asked = health_pb2.HealthCheckRequest(service="PredictionService")
        answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_without_a_monitoring_config_there_are_no_metrics(start, half_plus_two):
    rest = free_port()
    start(f"--model_base_path={half_plus_two}", f"--rest_api_port={rest}")
    assert httpx.get(f"http://127.0.0.1:{rest}/monitoring/prometheus/metrics").status_code == 404


def test_models_of_a_file_follow_it(start, half_plus_two, tmp_path):
    write_half_plus_two(tmp_path / "three" / "7", plus=3.0)
    shutil.copytree(half_plus_two / "123", tmp_path / "three" / "8")
    config = tmp_path / "models.config"
    entry = 'config {{ name: "three" base_path: "{}" {} }}'.format
    every = 'model_version_policy { all {} } version_labels { key: "plus3" value: 7 }'
    config.write_text(f"model_config_list {{ {entry(tmp_path / 'three', every)} }}")
    _, port, told = start(f"--model_config_file={config}")
    assert told == "off"
    assert predict(f"127.0.0.1:{port}", 2.0, name="three") == 3.0
    assert predict(f"127.0.0.1:{port}", 2.0, name="three", version_label="plus3") == 4.0


def test_requests_at_once_are_answered_in_the_batches_that_a_file_asks_for(start, half_plus_two, tmp_path):
    parameters = tmp_path / "batching.config"
    # Nothing is answered before there are four, or a minute is over.
    parameters.write_text("max_batch_size { value: 4 } batch_timeout_micros { value: 60000000 }")
    _, port, _ = start(
        f"--model_base_path={half_plus_two}", "--enable_batching", f"--batching_parameters_file={parameters}"
    )
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda x: predict(f"127.0.0.1:{port}", x, name="default"), [2.0, 4.0, 6.0, 8.0]))
    assert answers == [3.0, 4.0, 5.0, 6.0]


def test_limits_of_images_are_those_of_the_flags(start, exported, png, tmp_path):
    shutil.copytree(exported["litert"], tmp_path / "small" / "1")
    rest = free_port()
    start(f"--model_base_path={tmp_path / 'small'}", f"--rest_api_port={rest}", "--max_request_pixels=4000")
    row = {"b64": base64.b64encode(png).decode()}
    url = f"http://127.0.0.1:{rest}/v1/models/default:predict"
    answers = [httpx.post(url, json={"signature_name": "image_bytes", "instances": [row] * n}) for n in (2, 3)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert "at most 4,000 pixels together. Received: 5,760" in answers[1].json()["error"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--model_base_path or --model_config_file must be given"),
        (["--model_config_file=/nowhere"], "/nowhere must be a readable file"),
        (["--model_base_path=/tmp", "--host=0.0.0.0"], "--insecure"),
        (["--model_base_path=/tmp", "--tls_cert=/tmp/x"], "--tls_cert and --tls_key go together"),
        (["--model_base_path=/tmp", "--ssl_config_file=/nowhere"], "/nowhere must be a readable file"),
        (["--model_base_path=/tmp", "--token_file=/nowhere"], "--token_file /nowhere must be a readable text file"),
        (["--model_base_path=/tmp", "--access_log=/no/where"], "--access_log /no/where must be a file"),
        (["--model_base_path=/tmp", "--trace_endpoint=here"], "--trace_endpoint must be such as"),
        (["--model_base_path=/tmp", "--batching_parameters_file=/b"], "without setting --enable_batching to true"),
    ],
)
def test_what_can_not_be_served_is_one_message_and_exit_code_2(flags, message, capsys):
    assert main(flags) == 2
    assert message in capsys.readouterr().err


def test_a_broken_config_file_ends_the_server_with_upstreams_words(tmp_path):
    config = tmp_path / "bad.config"
    config.write_text("improper config")
    done = subprocess.run([*COMMAND, f"--model_config_file={config}"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told_without_a_model(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("Roadworthy ModelServer: ")
