"""Long operations: each is done after a number of further requests of any kind, whoever sends them."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf import any_pb2, empty_pb2
from google.rpc import code_pb2

from contracts.vertex.rules import Refused, not_found


@dataclass
class _Pending:
    left: int
    message: operations_pb2.Operation
    finish: Callable[[], Any]


class Operations:
    """What is under way.

    Attributes:
        polls: requests until the next operations are done.
        failures: by the method that starts it, the code and message an operation ends with; each used once.
    """

    def __init__(self, *, polls: int) -> None:
        self.polls = polls
        self.failures: dict[str, tuple[str, str]] = {}
        self._all: dict[str, _Pending] = {}
        self._ids = itertools.count(9001)

    def begin(self, method: str, resource: str, finish: Callable[[], Any]) -> operations_pb2.Operation:
        """Starts one; `finish` has the effect, when it is done, and gives the response."""
        message = operations_pb2.Operation(name=f"{resource}/operations/{next(self._ids)}")
        if method in self.failures:
            finish = _failing(*self.failures.pop(method))
        self._all[message.name] = _Pending(self.polls, message, finish)
        return operations_pb2.Operation(name=message.name)

    def tick(self) -> None:
        """One more request has come."""
        for pending in list(self._all.values()):
            if pending.message.done:
                continue
            pending.left -= 1
            if pending.left <= 0:
                self._complete(pending)

    def GetOperation(self, request: operations_pb2.GetOperationRequest) -> operations_pb2.Operation:
        if request.name not in self._all:
            raise not_found("operation", request.name)
        return self._all[request.name].message

    def ListOperations(self, request: operations_pb2.ListOperationsRequest) -> operations_pb2.ListOperationsResponse:
        found = [pending.message for name, pending in self._all.items() if name.startswith(f"{request.name}/")]
        if "done" in request.filter:
            wanted = "true" in request.filter
            found = [message for message in found if message.done == wanted]
        return operations_pb2.ListOperationsResponse(operations=found)

    def CancelOperation(self, request: operations_pb2.CancelOperationRequest) -> empty_pb2.Empty:
        self.GetOperation(request)
        return empty_pb2.Empty()

    @staticmethod
    def _complete(pending: _Pending) -> None:
        message = pending.message
        message.done = True
        try:
            response = pending.finish()
        except Refused as refused:
            message.error.code = code_pb2.Code.Value(refused.code)
            message.error.message = str(refused)
            return
        packed = any_pb2.Any()
        packed.Pack(type(response).pb(response) if hasattr(type(response), "pb") else response)
        message.response.CopyFrom(packed)


def _failing(code: str, said: str) -> Callable[[], Any]:
    def fail() -> Any:
        raise Refused(code, said)

    return fail
