"""Everything a user can cause, as one tree. The command line turns these into one message and exit code 2."""

__all__ = [
    "AskError",
    "BudgetMissed",
    "ConfigError",
    "DataError",
    "DeployError",
    "ModelError",
    "RoadworthyError",
    "ServeError",
    "Stopped",
    "UnsupportedLayer",
    "WeightsError",
    "WorkerLost",
]


class RoadworthyError(Exception):
    """A fault with one clear message: what was required, what was received, where, and what to do.

    RoadworthyError
    ├── ConfigError           a key, a type or a value in the YAML
    ├── DataError             a file or folder that can't be read as what it claims to be
    ├── ModelError            a model that can't be built, read or exported as asked
    │   ├── UnsupportedLayer  a layer the bridge or a recipe can't take
    │   └── WeightsError      a weights file that is missing, damaged or not the pinned one
    ├── BudgetMissed          no variant passed the gate
    ├── DeployError           a version could not be published or brought to its traffic
    ├── ServeError            the server can't start, or a version can't be loaded
    ├── Stopped               SIGTERM in the midst of work that was kept
    ├── WorkerLost            another process or machine that took part in the work is gone
    └── AskError              the server said no, or can't be reached

    Attributes:
        exit_code: what a process ends with over it.
    """

    exit_code = 2


class ConfigError(RoadworthyError):
    """A key, a type or a value in the run's YAML file."""


class DataError(RoadworthyError):
    """A file or folder that can't be read as what it claims to be."""


class ModelError(RoadworthyError):
    """A model that can't be built, read or exported as asked."""


class UnsupportedLayer(ModelError):
    """A layer the bridge or a recipe can't take; the message names the layer and what to do."""


class WeightsError(ModelError):
    """A weights file that is missing, damaged or not the pinned one."""


class BudgetMissed(RoadworthyError):
    """No variant passed the gate; the message says which budget each one missed."""


class DeployError(RoadworthyError):
    """A version could not be published or brought to its traffic; the message says how things stand.

    Attributes:
        code: gRPC status code name of the far side's answer, e.g. ``RESOURCE_EXHAUSTED``; empty where it gave none.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class ServeError(RoadworthyError):
    """The server can't start, or a version can't be loaded."""


class Stopped(RoadworthyError):
    """SIGTERM ended work that was kept; the message says where it is and how to go on."""

    exit_code = 143  # what a shell tells of a process that SIGTERM ended


class WorkerLost(RoadworthyError):
    """Another process or machine is gone; what was kept is there when all of them are started again."""

    exit_code = 1


class AskError(RoadworthyError):
    """The server answered with an error, or can't be reached.

    Its own branches are in `roadworthy.serving.client.errors`.

    Attributes:
        code: gRPC status code name, e.g. ``NOT_FOUND``; the REST status is mapped to the same names.
        retryable: the same request may be answered when it is sent again later.
    """

    retryable = False

    def __init__(self, message: str, *, code: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.code = code
