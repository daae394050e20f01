"""Serving containers, each as a server of its own on loopback that gets what Vertex AI gives a container.

Roadworthy's own image is its server with the `AIP_*` variables set. Vertex AI's TensorFlow image and
`tensorflow/serving` are played by the same server under TF Serving's flags, since their binary is not to be had here: a
SavedModel answers as it would, and a LiteRT file is refused, as they would.
"""

import contextlib
import http.client
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from google.cloud import aiplatform_v1 as v1

from contracts.gcs.server import Gcs
from contracts.ports import free_port
from contracts.vertex.rules import Refused
from roadworthy.serving.contract import SAVED_MODEL_FILE
from roadworthy.serving.errors import RoadworthyError
from roadworthy.serving.server.main import listening_of, manager_of, parser
from roadworthy.serving.server.run import ModelServer

OWN = "roadworthy"
# Vertex AI allows ten minutes; here everything is on this machine.
_HEALTHY_IN_S = 3.0


@dataclass
class Trouble:
    """How a version misbehaves: it answers late, or every so many requests with an error."""

    delay_s: float = 0.0
    error_every: int = 0
    asked: int = 0


@dataclass
class _Running:
    server: ModelServer
    port: int
    route: str
    version: str


class Containers:
    """What runs, by the id of the deployed model.

    Attributes:
        troubles: by model version.
        environments: the `AIP_*` variables each container was given.
    """

    def __init__(self, folder: Path, gcs: Gcs | None) -> None:
        self._folder, self._gcs = folder, gcs
        self._running: dict[str, _Running] = {}
        self.troubles: dict[str, Trouble] = {}
        self.environments: dict[str, dict[str, str]] = {}

    def start(self, key: str, model: v1.Model) -> None:
        """Starts one and waits until its health route answers.

        Raises:
            Refused: it never became ready.
        """
        spec = model.container_spec
        environment = {variable.name: variable.value for variable in spec.env} | {
            "AIP_MODE": "PREDICTION",
            "AIP_HTTP_PORT": str(free_port()),
            "AIP_HEALTH_ROUTE": spec.health_route or f"/v1/endpoints/1/deployedModels/{key}",
            "AIP_PREDICT_ROUTE": spec.predict_route or f"/v1/endpoints/1/deployedModels/{key}:predict",
            "AIP_STORAGE_URI": model.artifact_uri,
        }
        self.environments[key] = environment
        try:
            server = self._server(spec.image_uri, list(spec.args), environment, self._folder / key)
            server.__enter__()
        except (RoadworthyError, OSError) as error:
            raise _never_ready(str(error)) from error
        port = int(environment["AIP_HTTP_PORT"])
        self._running[key] = _Running(server, port, environment["AIP_PREDICT_ROUTE"], model.version_id)
        if not _healthy(port, environment["AIP_HEALTH_ROUTE"]):
            self.stop(key)
            raise _never_ready("its health route did not answer with 200")

    def ask(self, key: str, body: bytes) -> bytes:
        """Sends a body to the predict route.

        Raises:
            Refused: with the code that Vertex AI makes of the container's status.
        """
        running = self._running[key]
        self._trouble(running.version)
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", running.route, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
        if answer.status != 200:
            code = "INVALID_ARGUMENT" if answer.status < 500 else "INTERNAL"
            raise Refused(code, f"{answer.status} {said.decode(errors='replace')}")
        return said

    def stop(self, key: str) -> None:
        self._running.pop(key).server.__exit__()

    def stop_all(self) -> None:
        for key in list(self._running):
            self.stop(key)

    def _server(self, image: str, args: list[str], environment: dict[str, str], folder: Path) -> ModelServer:
        if OWN not in image:
            base = self._artifact(environment["AIP_STORAGE_URI"], folder)
            if not list(base.glob(f"*/{SAVED_MODEL_FILE}")):
                raise Refused("FAILED_PRECONDITION", f"{image} serves SavedModels; {base} holds none.")
            args = [f"--model_base_path={base}"]
        # Where a container listens on every address, this one stays on loopback.
        given = parser().parse_args([*args, "--port=0", "--host=127.0.0.1"])
        return ModelServer(manager_of(given, environment), listening_of(given, environment))

    def _artifact(self, uri: str, folder: Path) -> Path:
        """A base path with version folders, from an artifact that is one or is a version itself."""
        source = Path(uri)
        if uri.startswith("gs://"):
            source = self._gcs.fetch(uri, folder / "fetched")
        if (source / SAVED_MODEL_FILE).is_file() or not any(child.name.isdecimal() for child in source.iterdir()):
            (folder / "base").mkdir(parents=True)
            shutil.copytree(source, folder / "base" / "1")
            return folder / "base"
        return source

    def _trouble(self, version: str) -> None:
        trouble = self.troubles.get(version)
        if trouble is None:
            return
        trouble.asked += 1
        time.sleep(trouble.delay_s)
        if trouble.error_every and trouble.asked % trouble.error_every == 0:
            raise Refused("INTERNAL", "The container failed.")


def _never_ready(why: str) -> Refused:
    return Refused(
        "FAILED_PRECONDITION",
        f"Model server never became ready. Please validate that your model file or container configuration are valid. "
        f"{why}",
    )


def _healthy(port: int, route: str) -> bool:
    until = time.monotonic() + _HEALTHY_IN_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as asked:
            asked.request("GET", route)
            if asked.getresponse().status == 200:
                return True
        time.sleep(0.05)
    return False
