"""Writes the golden copies of the compiled pipeline again: python tests/testdata/compiled/make.py."""

from pathlib import Path

from roadworthy.pipeline.compiled.compile import compile_spec
from roadworthy.pipeline.compiled.file import write_spec
from roadworthy.pipeline.config import load_config

HERE = Path(__file__).parent
CONFIG = HERE / "cloud.yaml"

if __name__ == "__main__":
    for platform in ("vertex", "kubeflow"):
        write_spec(HERE / f"{platform}.yaml", *compile_spec(load_config(CONFIG), platform))
