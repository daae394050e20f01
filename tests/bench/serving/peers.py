"""The other servers, each started as its own documentation says for production on two cores."""

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.claims import Say
from bench.serving.environments import PEERS, bin_of
from bench.serving.models import Served
from bench.serving.process import Process
from bench.serving.servers import LOGS, Running, Target, base64_text, compact
from contracts.ports import free_port, free_ports

_METHOD: Final = "inference.GRPCInferenceService/ModelInfer"


def start_peers(served: Served, *, say: Say) -> list[Running]:
    """All of them, on free ports; their servers are `<peer>/dense.py` and `<peer>/image.py`."""
    return [start(served, say=say) for start in (_fastapi, _litserve, _bentoml, _mlserver)]


def _fastapi(served: Served, *, say: Say) -> Running:
    """https://fastapi.tiangolo.com/deployment/server-workers/: a process a core."""
    port = free_port()
    command = [bin_of("fastapi", say=say) / "uvicorn", f"{kind(served)}:app", f"--port={port}", "--workers=2"]
    rows = {"x": [served.given]} if kind(served) == "dense" else {"images": [_text(served)]}
    target = Target("FastAPI", "REST", _url(port, "predict"), compact(rows), partial(_row, served.output))
    return Running(_process("fastapi", served, [*command, "--no-access-log", "--log-level=warning"]), [target])


def _litserve(served: Served, *, say: Say) -> Running:
    """https://lightning.ai/docs/litserve/features/batching, and the fast queue it names for more than 100 a second."""
    port = free_port()
    command = [bin_of("litserve", say=say) / "python", f"{kind(served)}.py", str(port)]
    row = {"x": served.given} if kind(served) == "dense" else {"image": _text(served)}
    read = lambda answer: json.loads(answer)[served.output]  # noqa: E731
    target = Target("LitServe", "REST", _url(port, "predict"), compact(row), read)
    return Running(_process("litserve", served, command), [target])


def _bentoml(served: Served, *, say: Say) -> Running:
    """https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html, and a worker a core for CPUs."""
    port = free_port()
    command = [bin_of("bentoml", say=say) / "bentoml", "serve", kind(served), f"--port={port}", "--host=127.0.0.1"]
    rows = {"x": [served.given]} if kind(served) == "dense" else {"images": [_text(served)]}
    target = Target("BentoML", "REST", _url(port, "predict"), compact(rows), lambda answer: json.loads(answer)[0])
    return Running(_process("bentoml", served, command, BENTOML_DO_NOT_TRACK="true"), [target])


def _mlserver(served: Served, *, say: Say) -> Running:
    """https://docs.seldon.ai/mlserver: a custom runtime, REST and gRPC of the Open Inference Protocol."""
    http, grpc_port, metrics = free_ports(3)
    folder = LOGS / f"mlserver-{served.name}"
    folder.mkdir(parents=True, exist_ok=True)
    implementation = {"dense": "dense.Dense", "image": "image.Image"}[kind(served)]
    parameters = {"uri": str(served.version_dir)}
    model = {"name": served.name, "implementation": implementation, "parameters": parameters}
    ports = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc_port, "metrics_port": metrics}
    if kind(served) == "image":  # as its documentation says, tried: for the small model it costs more than it wins
        model |= {"max_batch_size": 16, "max_batch_time": 0.002}
    (folder / "model-settings.json").write_text(json.dumps(model))
    (folder / "settings.json").write_text(json.dumps({"debug": False, "parallel_workers": 2, **ports}))
    programs = bin_of("mlserver", say=say)
    # It writes its metrics where it is started.
    process = Process(
        [programs / "mlserver", "start", "."],
        log=LOGS / f"mlserver-{served.name}.log",
        cwd=folder,
        env={"PYTHONPATH": str(PEERS / "mlserver")},
    )
    rest = Target(
        "MLServer",
        "REST",
        _url(http, f"v2/models/{served.name}/infer"),
        compact({"inputs": [_v2_input(served, by_field=False)]}),
        lambda answer: json.loads(answer)["outputs"][0]["data"],
    )
    translate = partial(_translated, programs)
    asked = {"model_name": served.name, "inputs": [_v2_input(served, by_field=True)]}
    grpc_target = Target(
        "MLServer", "gRPC", _url(grpc_port, _METHOD), translate("request", compact(asked)), partial(_v2_row, translate)
    )
    return Running(process, [rest, grpc_target])


def kind(served: Served) -> str:
    """Which of a peer's servers the model wants."""
    return "image" if isinstance(served.given, bytes) else "dense"


def _process(peer: str, served: Served, command: list[str | Path], **env: str) -> Process:
    given = {"MODEL_DIR": str(served.version_dir), **env}
    return Process(command, log=LOGS / f"{peer}-{served.name}.log", cwd=PEERS / peer, env=given)


def _v2_input(served: Served, *, by_field: bool) -> dict[str, Any]:
    """An input of the Open Inference Protocol, whose gRPC has a field a type where its REST has `data`."""
    if kind(served) == "dense":
        about = {"name": served.input, "datatype": "FP32", "shape": [1, len(served.given)]}
        return about | ({"contents": {"fp32_contents": served.given}} if by_field else {"data": served.given})
    about = {"name": served.input, "datatype": "BYTES", "shape": [1]}
    text = _text(served)
    # Bytes over gRPC are the image itself; JSON, which `_translated` starts from, has them in base64.
    return about | ({"contents": {"bytes_contents": [text]}} if by_field else {"data": [text]})


def _v2_row(translate: Callable[[str, bytes], bytes], answer: bytes) -> list[float]:
    (output,) = json.loads(translate("response", answer))["outputs"]
    return output["contents"]["fp32Contents"]


def _translated(programs: Path, way: str, content: bytes) -> bytes:
    command = [programs / "python", PEERS / "mlserver" / "messages.py", way]
    return subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True).stdout


def _row(output: str, answer: bytes) -> list[float]:
    (row,) = json.loads(answer)[output]
    return row


def _text(served: Served) -> str:
    return base64_text(served.given)


def _url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}/{path}"
