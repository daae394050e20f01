import subprocess
import sys

from roadworthy.pipeline.config import FetchSettings
from roadworthy.pipeline.datasets.catalog import DATASETS


def test_every_dataset_a_config_can_name_can_be_fetched():
    named = FetchSettings.model_json_schema()["properties"]["dataset"]

    assert sorted(named.get("enum", [named.get("const")])) == sorted(DATASETS)


def test_importing_it_loads_nothing_heavy():
    program = (
        "import sys, roadworthy.pipeline.datasets.catalog; "
        "print([name for name in ('tensorflow', 'keras', 'tfx', 'apache_beam') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert loaded.stdout.strip() == "[]"
