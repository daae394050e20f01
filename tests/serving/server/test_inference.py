"""Classify, Regress and MultiInference asked of signatures as TensorFlow 2 saves them: each is one to predict."""

import pytest
import tensorflow as tf

from roadworthy.serving import protos
from roadworthy.serving.server.inference import CLASSIFY_METHOD, REGRESS_METHOD, classify, multi_inference, regress
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.model_config import ModelConfig
from roadworthy.serving.server.observe import Call
from roadworthy.serving.status import RequestError

EXAMPLES = tf.TensorSpec([None], tf.string, name="inputs")


class Scorer(tf.Module):
    """y = x / 2 + 2 under the names that classify and regress ask for, and several that they can't take."""

    def y(self, examples):
        return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"] / 2 + 2

    def signatures(self):
        made = {
            "classify": lambda inputs: {"scores": self.y(inputs)},
            "regress": lambda inputs: {"outputs": self.y(inputs)},
            "cube": lambda inputs: {"scores": self.y(inputs)[None], "outputs": self.y(inputs)},
            "cubes": lambda inputs: {"outputs": self.y(inputs)[None]},
            "doubles": lambda inputs: {"outputs": tf.cast(self.y(inputs), tf.float64)},
            "double_scores": lambda inputs: {"scores": tf.cast(self.y(inputs), tf.float64)},
            "one": lambda inputs: {"outputs": self.y(inputs)[:1]},
            "other": lambda inputs: {"others": self.y(inputs)},
        }
        return {name: tf.function(body, input_signature=[EXAMPLES]) for name, body in made.items()}


@pytest.fixture(scope="module")
def manager(tmp_path_factory):
    base, module = tmp_path_factory.mktemp("scorer"), Scorer()
    tf.saved_model.save(module, str(base / "1"), signatures=module.signatures())
    manager = Manager.of_models([ModelConfig("scorer", base)])
    manager.start()
    yield manager
    manager.stop()


def asked(message, signature):
    message.model_spec.name, message.model_spec.signature_name = "scorer", signature
    return with_examples(message)


def with_examples(message):
    for x in (2.0, 4.0):
        message.input.example_list.examples.add().features.feature["x"].float_list.value.append(x)
    return message


def test_a_signature_to_predict_classifies_and_regresses(manager):
    classified = classify(manager, asked(protos.ClassificationRequest(), "classify"), Call("grpc", "Classify"))
    assert [one.classes[0].score for one in classified.result.classifications] == [3.0, 4.0]
    regressed = regress(manager, asked(protos.RegressionRequest(), "regress"), Call("grpc", "Regress"))
    assert [one.value for one in regressed.result.regressions] == [3.0, 4.0]


def test_several_signatures_to_predict_answer_one_request(manager):
    request = protos.MultiInferenceRequest()
    for signature, method in (("regress", REGRESS_METHOD), ("classify", CLASSIFY_METHOD)):
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = "scorer", signature
    answered = multi_inference(manager, with_examples(request), Call("grpc", "MultiInference"))
    assert [one.model_spec.signature_name for one in answered.results] == ["regress", "classify"]
    assert answered.results[1].classification_result.classifications[1].classes[0].score == 4.0


CLASSIFY = (classify, protos.ClassificationRequest)
REGRESS = (regress, protos.RegressionRequest)


@pytest.mark.parametrize(
    ("method", "signature", "code", "message"),
    [
        (CLASSIFY, "cube", "INVALID_ARGUMENT", "Expected Tensor shape: [batch_size num_classes] but got [1,2,1]"),
        (CLASSIFY, "double_scores", "INVALID_ARGUMENT", "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        (CLASSIFY, "nope", "INVALID_ARGUMENT", "No signature was found with the name: nope"),
        (REGRESS, "cube", "INVALID_ARGUMENT", "Expected one output Tensor."),
        (
            REGRESS,
            "cubes",
            "INVALID_ARGUMENT",
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2,1]",
        ),
        (REGRESS, "one", "INVALID_ARGUMENT", "Input batch size did not match output batch size: 2 vs. 1"),
        (REGRESS, "doubles", "INVALID_ARGUMENT", "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
        (REGRESS, "other", "FAILED_PRECONDITION", "No regression outputs found in SignatureDef: ['others']"),
    ],
)
def test_what_can_not_be_answered_is_told_in_upstreams_words(manager, method, signature, code, message):
    infer, request = method
    with pytest.raises(RequestError) as refused:
        infer(manager, asked(request(), signature), Call("grpc", infer.__name__))
    assert (refused.value.code, str(refused.value)) == (code, message)
