"""No rule of a variable is without a run that breaks it, and no module without the APIs that it asks."""

import re
from collections import Counter
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"
ROOTS = sorted({file.parent for file in INFRA.rglob("versions.tf") if ".terraform" not in file.parts})


# What Google answers with an error that comes in the middle of an apply, or, as Workload Identity, only in a pod.
APIS = {
    "dataflow": {"dataflow", "compute"},
    "gke": {"container", "compute", "iamcredentials"},
    "identity": {"iam", "cloudresourcemanager"},
    "kms": {"cloudkms"},
    "kubeflow": {"sqladmin", "servicenetworking"},
    "monitoring": {"logging", "monitoring", "billingbudgets"},
    "network": {"compute", "dns"},
    "registry": {"artifactregistry"},
    "services": set(),
    "storage": {"storage"},
    "vertex": {"aiplatform"},
}
GIVEN = {
    "peering_range": "servicenetworking",
    "schedules": "cloudscheduler",
    "quotas": "cloudquotas",
    "github": "sts",
    "images": "binaryauthorization",
}


def texts(root, pattern):
    return "\n".join(file.read_text() for file in sorted(root.glob(pattern)))


def rules(root):
    variables = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', texts(root, "*.tf"), re.MULTILINE | re.DOTALL)
    counted = {f"var.{name}": len(re.findall(r"^  validation \{", body, re.MULTILINE)) for name, body in variables}
    checks = re.findall(r'^check "(\w+)"', texts(root, "*.tf"), re.MULTILINE)
    return {name: count for name, count in counted.items() if count} | {f"check.{name}": 1 for name in checks}


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: str(root.relative_to(INFRA)))
def test_every_rule_is_broken_by_a_run(root):
    lists = re.findall(r"expect_failures = \[([^\]]+)\]", texts(root, "tests/*.tftest.hcl"))
    broken = Counter(name.strip() for names in lists for name in names.split(","))

    assert {name: count for name, count in rules(root).items() if broken[name] < count} == {}


@pytest.mark.parametrize(
    "root", [root for root in ROOTS if 'modules/services"' in texts(root, "*.tf")], ids=lambda root: root.name
)
def test_every_api_that_a_module_asks_is_enabled(root):
    text = texts(root, "*.tf")
    enabled = set(
        re.findall(r'"(\w+)\.googleapis\.com"', re.search(r"services = (?:toset\()?\[(.*?)\]", text, re.DOTALL)[1])
    )
    asked = set()
    for body in re.findall(r'^module "\w+" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL):
        asked |= APIS[re.search(r'modules/(\w+)"', body)[1]]
        asked |= {GIVEN[name] for name in re.findall(r"^  (\w+) += ", body, re.MULTILINE) if name in GIVEN}

    assert asked - enabled == set()
