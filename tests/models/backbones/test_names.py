"""Names are checked without TensorFlow."""

import subprocess
import sys

import keras
import pytest

from roadworthy.models.backbones import check_backbone_name, known_backbones
from roadworthy.models.backbones.build import BACKBONES
from roadworthy.models.backbones.names import KERAS_APPLICATIONS
from roadworthy.serving.errors import ConfigError


def test_the_written_list_is_what_keras_applications_has() -> None:
    classes = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(KERAS_APPLICATIONS) == classes
    assert len(KERAS_APPLICATIONS) == len(classes)


def test_every_known_backbone_can_be_built() -> None:
    assert set(BACKBONES) == set(known_backbones())


@pytest.mark.parametrize("name", known_backbones())
def test_known_names_pass(name: str) -> None:
    check_backbone_name(name)


@pytest.mark.parametrize(
    ("name", "closest"),
    [("mobilenetv3small", "MobileNetV3Small"), ("efficientnet_lite0", "efficientnet-lite0"), ("RestNet50", "ResNet50")],
)
def test_an_unknown_name_is_refused_with_the_closest_known(name: str, closest: str) -> None:
    with pytest.raises(ConfigError, match=f"Received: {name}. Closest: {closest}"):
        check_backbone_name(name)


def test_a_name_like_no_other_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"Received: 0\. Closest: efficientnet-lite0, or a class of keras"):
        check_backbone_name("0")


def test_checking_a_name_imports_no_tensorflow() -> None:
    code = "import sys, roadworthy.models.backbones; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
