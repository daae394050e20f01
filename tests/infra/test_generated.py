"""What is generated from the modules is what stands in the repository."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

GENERATE = Path(__file__).parents[2] / "infra/generate"
SCRIPTS = ("tables.py", "diagram.py", "costs.py")


@pytest.mark.parametrize("script", SCRIPTS)
def test_nothing_has_drifted(script):
    done = subprocess.run([sys.executable, GENERATE / script, "--check"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def blocks(monkeypatch):
    monkeypatch.syspath_prepend(GENERATE)
    spec = importlib.util.spec_from_file_location("blocks_of_terraform", GENERATE / "blocks.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_a_block_is_read_with_values_of_several_lines(blocks, tmp_path):
    (tmp_path / "variables.tf").write_text("""variable "pools" {
  description = <<-TEXT
    Pools by name,
      over two lines.
  TEXT
  type = map(object({
    machine = string
    gpu     = optional(object({ type = string }))
  }))
  default = {}
}

output "empty" {}
""")
    (pools,) = blocks.blocks(tmp_path, "variable")

    assert pools.labels == ("pools",)
    assert pools.words("description") == "Pools by name, over two lines."
    assert pools.argument("type") == (
        "map(object({\n  machine = string\n  gpu     = optional(object({ type = string }))\n}))"
    )
    assert pools.argument("default") == "{}"
    assert [block.labels for block in blocks.blocks(tmp_path, "output")] == [("empty",)]
