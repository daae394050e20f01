import threading

import orjson

from roadworthy.serving.server.metrics import Counts, Metrics
from roadworthy.serving.server.observe import Call


def call(**changes):
    return Call("grpc", **{"method": "Predict", "model": "m", "seconds": 0.001, **changes})


def test_requests_are_counted_under_upstreams_names():
    metrics = Metrics()
    for code in ("OK", "OK", "NOT_FOUND"):
        metrics.done(call(code=code))

    text = metrics.text()
    assert "# TYPE :tensorflow:serving:request_count counter" in text
    assert ':tensorflow:serving:request_count{model_name="m",status="OK"} 2' in text
    assert ':tensorflow:serving:request_count{model_name="m",status="NOT_FOUND"} 1' in text


def test_latencies_are_a_cumulative_histogram_of_microseconds():
    metrics = Metrics()
    for seconds in (5e-6, 15e-6, 1e9):
        metrics.done(call(seconds=seconds))

    lines = [line for line in metrics.text().splitlines() if "request_latency" in line]
    labels = 'model_name="m",API="Predict",entrypoint="GRPC"'
    assert f':tensorflow:serving:request_latency_bucket{{{labels},le="10.0"}} 1' in lines
    assert f':tensorflow:serving:request_latency_bucket{{{labels},le="18.0"}} 2' in lines
    assert f':tensorflow:serving:request_latency_bucket{{{labels},le="+Inf"}} 3' in lines
    assert f":tensorflow:serving:request_latency_count{{{labels}}} 3" in lines


def test_the_time_in_the_model_is_a_histogram_of_its_own_of_requests_that_it_answered():
    metrics = Metrics()
    metrics.done(call(seconds=0.02, model_seconds=15e-6))
    metrics.done(call(code="INVALID_ARGUMENT"))

    labels = 'model_name="m",API="Predict",runtime="TF1"'
    assert f':tensorflow:serving:runtime_latency_bucket{{{labels},le="10.0"}} 0' in metrics.text()
    assert f':tensorflow:serving:runtime_latency_bucket{{{labels},le="18.0"}} 1' in metrics.text()
    assert f":tensorflow:serving:runtime_latency_count{{{labels}}} 1" in metrics.text()


def test_looking_at_a_model_is_no_inference():
    metrics = Metrics()
    metrics.done(call(method="GetModelStatus"))

    assert "{" not in metrics.text()


def test_names_that_clients_make_up_are_bounded_and_escaped():
    metrics = Metrics()
    for number in range(1500):
        metrics.done(call(model=f'"{number}\n'))

    counts = [line for line in metrics.text().splitlines() if "request_count{" in line]
    assert len(counts) == 1001
    assert any('model_name="other"' in line and line.endswith(" 500") for line in counts)
    assert any('model_name="\\"7\\n"' in line for line in counts)


def test_no_request_is_lost_among_threads():
    metrics = Metrics()
    threads = [threading.Thread(target=lambda: [metrics.done(call()) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ':tensorflow:serving:request_count{model_name="m",status="OK"} 4000' in metrics.text()


def test_what_several_processes_counted_adds_up():
    counted = [Metrics(), Metrics()]
    for number, metrics in enumerate(counted):
        for _ in range(number + 1):
            metrics.done(call(seconds=0.5, model_seconds=0.25))
    counted[1].done(call(code="NOT_FOUND", model="other"))
    total, one = Counts(), Metrics()
    for metrics in counted:
        total.add(Counts.of_plain(orjson.loads(orjson.dumps(metrics.plain()))))
    for _ in range(3):
        one.done(call(seconds=0.5, model_seconds=0.25))
    one.done(call(code="NOT_FOUND", model="other"))
    assert total.text() == one.text()


def test_what_was_told_of_does_not_change_afterwards():
    metrics = Metrics()
    metrics.done(call())
    told = metrics.plain()
    text = Counts.of_plain(told).text()
    metrics.done(call())
    assert Counts.of_plain(told).text() == text
