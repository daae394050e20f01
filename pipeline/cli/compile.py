"""`roadworthy compile`: the pipeline as one document for Vertex AI or Kubeflow."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from roadworthy.pipeline.platforms import PlatformName


@click.command("compile", epilog="Example: roadworthy compile pets.yaml --for vertex -o pets-pipeline.yaml")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--for", "platform", type=click.Choice(["kubeflow", "vertex"]), required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help=".yaml, or .json for Vertex AI.")
@click.option("--json", "as_json", is_flag=True, help="Print tasks and parameters as one JSON document.")
def compile_(config: Path, platform: "PlatformName", out: Path, as_json: bool) -> None:
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
    tasks = sorted(spec["root"]["dag"]["tasks"])
    defined = spec["root"]["inputDefinitions"]["parameters"]
    parameters = {name: parameter["defaultValue"] for name, parameter in sorted(defined.items())}
    if as_json:
        click.echo(json.dumps({"out": str(out), "tasks": tasks, "parameters": parameters}, indent=2))
        return
    click.echo(f"{out}: {len(tasks)} tasks for {platform}. Parameters, with their defaults:")
    for name, default in parameters.items():
        click.echo(f"  {name}={default}")
