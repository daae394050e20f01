"""`roadworthy check` and `roadworthy schema`: what a config says, without TensorFlow or TFX."""

import json
from pathlib import Path

import click


@click.command(epilog="Example: roadworthy check examples/fashion.yaml")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the whole config, defaults filled in, as JSON.")
def check(config: Path, as_json: bool) -> None:
    """Check a run's YAML file, and that what it names is there."""
    from roadworthy.pipeline.preflight import load_checked

    settings = load_checked(config)
    if as_json:
        click.echo(settings.model_dump_json(indent=2))
        return
    recipes = ", ".join(recipe.name for recipe in settings.compress.recipes)
    click.echo(f"{config} is valid: {settings.name}, {settings.model.backbone.name}, recipes {recipes}.")


@click.command(epilog="Example: roadworthy schema > docs/config.schema.json")
def schema() -> None:
    """Print the config's JSON Schema, for editors."""
    from roadworthy.pipeline.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
