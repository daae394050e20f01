"""`roadworthy cloud`: what a run needs to know of a cloud."""

import json
from pathlib import Path

import click

EXAMPLES = """Examples:

roadworthy cloud init examples/fashion.yaml --from-terraform infra/envs/dev

roadworthy cloud init examples/fashion.yaml --from-terraform infra/envs/dev --dry-run"""


@click.group()
def cloud() -> None:
    """What a run needs to know of a cloud."""


@cloud.command(epilog=EXAMPLES)
@click.argument("config", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--from-terraform",
    "environment",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="A Terraform root that was applied; its output `cloud` is the section.",
)
@click.option("--dry-run", is_flag=True, help="Print the lines that would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the section as JSON.")
def init(config: Path, environment: Path, dry_run: bool, as_json: bool) -> None:
    """Write the cloud section of a run's YAML file from what Terraform made.

    Keys that Terraform does not know of, such as nodes and caching, stay.
    """
    from roadworthy.pipeline.cloud_init import cloud_outputs, with_cloud_section, write_whole
    from roadworthy.pipeline.config import text_of

    section = cloud_outputs(environment)
    before = text_of(config)
    after = with_cloud_section(before, section)
    if not dry_run and after != before:
        write_whole(config, after)
    if as_json:
        click.echo(json.dumps({"config": str(config), "changed": after != before, "cloud": section}, indent=2))
    elif dry_run:
        _show_difference(config, before, after)
    else:
        done = "written" if after != before else "already so"
        click.echo(f"{config}: cloud section {done}, project {section.get('project')}, {section.get('pipeline_root')}.")


def _show_difference(config: Path, before: str, after: str) -> None:
    from difflib import unified_diff

    lines = unified_diff(before.splitlines(), after.splitlines(), str(config), str(config), lineterm="", n=1)
    click.echo("\n".join(lines) or f"{config} would stay as it is.")
