"""`roadworthy token`: a new bearer token for a model server."""

import json

import click

EXAMPLES = """Examples:

roadworthy token --name ci --models 'fashion*'

roadworthy token --name prometheus --metrics

roadworthy token --name ops --models '*' --admin --json"""


@click.command(epilog=EXAMPLES)
@click.option("--name", required=True, help="Whose it is; stands in the access log.")
@click.option(
    "--models", multiple=True, metavar="PATTERN", help="Models it may ask, as in a shell. May be given again."
)
@click.option("--metrics", is_flag=True, help="It may read the metrics.")
@click.option("--admin", is_flag=True, help="It may change which models are served, and read the metrics.")
@click.option("--json", "as_json", is_flag=True, help="Print both as one JSON document on stdout.")
def token(name: str, models: tuple[str, ...], metrics: bool, admin: bool, as_json: bool) -> None:
    """Make a bearer token for a model server.

    The token is shown this once, on stdout; the line for the server's --token_file holds only its hash.
    """
    from roadworthy.serving.server.tokens import ADMIN, METRICS, mint

    allowed = [word for given in models for word in given.split()]
    allowed += [scope for scope, asked in ((METRICS, metrics), (ADMIN, admin)) if asked]
    if not allowed:
        raise click.UsageError("--models, --metrics or --admin must say what the token is for. Received: none.")
    made, line = mint(name, allowed)
    if as_json:
        click.echo(json.dumps({"token": made, "line": line}))
        return
    click.echo("Add this line to the server's token file:", err=True)
    click.echo(f"\n{line}\n", err=True)
    click.echo("The token, shown this once:", err=True)
    click.echo(made)
