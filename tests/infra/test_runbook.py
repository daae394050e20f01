"""Whoever is called finds the alert in the runbook."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "infra/modules/monitoring"


def test_every_alert_has_a_section():
    titles = re.findall(r'title = "([^"]+)" \}', (MONITORING / "main.tf").read_text().split("log_metrics")[0])
    outages = re.findall(r'name[}]: ([A-Z][^"]+)"', (MONITORING / "outage.tf").read_text())
    burns = re.findall(r"^ +(\w+) += \{ rate", (MONITORING / "objectives.tf").read_text(), re.MULTILINE)
    expected = {
        *titles,
        *outages,
        *(f"{kind}, {burn} burn" for kind in ("availability", "latency") for burn in burns),
        "Budget",
    }
    sections = set(re.findall(r"^### (.+)$", (ROOT / "docs/guide/runbook.md").read_text(), re.MULTILINE))

    assert len(expected) == 10
    assert sections == expected
