"""How fast a new version gets traffic, and what it has to keep to at every step."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

ALL: Final = 100


class Ramp(BaseModel):
    """Steps of traffic and the limits at each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[int, ...] = Field((5, 25, 100), description="Percent of the traffic, rising to 100.")
    answers: int = Field(20, ge=1, le=100_000, description="Requests the new version has to answer at each step.")
    max_error_rate: float = Field(0.01, ge=0, lt=1, description="Share of its requests that may fail.")
    max_p95_ms: float | None = Field(1000.0, gt=0, description="95th percentile of a request's time; null: any.")
    max_p95_ratio: float | None = Field(None, gt=0, description="The same as a multiple of the champion's; null: any.")
    min_agreement: float = Field(0.9, ge=0, le=1, description="Share of held images with the champion's label.")
    held_images: int = Field(64, ge=1, le=100_000, description="Images sent to both, evenly chosen.")
    images_a_request: int = Field(8, ge=1, le=1024)
    grace_s: float = Field(600.0, ge=0, description="How long the old version stays deployed, without traffic.")

    @field_validator("steps")
    @classmethod
    def _rise_to_all(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if not steps or steps[-1] != ALL or list(steps) != sorted(set(steps)) or steps[0] < 1:
            raise ValueError(f"must rise from at least 1 to 100. Received: {list(steps)}.")
        return steps

    def after(self, percent: int) -> int:
        """The next step above so much traffic."""
        return next((step for step in self.steps if step > percent), ALL)
