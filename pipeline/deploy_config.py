"""The `deploy` section of a run's YAML file: where a model is served in the end, and how its traffic rises."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from roadworthy.models.config import Settings, beside_config
from roadworthy.pipeline.cloud_config import BucketFolder, CloudSettings
from roadworthy.serving.rollout.ramp import Ramp
from roadworthy.serving.vertex.settings import Container, Explanation, Machine, Private, check_explainable

_ID: Final = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
_ADDRESS: Final = r"^[^\s/]+:\d{1,5}$"


class ServerFleet(Settings):
    """Servers with TF Serving's API that read one model root and one config file."""

    config_file: Annotated[Path, AfterValidator(beside_config)] = Field(
        description="ModelServerConfig that the servers poll; its versions and labels are written."
    )
    server: str = Field(pattern=_ADDRESS, description="HOST:PORT of gRPC of one of them, to check with.")


class DeploySettings(Settings):
    """Where a model goes, and how."""

    to: Literal["vertex", "tf-serving"] = "vertex"
    in_pipeline: bool = Field(False, description="Let a run end with it, for what the gate blessed; Vertex AI only.")
    id: str | None = Field(None, pattern=_ID, description="Of model and endpoint at Vertex AI; null: the run's name.")
    staging: BucketFolder | None = Field(
        None, description="gs:// folder that models are copied below; null: models below cloud.pipeline_root."
    )
    container: Container = Container()
    machine: Machine = Machine()
    private: Private | None = Field(None, description="An endpoint within networks; null: a public one.")
    explanation: Explanation | None = Field(None, description="How scores are explained; null: not at all.")
    ramp: Ramp = Ramp()
    held: Annotated[Path, AfterValidator(beside_config)] | None = Field(
        None, description="Folder of images that are sent to both versions; in a pipeline null: its test split."
    )
    call_s: float = Field(60.0, gt=0, le=3600, description="Longest time of one call, seconds.")
    operation_s: float = Field(1800.0, gt=0, le=86_400, description="Longest time of a deployment, seconds.")
    poll_s: float = Field(5.0, gt=0, le=600, description="Between two looks at it, seconds.")
    prediction_address: str | None = Field(
        None, pattern=_ADDRESS, description="HOST:PORT of predictions, for a private endpoint."
    )
    fleet: ServerFleet | None = Field(None, description="For tf-serving: where its servers are.")

    @model_validator(mode="after")
    def _fit_together(self) -> "DeploySettings":
        check_explainable(self.container, self.explanation)
        if self.to == "tf-serving" and self.fleet is None:
            raise ValueError("fleet must be given for tf-serving. Received: none.")
        if self.in_pipeline and self.to != "vertex":
            raise ValueError("in_pipeline must be false for tf-serving. Received: true.")
        if self.private is not None and self.private.network and self.ramp.steps != (100,):
            raise ValueError(
                "ramp.steps must be [100] on an endpoint of a network, which runs one version at a time; "
                f"private.allowed_projects takes several. Received: {list(self.ramp.steps)}."
            )
        return self

    def staged(self, cloud: CloudSettings) -> str:
        """The gs:// folder that models are copied below."""
        return self.staging or f"{cloud.pipeline_root}/models"
