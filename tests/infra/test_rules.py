"""No rule of a variable is without a run that breaks it."""

import re
from collections import Counter
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"
ROOTS = sorted({file.parent for file in INFRA.rglob("versions.tf") if ".terraform" not in file.parts})


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
