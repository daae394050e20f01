"""A place on the local Vertex AI, and models of a few hundred bytes to roll out there."""

import pytest

from contracts.mean_colour import CARD, write_mean_colour
from contracts.pictures import encode, pixels
from roadworthy.components.pushers.vertex_push import VertexPush
from roadworthy.serving.rollout.ramp import Ramp


@pytest.fixture
def push(vertex, monkeypatch):
    """Settings under which nothing waits; the region's address is the local server's."""
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", f"https://{vertex.address}/")
    return VertexPush(
        project="demo",
        region="us-central1",
        id="colours",
        staging="gs://rw-bucket/models",
        image="europe-docker.pkg.dev/demo/roadworthy/server:1",
        ramp=Ramp(steps=(25, 100), answers=2, held_images=4, images_a_request=2, grace_s=0, max_p95_ms=None),
        poll_s=0.001,
        labels={"team": "colours"},
    )


@pytest.fixture
def models(tmp_path):
    """Writes version folders: of the same answers under another variant's name, or with the labels mixed up."""

    def write(name, *, mixed_up=False):
        folder = tmp_path / "models" / name
        if folder.exists():
            return folder
        write_mean_colour(folder)
        labels = CARD.labels[::-1] if mixed_up else CARD.labels
        CARD.model_copy(update={"variant": name, "labels": labels}).write(folder)
        return folder

    return write


@pytest.fixture(scope="session")
def colours():
    """Plain images of the three colours, and one more."""
    images = []
    for channel in (0, 1, 2, 0):
        image = pixels(0) * 0
        image[..., channel] = 255 - len(images)
        images.append(encode(image))
    return images
