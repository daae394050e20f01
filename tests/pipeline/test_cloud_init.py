"""`roadworthy cloud init`, with a real Terraform on a root that needs no provider."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.pipeline.cloud_init import with_cloud_section
from roadworthy.pipeline.config import load_config
from roadworthy.serving.errors import ConfigError

SECTION = {
    "project": "roadworthy-dev",
    "region": "europe-west4",
    "pipeline_root": "gs://roadworthy-dev-pipeline/runs",
    "image": "europe-west4-docker.pkg.dev/roadworthy-dev/roadworthy/pipeline:0.1.0",
    "labels": {"env": "dev"},
    "beam": {"runner": "dataflow", "options": ["--no_use_public_ips"]},
}
CONFIG = """# Ours.
name: pets

cloud: # where
  project: an-old-project
  caching: false

# Data.
data:
  path: photos
"""


@pytest.fixture
def environment(tmp_path):
    """Applies a root with these outputs."""

    def make(outputs):
        folder = tmp_path / "env"
        folder.mkdir()
        made = {"output": {name: {"value": value} for name, value in outputs.items()}} if outputs else {}
        (folder / "main.tf.json").write_text(json.dumps({"terraform": {}} | made))
        for command in (["init"], ["apply", "-auto-approve"]):
            subprocess.run(["terraform", f"-chdir={folder}", *command], check=True, capture_output=True)
        return folder

    return make


def init(*arguments, path=None):
    variables = os.environ | ({"PATH": path} if path is not None else {})
    return subprocess.run(
        [Path(sys.executable).with_name("roadworthy"), "cloud", "init", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_section_is_what_terraform_made(environment, tmp_path):
    config = tmp_path / "pets.yaml"
    config.write_text(CONFIG)
    folder = environment({"cloud": SECTION})

    asked = init(config, "--from-terraform", folder, "--dry-run")
    assert "-  project: an-old-project" in asked.stdout
    assert config.read_text() == CONFIG

    done = init(config, "--from-terraform", folder, "--json")
    assert (done.returncode, json.loads(done.stdout)["changed"]) == (0, True), done.stderr
    assert yaml.safe_load(config.read_text())["cloud"] == SECTION | {"caching": False}
    assert config.read_text().startswith("# Ours.\nname: pets\n\ncloud:\n")
    assert config.read_text().endswith("\n\n# Data.\ndata:\n  path: photos\n")

    assert "already so" in init(config, "--from-terraform", folder).stdout


def test_a_config_with_the_section_is_a_config(environment, tmp_path):
    config = tmp_path / "fashion.yaml"
    config.write_text((Path(__file__).parents[2] / "examples/fashion.yaml").read_text())

    assert init(config, "--from-terraform", environment({"cloud": SECTION})).returncode == 0
    assert load_config(config).cloud.pipeline_root == SECTION["pipeline_root"]


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({}, "Received: none, as before the first terraform apply"),
        ({"bucket": "x"}, "have an output named cloud. Received: bucket."),
        ({"cloud": {"project": "roadworthy-dev"}}, "cloud.pipeline_root: Field required"),
        ({"cloud": SECTION | {"zone": "a"}}, "cloud.zone: Extra inputs"),
    ],
)
def test_outputs_that_do_not_fit_are_named_and_nothing_is_written(environment, tmp_path, outputs, said):
    config = tmp_path / "pets.yaml"
    config.write_text(CONFIG)

    done = init(config, "--from-terraform", environment(outputs))

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert config.read_text() == CONFIG


def test_no_folder_and_no_terraform_are_the_users_fault(tmp_path):
    config = tmp_path / "pets.yaml"
    config.write_text(CONFIG)

    missing = init(config, "--from-terraform", tmp_path / "nowhere")
    assert (missing.returncode, "must be a folder" in missing.stderr) == (2, True)

    without = init(config, "--from-terraform", tmp_path, path=str(tmp_path))
    assert (without.returncode, "terraform must be on PATH. Received: none." in without.stderr) == (2, True)


def test_a_file_that_is_no_text_is_the_users_fault_and_stays(environment, tmp_path):
    config = tmp_path / "pets.yaml"
    config.write_bytes(b"name: caf\xe9\n")
    done = init(config, "--from-terraform", environment({"cloud": SECTION}))

    told = "must be a readable YAML file in UTF-8. Received: "
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert config.read_bytes() == b"name: caf\xe9\n"


def test_a_link_to_a_config_goes_on_leading_there(environment, tmp_path):
    config, link = tmp_path / "pets.yaml", tmp_path / "here.yaml"
    config.write_text(CONFIG)
    link.symlink_to(config)

    assert init(link, "--from-terraform", environment({"cloud": SECTION})).returncode == 0
    assert (link.is_symlink(), "roadworthy-dev" in config.read_text()) == (True, True)


def test_what_the_user_chose_for_beam_and_labels_stays():
    known = {
        "labels": {"team": "vision", "env": "old"},
        "beam": {"runner": "dataflow", "max_workers": 40, "options": ["--disk_size_gb=50", "--no_use_public_ips"]},
    }
    cloud = yaml.safe_load(with_cloud_section(yaml.safe_dump({"cloud": known}), SECTION))["cloud"]

    assert cloud["labels"] == {"team": "vision", "env": "dev"}
    assert cloud["beam"] == {
        "runner": "dataflow",
        "max_workers": 40,
        "options": ["--no_use_public_ips", "--disk_size_gb=50"],
    }


def test_beam_on_a_cluster_of_the_users_own_stays_there():
    flink = {"runner": "flink", "endpoint": "jobs:8099", "environment_config": "workers:50000"}
    written = with_cloud_section(yaml.safe_dump({"cloud": {"beam": flink}}), SECTION)

    assert yaml.safe_load(written)["cloud"]["beam"] == flink


@pytest.mark.parametrize(
    "text", ["- a\n- b\n", "{name: pets}\n", "name: [\n", "cloud: here\n", "cloud: {}\nname: !!bool x\n"]
)
def test_what_is_no_config_is_refused(text):
    with pytest.raises(ConfigError):
        with_cloud_section(text, SECTION)


@pytest.mark.parametrize(
    "text", ["", "name: pets", "cloud:\n", "cloud: {}  # none\nname: pets\n", "cloud:\n  retries: 2"]
)
def test_edges_of_a_file(text):
    written = yaml.safe_load(with_cloud_section(text, SECTION))
    before = yaml.safe_load(text) or {}

    assert written == before | {"cloud": (before.get("cloud") or {}) | SECTION}


keys = st.from_regex(r"[a-z]{1,6}", fullmatch=True).filter(lambda key: key != "cloud")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(
    rest=st.dictionaries(keys, values, max_size=4),
    place=st.integers(0, 4),
    known=st.sampled_from([None, {"retries": 3}]),
)
def test_whatever_else_is_in_the_file_stays(rest, place, known):
    items = list(rest.items())
    items.insert(place, ("cloud", known))
    text = "# Top.\n\n".join(yaml.safe_dump({key: value}, allow_unicode=True) for key, value in items)

    written = with_cloud_section(text, SECTION)

    # What YAML reads in the text: PyYAML itself writes a next-line character that it reads as a space.
    assert yaml.safe_load(written) == yaml.safe_load(text) | {"cloud": (known or {}) | SECTION}
    assert written.count("# Top.") == text.count("# Top.")
