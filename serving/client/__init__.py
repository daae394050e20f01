"""Clients of any server with TF Serving's API; numpy in and out, no TensorFlow.

    from roadworthy.serving.client import Client

    with Client.open("localhost:8500") as client:
        (boot,) = client.classify_images("fashion", [Path("boot.png").read_bytes()])
        print(boot.label, boot.score)

`Client` is for threads, `AsyncClient` for asyncio; both ask over gRPC or REST. What can go wrong is one tree below
`AskError`, drawn in `roadworthy.serving.client.errors`.
"""

from roadworthy.serving.client.answers import Outputs, Prediction, ScoredLabel, VersionStatus
from roadworthy.serving.client.async_client import AsyncClient
from roadworthy.serving.client.client import Client
from roadworthy.serving.client.errors import (
    AccessDenied,
    AskError,
    DeadlineExceeded,
    InvalidOption,
    InvalidRequest,
    NotFound,
    Overloaded,
    ServerFault,
    Unavailable,
    UnreadableAnswer,
)
from roadworthy.serving.client.options import Tls
from roadworthy.serving.client.retry import Retry
from roadworthy.serving.servables.base import Signature, TensorSpec

__all__ = [
    "AccessDenied",
    "AskError",
    "AsyncClient",
    "Client",
    "DeadlineExceeded",
    "InvalidOption",
    "InvalidRequest",
    "NotFound",
    "Outputs",
    "Overloaded",
    "Prediction",
    "Retry",
    "ScoredLabel",
    "ServerFault",
    "Signature",
    "TensorSpec",
    "Tls",
    "Unavailable",
    "UnreadableAnswer",
    "VersionStatus",
]
