"""A place on the local Vertex AI, and small models to roll out there."""

import pytest

from contracts.mean_colour import CARD, SIDE
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


@pytest.fixture(scope="session")
def saved_colours(tmp_path_factory):
    """The same classifier as a SavedModel, in a version folder."""
    import keras

    from roadworthy.models.export import export_saved_model

    image = keras.Input((SIDE, SIDE, 3))
    means = keras.layers.GlobalAveragePooling2D()(image)
    folder = tmp_path_factory.mktemp("saved") / "colours"
    export_saved_model(keras.Model(image, keras.layers.Softmax()(means)), CARD, folder)
    return folder
