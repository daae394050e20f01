"""The `roadworthy` command: one line for a user's fault, exit code 2; ours are 1; a traceback only with --debug."""

import sys
import traceback
from collections.abc import Sequence

import click

from roadworthy.pipeline.cli.batch_predict import batch_predict
from roadworthy.pipeline.cli.check import check, schema
from roadworthy.pipeline.cli.cloud import cloud
from roadworthy.pipeline.cli.compile import compile_
from roadworthy.pipeline.cli.compress import compress
from roadworthy.pipeline.cli.console import INTERRUPTED
from roadworthy.pipeline.cli.data import data
from roadworthy.pipeline.cli.deploy import deploy, promote, rollback, status
from roadworthy.pipeline.cli.predict import predict
from roadworthy.pipeline.cli.report import report
from roadworthy.pipeline.cli.run import run
from roadworthy.pipeline.cli.runs import logs, runs
from roadworthy.pipeline.cli.schedule import schedule
from roadworthy.pipeline.cli.serve import serve
from roadworthy.pipeline.cli.token import token
from roadworthy.serving.errors import RoadworthyError
from roadworthy.serving.redact import redact

OUR_FAULT = 1


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: roadworthy check examples/fashion.yaml",
)
@click.version_option(package_name="roadworthy")
@click.option("--debug", is_flag=True, help="Show the traceback of an error. May stand anywhere in the line.")
def cli(debug: bool) -> None:
    """From a labelled dataset to a compressed, checked and deployed TensorFlow model."""


for command in (
    check,
    run,
    runs,
    logs,
    compile_,
    schedule,
    compress,
    report,
    serve,
    predict,
    batch_predict,
    deploy,
    promote,
    rollback,
    status,
    token,
    data,
    cloud,
    schema,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and leaves with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        code = cli.main([word for word in given if word != "--debug"], prog_name="roadworthy", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nroadworthy: interrupted; the same command goes on where it stopped.", err=True)
        code = INTERRUPTED
    except RoadworthyError as error:
        code = _say(str(error), debug=debug, code=error.exit_code)
    except BrokenPipeError:  # the reader of our output has left; nothing is wrong here
        sys.stderr.close()
        code = 0
    except Exception as error:
        kind = f"{type(error).__name__}: {error}"
        hint = "" if debug else "\n  This is a fault of ours, not yours. --debug shows the traceback; please report it."
        code = _say(f"internal error: {kind}{hint}", debug=debug, code=OUR_FAULT)
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str, *, debug: bool, code: int) -> int:
    # What other libraries say may hold what they were given.
    if debug:
        click.echo(redact(traceback.format_exc()), err=True, nl=False)
    click.echo(redact(f"roadworthy: {message}"), err=True)
    return code


if __name__ == "__main__":
    main()
