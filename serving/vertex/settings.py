"""What a model runs in and on at Vertex AI, as frozen values."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ContainerKind = Literal["roadworthy", "tensorflow", "tf-serving"]
_NETWORK: Final = "^projects/[^/]+/global/networks/[^/]+$"
# https://cloud.google.com/vertex-ai/docs/explainable-ai/overview: gradients need Vertex AI's own TensorFlow image.
_BY_GRADIENTS: Final = ("integrated-gradients", "xrai")
# The API's range of SampledShapleyAttribution.path_count.
_MOST_PATHS: Final = 50


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Container(_Frozen):
    """What serves the model."""

    kind: ContainerKind = Field(
        "roadworthy",
        description="roadworthy: our server, the only one here for LiteRT; tensorflow: Vertex AI's image; tf-serving.",
    )
    image: str | None = Field(None, description="Its image; null: cloud.image for roadworthy, else the usual one.")
    args: tuple[str, ...] = Field(
        (), description="Further flags of roadworthy-model-server or tensorflow_model_server."
    )

    @model_validator(mode="after")
    def _flags_have_a_server(self) -> "Container":
        if self.args and self.kind == "tensorflow":
            raise ValueError("args must be left out for tensorflow, whose server takes none. Received: some.")
        return self


class Machine(_Frozen):
    """What each replica runs on, and how many there are."""

    type: str = Field("n1-standard-2", pattern="^[a-z0-9]+(-[a-z0-9]+)+$", description="Such as n1-standard-4.")
    accelerator: str | None = Field(None, pattern="^[a-z0-9-]+$", description="Such as nvidia-tesla-t4.")
    accelerators: int = Field(0, ge=0, le=16, description="How many a replica has.")
    replicas: int = Field(1, ge=1, le=1000, description="Fewest.")
    max_replicas: int | None = Field(None, ge=1, le=1000, description="Most; null: as many as the fewest.")
    cpu_target: int | None = Field(None, ge=1, le=100, description="Use of the CPUs to scale to, percent; null: 60.")
    accelerator_target: int | None = Field(None, ge=1, le=100, description="The same of the accelerators.")
    spot: bool = Field(False, description="On machines that may be taken away.")

    @model_validator(mode="after")
    def _belong_together(self) -> "Machine":
        if (self.accelerator is None) != (self.accelerators == 0):
            raise ValueError("accelerator and accelerators go together. Received: one of them.")
        if self.accelerator_target is not None and self.accelerator is None:
            raise ValueError("accelerator_target needs an accelerator. Received: none.")
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError(f"max_replicas must be at least replicas, {self.replicas}. Received: {self.max_replicas}.")
        return self


class Private(_Frozen):
    """An endpoint that only some networks reach."""

    allowed_projects: tuple[str, ...] = Field((), description="Projects that may connect by Private Service Connect.")
    network: str | None = Field(None, pattern=_NETWORK, description="Peered VPC; it takes one version at a time.")

    @model_validator(mode="after")
    def _one_way(self) -> "Private":
        if bool(self.allowed_projects) == (self.network is not None):
            raise ValueError("must have allowed_projects or a network. Received: both or neither.")
        return self


class Explanation(_Frozen):
    """Which features made the score; Google ends Vertex Explainable AI on 2027-03-16."""

    method: Literal["sampled-shapley", "integrated-gradients", "xrai"] = "sampled-shapley"
    steps: int = Field(10, ge=1, le=100, description="Paths (at most 50) or steps; more are closer and slower.")
    input: str | None = Field(None, description="Tensor that is explained; null: what the container takes images by.")
    output: str = Field("scores", description="Tensor that explains it.")

    @model_validator(mode="after")
    def _paths_are_fewer(self) -> "Explanation":
        if self.method == "sampled-shapley" and self.steps > _MOST_PATHS:
            raise ValueError(f"steps must be at most {_MOST_PATHS} for sampled-shapley. Received: {self.steps}.")
        return self


def check_explainable(container: Container, explanation: Explanation | None) -> None:
    """Refuses what Vertex AI can't explain.

    Raises:
        ValueError: a method by gradients and a container other than Vertex AI's.
    """
    if explanation is not None and explanation.method in _BY_GRADIENTS and container.kind != "tensorflow":
        raise ValueError(
            f"explanation.method must be sampled-shapley, or the container tensorflow. "
            f"Received: {explanation.method} in {container.kind}."
        )
