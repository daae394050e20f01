"""Two worker processes behind one pair of ports, as clients, operators and misfortune find them."""

import contextlib
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time

import grpc
import httpx
import numpy as np
import pytest

from contracts.certificates import Authority
from contracts.mean_colour import write_mean_colour
from contracts.pictures import encode, pixels
from contracts.server_process import COMMAND
from contracts.waiting import wait_for
from roadworthy.serving import protos
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE
from roadworthy.serving.server.tokens import mint
from roadworthy.serving.tensors import to_proto

from .conftest import connected, is_running, probe, workers_of

PNG = encode(pixels(0))
METRICS = 'prometheus_config { enable: true path: "/metrics" }'


def ask(port, *, model="colour", version=None):
    """The version that answers a new connection."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
        return asker(channel, model=model, version=version)()


def asker(channel, *, model="colour", version=None):
    """Asks over a connection; gives the version that answered."""
    request = protos.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, IMAGE_SIGNATURE
    if version is not None:
        request.model_spec.version.value = version
    request.inputs[IMAGE_INPUT].CopyFrom(to_proto(np.array([PNG], object)))
    predict = channel.unary_unary(
        f"/{protos.PREDICTION_SERVICE}/Predict", response_deserializer=protos.PredictResponse.FromString
    )
    return lambda: predict(request.SerializeToString(), timeout=20).model_spec.version.value


def place(tmp_path, base, version):
    """Puts a version in place as a push does, by a rename."""
    write_mean_colour(tmp_path / "next").rename(base / str(version))


def states(process, model="colour"):
    told = process.get(f"/v1/models/{model}").json().get("model_version_status", [])
    return {int(status["version"]): status["state"] for status in told}


def call(process, method, request, response):
    with grpc.insecure_channel(f"127.0.0.1:{process.grpc_port}") as channel:
        asked = channel.unary_unary(f"/{protos.MODEL_SERVICE}/{method}", response_deserializer=response.FromString)
        return asked(request.SerializeToString(), timeout=60)


def test_clients_are_shared_out_evenly_and_a_lost_worker_takes_only_its_own_along(start):
    process = start()
    clients = connected(process, 8)
    before = workers_of(process)
    os.kill(before[0], signal.SIGKILL)
    wait_for(lambda: not is_running(before[0]))
    assert sum(not probe(client) for client in clients) == 4
    assert ask(process.grpc_port) == 1
    wait_for(lambda: len(workers_of(process)) == 2)
    assert before[0] not in workers_of(process)
    assert any("worker 1 was ended by signal 9" in line for line in process.log)
    wait_for(lambda: any("worker 1 answers again" in line for line in process.log))


def test_each_worker_may_open_as_many_files_as_its_clients_need(start):
    process = start(command=("bash", "-c", 'ulimit -Sn 100; exec "$0" "$@"', *COMMAND))
    clients = connected(process, 300)
    assert all(probe(client).startswith(b"HTTP/1.1 200") for client in clients)


def test_a_version_is_told_of_once_every_worker_answers_for_it(start, colour, tmp_path):
    process = start()
    for version in range(2, 7):
        place(tmp_path, colour, version)
        wait_for(lambda version=version: states(process).get(version) == "AVAILABLE")
        assert {ask(process.grpc_port, version=version) for _ in range(6)} == {version}
        assert {ask(process.grpc_port) for _ in range(6)} == {version}
    wait_for(lambda: states(process) == {6: "AVAILABLE"} | dict.fromkeys(range(1, 6), "END"))


def test_swaps_under_load_fail_no_request_of_any_worker(start, colour, tmp_path):
    process = start()
    done, versions, failures = threading.Event(), [], []

    def hammer():
        with grpc.insecure_channel(
            f"127.0.0.1:{process.grpc_port}", [("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            predict = asker(channel)
            while not done.is_set():
                try:
                    versions.append(predict())
                except grpc.RpcError as error:
                    failures.append(error)

    hammers = [threading.Thread(target=hammer) for _ in range(4)]
    for one in hammers:
        one.start()
    for version in range(2, 8):
        place(tmp_path, colour, version)
        wait_for(lambda version=version: states(process).get(version) == "AVAILABLE")
    wait_for(lambda: versions[-1:] == [7])
    done.set()
    for one in hammers:
        one.join()
    assert (failures, set(versions) - set(range(1, 8))) == ([], set())


def test_a_reload_reaches_every_worker_before_it_is_answered_and_its_refusal_the_client(start, colour, tmp_path):
    process = start()
    request = protos.ReloadConfigRequest()
    request.config.model_config_list.config.add(name="other", base_path=str(colour)).version_labels["stable"] = 1
    assert call(process, "HandleReloadConfigRequest", request, protos.ReloadConfigResponse).status.error_code == 0
    for _ in range(6):
        assert ask(process.grpc_port, model="other") == 1
        with pytest.raises(grpc.RpcError, match="Servable not found"):
            ask(process.grpc_port)
        assert process.get("/v1/models/other/labels/stable").status_code == 200

    request.config.model_config_list.config[0].version_labels["canary"] = 5
    refused = call(process, "HandleReloadConfigRequest", request, protos.ReloadConfigResponse).status
    assert (refused.error_code, "currently available for inference: canary" in refused.error_message) == (9, True)


def test_metrics_are_of_all_workers_also_of_those_that_ended(start, tmp_path):
    (tmp_path / "monitoring.config").write_text(METRICS)
    process = start(f"--monitoring_config_file={tmp_path / 'monitoring.config'}")

    def counted():
        lines = process.get("/metrics").text.splitlines()
        return [line for line in lines if line.startswith(":tensorflow:serving:request_count{")]

    for _ in range(6):
        ask(process.grpc_port)
    expected = [':tensorflow:serving:request_count{model_name="colour",status="OK"} 6']
    assert counted() == expected
    lost = workers_of(process)[1]
    os.kill(lost, signal.SIGKILL)
    wait_for(lambda: not is_running(lost))
    assert counted() == expected
    wait_for(lambda: any("worker 2 answers again" in line for line in process.log))
    assert counted() == expected


def test_sigterm_to_the_whole_group_ends_requests_first_and_then_every_process(start):
    process = start("--drain_delay_seconds=0.5")
    workers, (client, *_) = workers_of(process), connected(process, 2)
    for pid in (process.popen.pid, *workers):
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: b" 503 " in probe(client, "/readyz"))
    assert ask(process.grpc_port) == 1
    assert process.popen.wait(timeout=20) == 0
    assert not any(map(is_running, workers))


def test_a_request_that_is_under_way_at_sigterm_is_answered(start):
    process = start()
    body = b'{"signature_name": "image_bytes", "instances": [{"b64": "eA=="}]}'
    with httpx.Client() as client:

        def slowly():
            yield body[:10]
            process.popen.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            yield body[10:]

        answer = client.post(
            f"http://127.0.0.1:{process.rest_port}/v1/models/colour:predict",
            content=slowly(),
            headers={"content-length": str(len(body))},
        )
    assert (answer.status_code, "image" in answer.text) == (400, True)
    assert process.popen.wait(timeout=20) == 0


def test_a_second_signal_ends_every_process_at_once(start):
    process = start("--drain_delay_seconds=60")
    workers = workers_of(process)
    process.popen.send_signal(signal.SIGTERM)
    wait_for(lambda: process.get("/readyz").status_code == 503)
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(timeout=10) == 128 + signal.SIGTERM
    wait_for(lambda: not any(map(is_running, workers)))


def test_workers_do_not_outlive_a_supervisor_that_is_killed(start):
    process = start()
    workers = workers_of(process)
    process.popen.kill()
    process.popen.wait()
    wait_for(lambda: not any(map(is_running, workers)))


def test_what_is_wrong_with_the_flags_is_told_once_and_leaves_no_process(colour, tmp_path):
    done = subprocess.run(
        [*COMMAND, "--workers=2", "--port=0", f"--model_base_path={colour}", f"--token_file={tmp_path / 'none'}"],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("roadworthy-model-server: ")) == (2, 1)
    assert str(tmp_path / "none") in done.stderr
    assert "Traceback" not in done.stderr


def test_tls_tokens_a_unix_socket_and_an_access_log_are_those_of_every_worker(start, tmp_path):
    authority = Authority(tmp_path)
    pair, (token, line) = authority.issue("server"), mint("ci", ["colour"])
    (tmp_path / "tokens").write_text(line)
    (tmp_path / "tokens").chmod(0o600)
    process = start(
        f"--tls_cert={pair.certificate}", f"--tls_key={pair.key}", f"--token_file={tmp_path / 'tokens'}",
        f"--access_log={tmp_path / 'access.jsonl'}", f"--grpc_socket_path={tmp_path / 'grpc.sock'}",
    )  # fmt: skip
    context = ssl.create_default_context(cafile=authority.file)
    for _ in range(4):
        with httpx.Client(verify=context, trust_env=False) as http:
            url = f"https://localhost:{process.rest_port}/v1/models/colour"
            assert http.get(url).status_code == 401
            assert http.get(url, headers={"authorization": f"Bearer {token}"}).status_code == 200
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
    request = protos.GetModelStatusRequest()
    request.model_spec.name = "colour"
    options = [("grpc.ssl_target_name_override", "localhost")]
    with grpc.secure_channel(f"unix:{tmp_path / 'grpc.sock'}", credentials, options) as channel:
        asked = channel.unary_unary(f"/{protos.MODEL_SERVICE}/GetModelStatus")
        assert asked(request.SerializeToString(), metadata=[("authorization", f"Bearer {token}")], timeout=20)
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(timeout=20) == 0
    assert len((tmp_path / "access.jsonl").read_text().splitlines()) == 9


def test_a_version_that_takes_its_process_down_leaves_a_worker_that_answers(start, half_plus_two, tmp_path):
    base = shutil.copytree(half_plus_two, tmp_path / "half")
    process = start("--max_num_load_retries=0", base_path=base)
    write_deadly(tmp_path / "aside")
    (tmp_path / "aside").rename(base / "124")

    def has_failed():
        # A look at the state may be lost along with the worker that is asked.
        with contextlib.suppress(httpx.TransportError):
            return states(process).get(124) == "END"
        return False

    wait_for(has_failed, timeout_s=60)
    said = process.get("/v1/models/colour/versions/124").json()["model_version_status"][0]["status"]
    assert "must not take down the process that loads it" in said["error_message"]
    answer = httpx.post(
        f"http://127.0.0.1:{process.rest_port}/v1/models/colour:predict", json={"instances": [2.0]}, trust_env=False
    )
    assert answer.json() == {"predictions": [3.0]}
    assert len([line for line in process.log if "was ended by signal" in line]) == 1


def write_deadly(folder):
    """A version whose own warm-up request ends the process that answers it."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    class Deadly(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def end(self, x):
            with tf.control_dependencies([tf.raw_ops.Abort(error_msg="as a broken kernel would")]):
                return {"y": tf.identity(x)}

    model = Deadly()
    tf.saved_model.save(model, str(folder), signatures=model.end)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "half"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    (folder / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(folder / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
