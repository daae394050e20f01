"""A Kubeflow Pipelines API server of the tests' own: KFP's published API, v2beta1, on loopback.

Bodies are read and answered as the messages of `kfp_server_api`, the client KFP generates from that API, and a pipeline
must parse as PipelineSpec. A run goes on by one task a look. It proves nothing of clusters, pods, or who may do what.
"""

import contextlib
import datetime
import http.server
import itertools
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as api
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

_BASE = "/apis/v2beta1"
_OVER = ("SUCCEEDED", "FAILED", "CANCELED")
_WIRE = api.ApiClient()


@dataclass
class Fault:
    """The next `times` requests that fit are refused, with gRPC's number in the body as KFP's gateway writes it."""

    method: str
    path: str
    status: int
    number: int
    message: str = "injected by the test"
    times: int = 1


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, number: int, message: str) -> None:
        super().__init__(message)
        self.status, self.number = status, number


@dataclass
class Kfp:
    """A running server and what it holds.

    Attributes:
        url: for `host`.
        token: what requests must bear; empty: nothing.
        fails: names of tasks that will fail, with what they say.
        logs: by name of task.
        calls: method and path of every request, in order.
        faults: how further requests are refused.
    """

    url: str = ""
    token: str = ""
    fails: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    experiments: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    recurring: dict[str, Any] = field(default_factory=dict)
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> Any:
        """The message, or the text, that answers a request."""
        for name, pattern in _ROUTES:
            verb, _, rest = pattern.partition(" ")
            if verb == method and (match := re.fullmatch(rest, path)):
                return getattr(self, name)(
                    *match.groups(), **({"body": body} if method == "POST" else {"query": query})
                )
        raise Refused(HTTPStatus.NOT_FOUND, 5, f"{method} {path}")

    def healthz(self, query: dict[str, str]) -> Any:
        return api.V2beta1GetHealthzResponse(multi_user=False)

    def list_experiments(self, query: dict[str, str]) -> Any:
        (predicate,) = json.loads(query["filter"])["predicates"]
        wanted = predicate["stringValue"]
        found = [one for one in self.experiments.values() if one.display_name == wanted]
        return api.V2beta1ListExperimentsResponse(experiments=found)

    def create_experiment(self, body: bytes) -> Any:
        made = _read(body, api.V2beta1Experiment)
        made.experiment_id = f"experiment-{next(self._ids)}"
        self.experiments[made.experiment_id] = made
        return made

    def create_run(self, body: bytes) -> Any:
        made = _read(body, api.V2beta1Run)
        self._check(made)
        made.run_id, made.state, made.created_at = f"run-{next(self._ids)}", "PENDING", _now()
        made.run_details = api.V2beta1RunDetails(task_details=[])
        self.runs[made.run_id] = made
        return made

    def get_run(self, run_id: str, query: dict[str, str]) -> Any:
        run = self._run(run_id)
        self._advance(run)
        return run

    def list_runs(self, query: dict[str, str]) -> Any:
        newest = [run for run in reversed(self.runs.values()) if _is_asked_for(run, query)]
        return api.V2beta1ListRunsResponse(runs=newest[: int(query.get("page_size", 10))])

    def terminate_run(self, run_id: str, body: bytes) -> Any:
        run = self._run(run_id)
        if run.state in _OVER:
            raise Refused(HTTPStatus.BAD_REQUEST, 9, f"{run_id} is {run.state} already.")
        run.state = "CANCELING"
        return {}

    def node_log(self, run_id: str, pod: str, query: dict[str, str]) -> str:
        self._run(run_id)
        return self.logs[pod.removesuffix("-pod")]

    def create_recurring(self, body: bytes) -> Any:
        made = _read(body, api.V2beta1RecurringRun)
        self._check(made)
        if len((made.trigger.cron_schedule.cron or "").split()) != 6:
            raise Refused(HTTPStatus.BAD_REQUEST, 3, f"Invalid cron: {made.trigger.cron_schedule.cron}")
        made.recurring_run_id, made.status = f"recurring-{next(self._ids)}", "ENABLED"
        self.recurring[made.recurring_run_id] = made
        return made

    def list_recurring(self, query: dict[str, str]) -> Any:
        found = [made for made in self.recurring.values() if _is_asked_for(made, query)]
        first, size = int(query.get("page_token") or 0), int(query.get("page_size", 10))
        more = str(first + size) if len(found) > first + size else ""
        page = found[first : first + size]
        return api.V2beta1ListRecurringRunsResponse(recurring_runs=page, next_page_token=more)

    def delete_recurring(self, recurring_id: str, query: dict[str, str]) -> Any:
        if self.recurring.pop(recurring_id, None) is None:
            raise Refused(HTTPStatus.NOT_FOUND, 5, f"Recurring run {recurring_id} not found.")
        return {}

    def _check(self, made: Any) -> None:
        if made.experiment_id not in self.experiments:
            raise Refused(HTTPStatus.BAD_REQUEST, 3, f"No experiment {made.experiment_id}.")
        spec = made.pipeline_spec.get("pipeline_spec", made.pipeline_spec)
        parsed = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        unknown = set(made.runtime_config.parameters or {}) - set(parsed.root.input_definitions.parameters)
        if unknown:
            raise Refused(HTTPStatus.BAD_REQUEST, 3, f"Unknown parameters {unknown}.")

    def _run(self, run_id: str) -> Any:
        if run_id not in self.runs:
            raise Refused(HTTPStatus.NOT_FOUND, 5, f"Run {run_id} not found.")
        return self.runs[run_id]

    def _advance(self, run: Any) -> None:
        if run.state in _OVER:
            return
        details = run.run_details.task_details
        if run.state == "CANCELING":
            for detail in details:
                detail.state = "CANCELED" if detail.state == "RUNNING" else detail.state
            run.state = "CANCELED"
            return
        run.state = "RUNNING"
        if details and details[-1].state == "RUNNING":
            self._end(run, details[-1])
            return
        spec = run.pipeline_spec.get("pipeline_spec", run.pipeline_spec)
        tasks = sorted(spec["root"]["dag"]["tasks"])
        begun = [detail.display_name for detail in details]
        if (left := [task for task in tasks if task not in begun]) and run.state == "RUNNING":
            child = api.PipelineTaskDetailChildTask(pod_name=f"{left[0]}-pod")
            details.append(
                api.V2beta1PipelineTaskDetail(
                    run_id=run.run_id,
                    task_id=str(next(self._ids)),
                    display_name=left[0],
                    create_time=_now(),
                    start_time=_now(),
                    state="RUNNING",
                    child_tasks=[child],
                )
            )
        elif not left:
            run.state = "SUCCEEDED"

    def _end(self, run: Any, detail: Any) -> None:
        detail.end_time, detail.state = _now(), "SUCCEEDED"
        if said := self.fails.get(detail.display_name):
            detail.state, detail.error = "FAILED", api.GoogleRpcStatus(code=13, message=said)
            run.state, run.error = "FAILED", api.GoogleRpcStatus(code=13, message=f"{detail.display_name} failed.")


_ROUTES = (
    ("healthz", f"GET {_BASE}/healthz"),
    ("list_experiments", f"GET {_BASE}/experiments"),
    ("create_experiment", f"POST {_BASE}/experiments"),
    ("create_run", f"POST {_BASE}/runs"),
    ("list_runs", f"GET {_BASE}/runs"),
    ("get_run", f"GET {_BASE}/runs/([^/:]+)"),
    ("terminate_run", f"POST {_BASE}/runs/([^/:]+):terminate"),
    ("create_recurring", f"POST {_BASE}/recurringruns"),
    ("list_recurring", f"GET {_BASE}/recurringruns"),
    ("delete_recurring", f"DELETE {_BASE}/recurringruns/([^/:]+)"),
    ("node_log", "GET /apis/v1beta1/runs/([^/]+)/nodes/([^/]+)/log"),
)


@contextlib.contextmanager
def kfp_server(*, token: str = "") -> Iterator[Kfp]:
    """Runs a server until the block ends."""
    kfp = Kfp(token=token)

    class Handler(_Handler):
        server_of = kfp

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kfp.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield kfp
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    server_of: Kfp

    def _handle(self) -> None:
        kfp, parts = self.server_of, urlsplit(self.path)
        kfp.calls.append((self.command, parts.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self._refuse(parts.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            answer = kfp.answer(self.command, parts.path, query, body)
            text = answer if isinstance(answer, str) else json.dumps(_WIRE.sanitize_for_serialization(answer))
            self._send(HTTPStatus.OK, text)
        except Refused as refused:
            told = {"error": str(refused), "code": refused.number, "message": str(refused), "details": []}
            self._send(refused.status, json.dumps(told))

    def _refuse(self, path: str) -> None:
        kfp = self.server_of
        if kfp.token and self.headers.get("Authorization") != f"Bearer {kfp.token}":
            raise Refused(HTTPStatus.UNAUTHORIZED, 16, "Request is unauthenticated.")
        for fault in kfp.faults:
            if fault.times and fault.method == self.command and re.search(fault.path, path):
                fault.times -= 1
                raise Refused(fault.status, fault.number, fault.message)

    def _send(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        # As a proxy may do that was left in a mode for finding faults.
        self.send_header("X-Seen-Token", self.headers.get("Authorization", "").removeprefix("Bearer "))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815 the base class's names

    def log_message(self, *words: Any) -> None:
        """Says nothing."""


def _is_asked_for(made: Any, query: dict[str, str]) -> bool:
    return query.get("experiment_id", made.experiment_id) == made.experiment_id


def _read(body: bytes, kind: type) -> Any:
    class Answer:
        data = body.decode()

    return _WIRE.deserialize(Answer(), kind.__name__)


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)
