"""Options that mean something together with others alone: one that would be passed over was meant for something."""

from collections.abc import Sequence

import click
from click.core import ParameterSource


def refuse_options(names: Sequence[str], why: str) -> None:
    """Refuses options of the command that is running.

    Args:
        names: of its parameters.
        why: the end of the message, after the option.

    Raises:
        UsageError: one of them is in the command line.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in names and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} {why}")
