"""What to do where Vertex AI says no to a run or a schedule: the same command goes on with none of them."""

from typing import Final

from roadworthy.serving.vertex.errors import Fixes

_LOOK: Final = "`roadworthy runs` or `roadworthy schedule list` tells whether it was done"
_CHECK: Final = "Check the cloud section of the config, and --set and the cron, if they were given."
FIXES: Final[Fixes] = (
    (
        "RESOURCE_EXHAUSTED",
        "quota",
        "Ask for more of that quota of aiplatform.googleapis.com in {region} (console: IAM & Admin, Quotas), for less "
        "in cloud.nodes, or set another cloud.region.",
    ),
    (
        "RESOURCE_EXHAUSTED",
        "stock|capacity|available",
        "{region} has no such machine free now: try later, or set others in cloud.nodes or another cloud.region.",
    ),
    ("RESOURCE_EXHAUSTED", "", "Wait a little and run it again."),
    (
        "INVALID_ARGUMENT|NOT_FOUND|FAILED_PRECONDITION",
        "machine[ _]type|machine_spec|accelerator",
        "Set cloud.nodes to what {region} has: https://cloud.google.com/vertex-ai/docs/training/configure-compute",
    ),
    ("PERMISSION_DENIED", r"logging\.", "Give the caller roles/logging.viewer in project {project}."),
    ("INVALID_ARGUMENT", "size", _CHECK),
    ("INVALID_ARGUMENT|OUT_OF_RANGE", "", _CHECK),
    (
        "NOT_FOUND",
        "",
        "Check the id, cloud.project and cloud.region; `roadworthy runs` lists runs, `roadworthy schedule list` "
        "schedules.",
    ),
    ("FAILED_PRECONDITION", "", "`roadworthy runs` tells how things stand."),
    ("ALREADY_EXISTS", "", "Give another --run-id."),
    ("ABORTED|CANCELLED", "", f"Somebody else had a hand in it: {_LOOK}."),
    ("UNAVAILABLE", "", f"{{address}} can't be reached or is down: check the network and cloud.region; {_LOOK}."),
    ("DEADLINE_EXCEEDED", "", f"It came to no answer in time: {_LOOK}."),
    ("INTERNAL|UNKNOWN|DATA_LOSS", "", f"A fault of Vertex AI: {_LOOK}; https://status.cloud.google.com"),
)
