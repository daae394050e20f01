"""The `deploy` section: what doesn't go together is told before anything starts."""

import pytest

from roadworthy.pipeline.config import load_config
from roadworthy.pipeline.deploying import vertex_push
from roadworthy.serving.errors import ConfigError

BASE = "name: pets\noutput: out\ndata: {path: photos}\n"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{to: tf-serving}", "fleet must be given for tf-serving"),
        ("{ramp: {steps: [25, 5, 100]}}", "must rise from at least 1 to 100. Received: [25, 5, 100]"),
        ("{machine: {accelerator: nvidia-tesla-t4}}", "accelerator and accelerators go together"),
        ("{machine: {replicas: 3, max_replicas: 2}}", "max_replicas must be at least replicas, 3. Received: 2"),
        ("{explanation: {method: xrai}}", "must be sampled-shapley, or the container tensorflow"),
        ("{explanation: {steps: 51}}", "steps must be at most 50 for sampled-shapley. Received: 51"),
        ("{container: {kind: tensorflow, args: [--x]}}", "args must be left out for tensorflow"),
        ("{private: {network: projects/1/global/networks/n}}", "ramp.steps must be [100]"),
        ("{private: {}}", "must have allowed_projects or a network"),
        ("{id: 9lives}", "deploy.id"),
        ("{ramp: {max_error_rate: 5}}", "Did you mean 0.05?"),
        ("{container: {knd: tensorflow}}", "Did you mean kind?"),
    ],
)
def test_a_fault_is_told_with_file_and_line(tmp_path, section, said):
    path = tmp_path / "run.yaml"
    path.write_text(f"{BASE}deploy: {section}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert said in str(caught.value)
    assert f"{path}:4:" in str(caught.value)


@pytest.mark.parametrize(("given", "serving"), [("", "a@shop"), ("  serving_account: b@shop\n", "b@shop")])
def test_what_serves_runs_as_the_serving_account_and_else_as_the_run(tmp_path, given, serving):
    path = tmp_path / "run.yaml"
    cloud = "cloud:\n  project: shop-1234\n  pipeline_root: gs://shop/runs\n  image: shop/image:1\n"
    path.write_text(f"{BASE}deploy: {{}}\n{cloud}  service_account: a@shop\n{given}")
    place = vertex_push(load_config(path)).place

    assert (place.service_account, place.serving_account) == ("a@shop", serving)
