"""The model server's flags."""

import pytest

from roadworthy.serving.server.flags import parser


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--insecure"], "insecure", True),
        (["--insecure=false"], "insecure", False),
        (["--grpc_channel_arguments=a.b=1,c=x"], "grpc_channel_arguments", {"a.b": 1, "c": "x"}),
        (["--rest_api_timeout_in_ms", "5"], "rest_api_timeout_in_ms", 5),
        (["--enable_batching=true"], "enable_batching", True),
        (["--num_tflite_pools=3"], "num_tflite_pools", 3),
        (["--rest_api_enable_cors_support"], "rest_api_enable_cors_support", True),
        (["--enable_cors_support=true"], "rest_api_enable_cors_support", True),
        (["--enable_profiler=false"], "enable_profiler", False),
        (["--enable_model_warmup"], "enable_model_warmup", "true"),
        (["--load_retry_interval_micros=-1"], "load_retry_interval_micros", -1),
        (["--max_image_pixels=1000"], "max_image_pixels", 1000),
    ],
)
def test_flags_read_as_those_of_tf_serving(words, name, value):
    assert getattr(parser().parse_args(words), name) == value


@pytest.mark.parametrize(
    "words",
    [
        ["--insecure=maybe"],
        ["--flush_model"],
        ["--rest_api_timeout_in_ms=0"],
        ["--request_log_sampling=2"],
        ["--max_connections=0"],
        ["--max_image_pixels=0"],
    ],
)
def test_flags_that_are_wrong_or_not_built_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stop:
        parser().parse_args(words)
    assert stop.value.code == 2
    assert words[0].split("=")[0] in capsys.readouterr().err
