"""`roadworthy compile`: the pipeline as one document for Vertex AI or Kubeflow."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from roadworthy.pipeline.platforms import PlatformName


@click.command("compile", epilog="Example: roadworthy compile pets.yaml --for vertex -o pets-pipeline.yaml")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--for", "platform", type=click.Choice(["kubeflow", "vertex"]), required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help=".yaml, or .json for Vertex AI.")
def compile_(config: Path, platform: "PlatformName", out: Path) -> None:
    """Compile a config to a PipelineSpec that Vertex AI or Kubeflow Pipelines runs.

    Data root, model root, epochs and budgets are parameters of it: other values need no compiling. Nothing of the cloud
    is asked, and no credentials are needed.
    """
    from roadworthy.pipeline.cli.console import quieten_tensorflow, without_chatter
    from roadworthy.pipeline.compiled.file import check_file, write_spec
    from roadworthy.pipeline.config import load_config

    settings = load_config(config)
    check_file(out)
    quieten_tensorflow()
    with without_chatter():
        from roadworthy.pipeline.compiled.compile import compile_spec

        spec, kubernetes = compile_spec(settings, platform)
    write_spec(out, spec, kubernetes)
    click.echo(f"{out}: {len(spec['root']['dag']['tasks'])} tasks for {platform}. Parameters, with their defaults:")
    for name, parameter in sorted(spec["root"]["inputDefinitions"]["parameters"].items()):
        click.echo(f"  {name}={parameter['defaultValue']}")
