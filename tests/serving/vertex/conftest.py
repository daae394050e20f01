"""A place on the local Vertex AI, and small models to roll out there."""

import pytest

from contracts.vertex.colours import colour_images, push_settings, write_colours


@pytest.fixture
def push(vertex, monkeypatch):
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", f"https://{vertex.address}/")
    return push_settings()


@pytest.fixture
def models(tmp_path):
    return lambda name, **how: write_colours(tmp_path / "models" / name, **how)


@pytest.fixture(scope="session")
def colours():
    return colour_images()
