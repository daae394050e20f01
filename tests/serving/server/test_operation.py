"""Tokens, TLS and logs around a real server, over both transports."""

import json
import ssl
import time
from contextlib import ExitStack
from urllib.parse import quote

import grpc
import httpx
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, predict_pb2, prediction_log_pb2

from contracts.certificates import Authority
from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.model_config import ModelConfig
from roadworthy.serving.server.operation import Operation, observing, tls_of
from roadworthy.serving.server.run import ModelServer
from roadworthy.serving.server.tokens import mint

NOTHING = Operation()
SERVICE = "/tensorflow.serving."
PROFILE = "/tensorflow.ProfilerService/Profile"


@pytest.fixture
def start(half_plus_two):
    """Starts a server of `half` with options of `Operation` and `Listening`."""
    with ExitStack() as running:

        def started(operation=NOTHING, **listening):
            manager = Manager.of_models([ModelConfig("half", half_plus_two), ModelConfig("other", half_plus_two)])
            observers = running.enter_context(observing(operation, manager))
            asked = Listening(**{"grpc_port": 0, "rest_port": 0, "health": True, **listening})
            return running.enter_context(ModelServer(manager, asked, observers=observers))

        yield started


def predict_request(model="half"):
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = model
    asked.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0]))
    return asked.SerializeToString()


def ask_grpc(server, method="PredictionService/Predict", body=None, *, token=None, channel=None, **options):
    """The code of an answer over gRPC, and its metadata."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with channel or grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        asked = opened.unary_unary(method if method.startswith("/") else SERVICE + method)
        body = predict_request() if body is None else body
        try:
            _, call = asked.with_call(body, metadata=metadata, timeout=10, **options)
        except grpc.RpcError as error:
            return error.code().name, dict(error.initial_metadata() or ())
    return "OK", dict(call.initial_metadata())


def ask_rest(server, path="/v1/models/half:predict", *, verb="POST", token=None, **options):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    headers |= options.pop("headers", {})
    content = options.pop("content", b'{"instances": [2.0]}') if verb == "POST" else None
    with httpx.Client(trust_env=False, timeout=10, **options) as http:
        scheme = "https" if options else "http"
        return http.request(verb, f"{scheme}://localhost:{server.rest_port}{path}", headers=headers, content=content)


@pytest.fixture
def tokens(tmp_path):
    """A token file and its tokens by name."""
    made = {
        "half": mint("half", ["ha*"]),
        "metrics": mint("metrics", ["@metrics"]),
        "admin": mint("admin", ["*", "@admin"]),
    }
    path = tmp_path / "tokens"
    path.write_text("\n".join(line for _, line in made.values()))
    path.chmod(0o600)
    return path, {name: token for name, (token, _) in made.items()}


def reload_request():
    return model_management_pb2.ReloadConfigRequest().SerializeToString()


def status_request(model):
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = model
    return asked.SerializeToString()


def test_every_grpc_method_asks_for_a_token_of_its_model(start, tokens):
    path, token = tokens
    server = start(Operation(token_file=path))
    methods = {
        "PredictionService/Predict": predict_request,
        "ModelService/GetModelStatus": status_request,
    }
    for method, body in methods.items():
        assert ask_grpc(server, method, body("half"))[0] == "UNAUTHENTICATED"
        assert ask_grpc(server, method, body("half"), token="rw_wrong")[0] == "UNAUTHENTICATED"  # noqa: S106
        assert ask_grpc(server, method, body("half"), token=token["half"])[0] == "OK"
        assert ask_grpc(server, method, body("other"), token=token["half"])[0] == "PERMISSION_DENIED"
        # Whether there is such a model is nobody's business either.
        assert ask_grpc(server, method, body("nope"), token=token["half"])[0] == "PERMISSION_DENIED"
    reload = "ModelService/HandleReloadConfigRequest"
    assert ask_grpc(server, reload, reload_request())[0] == "UNAUTHENTICATED"
    assert ask_grpc(server, reload, reload_request(), token=token["half"])[0] == "PERMISSION_DENIED"
    assert ask_grpc(server, reload, reload_request(), token=token["admin"])[0] == "OK"
    # A trace tells of everybody's models.
    assert ask_grpc(server, PROFILE, b"")[0] == "UNAUTHENTICATED"
    assert ask_grpc(server, PROFILE, b"", token=token["half"])[0] == "PERMISSION_DENIED"
    assert ask_grpc(server, PROFILE, b"", token=token["admin"])[0] == "INVALID_ARGUMENT"


def test_every_rest_path_asks_for_a_token_of_its_model(start, tokens):
    path, token = tokens
    server = start(Operation(token_file=path, metrics_path="/metrics"), metrics_path="/metrics")
    for verb, tail in (("POST", ":predict"), ("GET", ""), ("GET", "/metadata"), ("GET", "/versions/123")):
        refused = ask_rest(server, f"/v1/models/half{tail}", verb=verb)
        assert (refused.status_code, refused.headers["www-authenticate"][:6]) == (401, "Bearer")
        assert ask_rest(server, f"/v1/models/half{tail}", verb=verb, token=token["half"]).status_code == 200
        for model in ("other", "nope", "%2e%2e%2fhalf"):
            answer = ask_rest(server, f"/v1/models/{model}{tail}", verb=verb, token=token["half"])
            assert answer.status_code in ((403,) if "%" not in model else (400, 403))
    for name, status in ((None, 401), ("half", 403), ("metrics", 200), ("admin", 200)):
        assert ask_rest(server, "/metrics", verb="GET", token=token.get(name)).status_code == status


@pytest.mark.parametrize("name", ["../half", "..", "/etc/passwd", "half/../half", "half\x00", "%2e%2e/half"])
def test_a_name_is_never_a_path(start, name):
    server = start()
    assert ask_grpc(server, body=predict_request(name))[0] == "NOT_FOUND"
    assert ask_grpc(server, "ModelService/GetModelStatus", status_request(name))[0] == "NOT_FOUND"
    quoted = quote(name, safe="")
    assert ask_rest(server, f"/v1/models/{quoted}:predict").status_code in (400, 404)
    assert ask_rest(server, f"/v1/models/{quoted}", verb="GET").status_code in (400, 404)


def test_health_needs_no_token(start, tokens):
    server = start(Operation(token_file=tokens[0]))
    assert [ask_rest(server, path, verb="GET").status_code for path in ("/livez", "/readyz")] == [200, 200]
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_token_that_is_taken_out_of_the_file_no_longer_counts(start, tokens):
    path, token = tokens
    server = start(Operation(token_file=path))
    assert ask_rest(server, token=token["half"]).status_code == 200
    path.write_text("broken")
    time.sleep(1.1)  # the file is looked at once a second
    assert ask_rest(server, token=token["half"]).status_code == 200
    path.write_text(mint("new", ["*"])[1])
    time.sleep(1.1)
    assert ask_rest(server, token=token["half"]).status_code == 401
    assert ask_grpc(server, token=token["half"])[0] == "UNAUTHENTICATED"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def secure(server, authority, client=None):
    credentials = grpc.ssl_channel_credentials(
        authority.certificate, client and client.key.read_bytes(), client and client.certificate.read_bytes()
    )
    return grpc.secure_channel(f"localhost:{server.grpc_port}", credentials)


def trusting(authority, client=None):
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    return context


def test_both_transports_speak_tls_and_follow_the_certificate(start, authority, tmp_path):
    pair, later = authority.issue("server"), Authority(tmp_path, "later")
    server = start(tls=tls_of(key=pair.key, certificate=pair.certificate, client_ca=None))

    assert ask_grpc(server, channel=secure(server, authority))[0] == "OK"
    assert ask_rest(server, verify=trusting(authority)).json() == {"predictions": [3.0]}
    assert ask_grpc(server, channel=secure(server, later))[0] == "UNAVAILABLE"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        ask_rest(server, verify=trusting(later))
    with pytest.raises(httpx.HTTPError):
        ask_rest(server)

    later.issue("server")
    time.sleep(1.1)  # the files are looked at once a second
    assert ask_grpc(server, channel=secure(server, later))[0] == "OK"
    assert ask_rest(server, verify=trusting(later)).status_code == 200


def test_mutual_tls_lets_in_nobody_without_a_certificate(start, authority, tmp_path):
    pair, clients = authority.issue("server"), Authority(tmp_path, "clients")
    server = start(tls=tls_of(key=pair.key, certificate=pair.certificate, client_ca=clients.file))
    known, stranger = clients.issue("known"), authority.issue("stranger")

    assert ask_grpc(server, channel=secure(server, authority, known))[0] == "OK"
    assert ask_rest(server, verify=trusting(authority, known)).status_code == 200
    for client in (None, stranger):
        assert ask_grpc(server, channel=secure(server, authority, client))[0] == "UNAVAILABLE"
        with pytest.raises(httpx.HTTPError):
            ask_rest(server, verify=trusting(authority, client))


def test_an_expired_certificate_is_served_with_a_warning_and_refused_by_clients(start, authority, caplog):
    pair = authority.issue("server", hours=-1)
    server = start(tls=tls_of(key=pair.key, certificate=pair.certificate, client_ca=None))

    assert "expired on" in caplog.text
    assert ask_grpc(server, channel=secure(server, authority))[0] == "UNAVAILABLE"
    with pytest.raises(httpx.ConnectError, match="certificate has expired"):
        ask_rest(server, verify=trusting(authority))


def test_tls_flags_that_do_not_go_together_are_refused(tmp_path):
    with pytest.raises(ServeError, match="Received: no --tls_key"):
        tls_of(certificate=tmp_path, client_ca=None)
    with pytest.raises(ServeError, match="give one of both"):
        tls_of(config_file=tmp_path, key=tmp_path, client_ca=None)
    assert tls_of(client_ca=None) is None


def test_the_access_log_tells_of_every_request_and_of_no_token(start, tokens, tmp_path):
    path, token = tokens
    log = tmp_path / "access.jsonl"
    server = start(Operation(token_file=path, access_log=log))
    assert ask_rest(server, token=token["half"], headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    _, metadata = ask_grpc(server, token=token["half"])
    ask_rest(server, token="rw_wrong")  # noqa: S106
    ask_grpc(server, "PredictionService/Nope")
    deadline = time.monotonic() + 10
    while log.read_text().count("\n") < 4:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    rest, answered, refused, unknown = map(json.loads, log.read_text().splitlines())
    assert (rest["id"], rest["transport"], rest["method"], rest["model"]) == ("mine-1", "rest", "Predict", "half")
    assert (rest["version"], rest["code"], rest["caller"], rest["request_bytes"]) == (123, "OK", "half", 20)
    assert answered["id"] == metadata["x-request-id"]
    assert (answered["transport"], answered["version"], answered["peer"][:10]) == ("grpc", 123, "127.0.0.1:")
    assert (refused["code"], refused.get("caller")) == ("UNAUTHENTICATED", None)
    assert (unknown["code"], unknown["method"]) == ("UNIMPLEMENTED", "/tensorflow.serving.PredictionService/Nope")
    assert "rw_" not in log.read_text()


@pytest.mark.parametrize("ask", [ask_rest, ask_grpc])
def test_requests_are_logged_for_drift_checks(half_plus_two, tmp_path, ask):
    manager = Manager.of_models([ModelConfig("half", half_plus_two)])
    operation = Operation(request_log_dir=tmp_path / "logs", request_log_rate=1.0)
    with (
        observing(operation, manager) as observers,
        ModelServer(manager, Listening(grpc_port=0, rest_port=0), observers=observers) as server,
    ):
        ask(server)

    (path,) = (tmp_path / "logs").iterdir()
    (record,) = tf.data.TFRecordDataset([str(path)]).as_numpy_iterator()
    log = prediction_log_pb2.PredictionLog.FromString(record)
    assert tf.make_ndarray(log.predict_log.request.inputs["x"]).ravel().tolist() == [2.0]
    assert tf.make_ndarray(log.predict_log.response.outputs["y"]).ravel().tolist() == [3.0]
    assert log.log_metadata.model_spec.version.value == 123
