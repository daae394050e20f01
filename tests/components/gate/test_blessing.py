import pytest
from tfx.components.evaluator import constants
from tfx.components.util import model_utils
from tfx.types.standard_artifacts import Model, ModelBlessing

from roadworthy.components.gate import blessing as own
from roadworthy.components.gate.blessing import is_blessed, write_blessing


@pytest.fixture
def blessing(tmp_path):
    artifact = ModelBlessing()
    artifact.uri = str(tmp_path)
    return artifact


@pytest.fixture
def model():
    artifact = Model()
    artifact.uri, artifact.id = "/variant", 7
    return artifact


def test_its_names_are_tfxs():
    assert (own.BLESSED_FILE, own.NOT_BLESSED_FILE) == (constants.BLESSED_FILE_NAME, constants.NOT_BLESSED_FILE_NAME)
    assert own.BLESSED == constants.ARTIFACT_PROPERTY_BLESSED_KEY
    assert own.CURRENT_MODEL == constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY
    assert own.CURRENT_MODEL_ID == constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY


def test_a_blessing_names_the_model_and_is_one_to_tfx(blessing, model, tmp_path):
    write_blessing(blessing, model)
    assert [path.name for path in tmp_path.iterdir()] == ["BLESSED"]
    assert blessing.get_int_custom_property("current_model_id") == 7
    assert blessing.get_string_custom_property("current_model") == "/variant"
    assert model_utils.is_model_blessed(blessing)
    assert is_blessed(blessing)


def test_a_refusal_names_no_model_and_is_none_to_tfx(blessing, tmp_path):
    write_blessing(blessing, None)
    assert [path.name for path in tmp_path.iterdir()] == ["NOT_BLESSED"]
    assert not blessing.has_custom_property("current_model_id")
    assert not model_utils.is_model_blessed(blessing)
    assert not is_blessed(blessing)
