"""Traces of a running server, taken by TensorFlow's own client."""

import threading

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from roadworthy.serving.server import profiler
from roadworthy.serving.server.grpc_service import GrpcService
from roadworthy.serving.server.observe import Call
from roadworthy.serving.status import RequestError


def test_tensorflows_own_client_gets_a_trace_of_what_was_asked_meanwhile(server, tmp_path):
    done = threading.Event()

    def ask():
        asked = predict_pb2.PredictRequest(model_spec={"name": "half_plus_two"})
        asked.inputs["x"].CopyFrom(tf.make_tensor_proto([[2.0]]))
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while not done.is_set():
                stub.Predict(asked, timeout=20)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        tf.profiler.experimental.client.trace(f"grpc://127.0.0.1:{server.grpc_port}", str(tmp_path), 300)
    finally:
        done.set()
        asking.join()
    (trace,) = tmp_path.rglob("*.xplane.pb")
    assert b"SessionRun" in trace.read_bytes()


@pytest.mark.parametrize("duration_ms", [0, 60_001, 2**63 - 1])
def test_a_trace_without_an_end_is_refused(server, duration_ms):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        profile = channel.unary_unary(f"/{profiler.SERVICE}/Profile")
        with pytest.raises(grpc.RpcError) as refused:
            profile(_request(duration_ms), timeout=20)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"Received: {duration_ms}." in refused.value.details()


def test_there_is_no_profiler_where_the_server_has_it_off():
    path = f"/{profiler.SERVICE}/Profile".encode()
    service = GrpcService(None, None, None, profiling=False)
    with pytest.raises(RequestError, match="Method not found"):
        service.arrived(path, Call("grpc", "Profile"))
    GrpcService(None, None, None).arrived(path, Call("grpc", "Profile"))


def _request(duration_ms: int) -> bytes:
    return profiler.protos.ProfileRequest(duration_ms=duration_ms).SerializeToString()
