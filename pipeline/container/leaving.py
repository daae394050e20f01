"""How a node's process ends over an error: what it writes is kept by the platform, for all who may read logs."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from roadworthy.serving.errors import RoadworthyError
from roadworthy.serving.redact import redact


@contextmanager
def one_message() -> Iterator[None]:
    """Ends the process with one message and the error's code for a fault of the user's, with a traceback and 1 else."""
    try:
        yield
    except RoadworthyError as error:
        print(redact(f"roadworthy: {error}"), file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except Exception:
        print(redact(traceback.format_exc()), file=sys.stderr)  # noqa: T201
        sys.exit(1)
