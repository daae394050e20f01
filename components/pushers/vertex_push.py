"""Everything a push to Vertex AI has to know, as a frozen value that travels as JSON. Imports no TFX and no client."""

from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from roadworthy.models.config import Settings
from roadworthy.serving.rollout.ramp import Ramp
from roadworthy.serving.vertex.place import Place
from roadworthy.serving.vertex.settings import Container, Explanation, Machine, Private, check_explainable
from roadworthy.serving.vertex.target import Origin, Serving, VertexTarget

RUN_LABEL: Final = "roadworthy-run"
COMMIT_LABEL: Final = "roadworthy-commit"


class VertexPush(Settings):
    """Where at Vertex AI, in and on what, and how fast."""

    project: str
    region: str
    id: str = Field(description="Of the parent model and of the endpoint.")
    staging: str = Field(description="gs:// folder that models are copied below.")
    image: str | None = None
    service_account: str | None = None
    serving_account: str | None = None
    kms_key: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    commit: str | None = Field(None, description="Checked out where the config lies.")
    container: Container = Container()
    machine: Machine = Machine()
    private: Private | None = None
    explanation: Explanation | None = None
    ramp: Ramp = Ramp()
    call_s: float = 60.0
    operation_s: float = 1800.0
    poll_s: float = 5.0
    prediction_address: str | None = None

    @model_validator(mode="after")
    def _can_be_explained(self) -> "VertexPush":
        check_explainable(self.container, self.explanation)
        return self

    @property
    def place(self) -> Place:
        """Where."""
        return Place(
            self.project,
            self.region,
            service_account=self.service_account,
            serving_account=self.serving_account or self.service_account,
            kms_key=self.kms_key,
            labels=self.labels,
            call_s=self.call_s,
            operation_s=self.operation_s,
            poll_s=self.poll_s,
            prediction_address=self.prediction_address,
        )

    def target(self, version_dir: Path | None = None, *, run: str | None = None) -> VertexTarget:
        """The far side.

        Args:
            version_dir: the model to roll out; None where nothing is uploaded.
            run: id of the run that made it.

        Raises:
            DeployError: an id that Vertex AI does not take, or a model that the container can't serve.
        """
        serving = Serving(
            self.id, self.staging, self.image, self.container, self.machine, self.private, self.explanation
        )
        labels = {RUN_LABEL: run, COMMIT_LABEL: self.commit}
        origin = Origin(version_dir, labels) if version_dir is not None else None
        return VertexTarget(self.place, serving, origin)
