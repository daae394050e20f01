from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving import protos
from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.model_config import (
    All,
    ConfigFile,
    Latest,
    Logging,
    ModelConfig,
    Specific,
    read_asked_config,
    read_config_file,
)
from roadworthy.serving.server.text_proto import read_text_proto
from roadworthy.serving.status import RequestError

TWO = """
model_config_list {
  config { name: "a" base_path: "/models/a" model_platform: "tensorflow" model_version_policy { all {} } }
  config {
    name: "b" base_path: "/models/b"
    model_version_policy { specific { versions: 3 versions: 5 } }
    version_labels { key: "stable" value: 3 }
  }
}
"""


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "models.config"
        path.write_text(text)
        return path

    return written


def test_a_file_in_protobufs_text_format_lists_models(write):
    first, second = read_config_file(write(TWO))

    assert (first.name, str(first.base_path), first.policy) == ("a", "/models/a", All())
    assert (second.policy, second.labels) == (Specific(frozenset({3, 5})), {"stable": 3})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("", Latest(1)), ("latest {}", Latest(1)), ("latest { num_versions: 4 }", Latest(4)), ("all {}", All())],
)
def test_without_a_policy_the_latest_version_is_served(write, policy, expected):
    text = f'model_config_list {{ config {{ name: "a" base_path: "/a" model_version_policy {{ {policy} }} }} }}'

    assert read_config_file(write(text))[0].policy == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("improper", "Error parsing text-format tensorflow.serving.ModelServerConfig: .*Invalid protobuf file: '.*'"),
        ('model_config_list { config { base_path: "/a" } }', "must have a name"),
        ('model_config_list { config { name: "a" base_path: "a" } }', "absolute path"),
        ("custom_model_config {}", "must have a model_config_list"),
        (
            'model_config_list { config { name: "a" base_path: "/a" model_version_policy { specific {} } } }',
            "must name versions",
        ),
    ],
)
def test_a_file_that_can_not_be_served_is_refused(write, text, message):
    with pytest.raises(ServeError, match=f"(?s){message}"):
        read_config_file(write(text))


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(ServeError, match="none must be a readable file"):
        read_config_file(tmp_path / "none")


def test_a_changed_file_counts_and_a_broken_one_changes_nothing(write, caplog):
    path = write(TWO)
    source = ConfigFile(path, poll_interval_s=1e-9)
    path.write_text('model_config_list { config { name: "c" base_path: "/c" } }')
    assert source() == (ModelConfig("c", source()[0].base_path),)
    path.write_text("broken")
    assert [config.name for config in source()] == ["c"]
    assert "stay as they were" in caplog.text


def test_a_file_that_is_read_once_is_read_once(write):
    path = write(TWO)
    source = ConfigFile(path, poll_interval_s=0)
    path.write_text("broken")

    assert [config.name for config in source()] == ["a", "b"]


@given(st.frozensets(st.integers(0, 50)), st.integers(1, 5))
def test_a_policy_chooses_among_what_is_there(present, count):
    assert All().choose(present) == present
    assert Latest(count).choose(present) == set(sorted(present, reverse=True)[:count])
    assert Specific(frozenset({1, 2, 3})).choose(present) == present & {1, 2, 3}


def logged(logging):
    return f'model_config_list {{ config {{ name: "a" base_path: "/a" logging_config {{ {logging} }} }} }}'


SAMPLED = 'sampling_config { sampling_rate: 0.25 } log_collector_config { type: "file" filename_prefix: "/logs/a" }'


def test_request_logging_is_read(write):
    (config,) = read_config_file(write(logged(SAMPLED)))
    assert config.logging == Logging(Path("/logs/a"), 0.25)


@pytest.mark.parametrize("logging", ["", 'log_collector_config { filename_prefix: "x" }'])
def test_without_a_rate_nothing_is_logged(write, logging):
    assert read_config_file(write(logged(logging)))[0].logging is None


@pytest.mark.parametrize(
    ("logging", "message"),
    [
        ("sampling_config { sampling_rate: 2 }", r"sampling_rate of a must be in \[0, 1\]. Received: 2"),
        ("sampling_config { sampling_rate: nan }", r"must be in \[0, 1\]. Received: nan"),
        ("sampling_config { sampling_rate: 1 }", "filename_prefix of a must be an absolute path. Received: ''"),
        (SAMPLED.replace("/logs", "logs"), "must be an absolute path. Received: 'logs/a'"),
        (SAMPLED.replace('"file"', '"kafka"'), 'The log collector of a must be "file". Received: kafka'),
    ],
)
def test_request_logging_that_can_not_be_done_is_refused(write, logging, message):
    with pytest.raises(ServeError, match=message):
        read_config_file(write(logged(logging)))


def test_a_client_may_keep_request_logging_and_move_it_nowhere(write):
    asked = read_text_proto(write(logged(SAMPLED)), protos.ModelServerConfig)

    assert read_asked_config(asked, prefixes={Path("/logs/a")})[0].logging is not None
    with pytest.raises(RequestError, match="no client may choose where the server writes") as error:
        read_asked_config(asked, prefixes={Path("/logs/b")})
    assert error.value.code == "PERMISSION_DENIED"
