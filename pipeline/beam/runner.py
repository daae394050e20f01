"""Beam's runner for this machine.

Beam's own DirectRunner first tries Prism, another runner, whose program it fetches from the network; and where it is to
use several processes, each is a new Python.
"""

import threading
from typing import Any, Final

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import Pipeline
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_provision_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo, FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcWorkerHandler, WorkerHandler
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from google.protobuf import json_format, text_format

from roadworthy.pipeline.beam.loopback import LOOPBACK, on_loopback
from roadworthy.pipeline.beam.lost import CHANNEL_CLOSED
from roadworthy.pipeline.beam.nursery import nursery

FORKED: Final = "roadworthy:env:forked:v1"
_END_S: Final = 30


class LocalRunner(FnApiRunner):
    """Runs a pipeline in this process, or with `direct_running_mode=multi_processing` in forks of the nursery's."""

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> Any:
        """Runs it to its end."""
        told = JobServiceHandle.encode_pipeline_options(options.get_all_options())
        self._provision_info = ExtendedProvisionInfo(beam_provision_api_pb2.ProvisionInfo(pipeline_options=told))
        return super().run_pipeline(pipeline, options)

    def run_via_runner_api(self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions) -> Any:
        """As Beam's, with workers of the nursery's in place of new processes."""
        environments = pipeline_proto.components.environments.values()
        separate = [one for one in environments if one.urn == python_urns.SUBPROCESS_SDK]
        if not separate:
            return super().run_via_runner_api(pipeline_proto, options)
        for environment in separate:
            environment.urn = FORKED
        with nursery(), on_loopback():
            return super().run_via_runner_api(pipeline_proto, options)


@WorkerHandler.register_environment(FORKED, bytes)
class ForkedWorker(GrpcWorkerHandler):
    """A worker of the nursery's, as Beam's runner handles it."""

    def __init__(self, payload: bytes, *environment: Any) -> None:
        """Takes what every handler of Beam's takes; nothing is started yet."""
        del payload
        super().__init__(*environment)
        self._stopped = threading.Event()

    def start_worker(self) -> None:
        """Forks the worker, which finds its way back by the addresses in its environment."""
        with nursery() as running:
            self._alive = running.fork(self._environment())
        self._watch = threading.Thread(target=self._tell_of_loss, name="beam_worker_watch", daemon=True)
        self._watch.start()

    def stop_worker(self) -> None:
        """Waits till it has ended, as it does when its channels are closed."""
        self._stopped.set()
        self._watch.join(_END_S)

    def host_from_worker(self) -> str:
        """Where the worker finds the runner: no name, which could be one of IPv6 as well."""
        return LOOPBACK

    def _environment(self) -> dict[str, str]:
        return {
            "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(self.control_api_service_descriptor()),
            "LOGGING_API_SERVICE_DESCRIPTOR": text_format.MessageToString(self.logging_api_service_descriptor()),
            "PIPELINE_OPTIONS": json_format.MessageToJson(self.provision_info.provision_info.pipeline_options),
            "WORKER_ID": self.worker_id,
        }

    def _tell_of_loss(self) -> None:
        with self._alive:
            self._alive.recv(1)
        if self._stopped.is_set():
            return
        # Ends what waits for the worker's data; what waits for its answers may begin to do so after it is gone.
        self.data_conn.close()
        while not self._stopped.wait(1):
            self.control_conn.abort(RuntimeError(f"{CHANNEL_CLOSED}: {self.worker_id} has ended."))
