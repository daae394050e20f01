"""Classify, Regress and MultiInference: requests of tf.Examples, answered as TF Serving answers them.

Upstream: tensorflow_serving/servables/tensorflow/{classifier,regressor,multi_inference}.cc.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from roadworthy.serving import protos
from roadworthy.serving.contract import EXAMPLES_SIGNATURE
from roadworthy.serving.servables.base import Servable, Signature
from roadworthy.serving.server.examples import rows_of
from roadworthy.serving.server.observe import Call
from roadworthy.serving.server.predict import run_timed
from roadworthy.serving.server.served import Served
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import dtype_of

CLASSIFY_METHOD: Final = "tensorflow/serving/classify"
REGRESS_METHOD: Final = "tensorflow/serving/regress"
# What such signatures call their input and outputs.
_INPUTS: Final = "inputs"
_CLASSES, _SCORES, _VALUES = "classes", "scores", "outputs"
_CLASS_OUTPUTS: Final = (1, 2)
_MATRIX_RANK: Final = 2


def classify(served: Served, request: Any, call: Call) -> Any:
    """Answers a `ClassificationRequest` with a `ClassificationResponse`.

    Raises:
        RequestError: the request can't be answered; carries the code.
    """
    response = protos.ClassificationResponse()
    with served.use_spec(request.model_spec) as (version, servable):
        result = _classified(servable, request.model_spec, rows_of(request.input), call)
    response.result.CopyFrom(result)
    _tell(response.model_spec, request.model_spec, version)
    _told(call, request, response, response.model_spec)
    return response


def regress(served: Served, request: Any, call: Call) -> Any:
    """Answers a `RegressionRequest` with a `RegressionResponse`.

    Raises:
        RequestError: the request can't be answered; carries the code.
    """
    response = protos.RegressionResponse()
    with served.use_spec(request.model_spec) as (version, servable):
        result = _regressed(servable, request.model_spec, rows_of(request.input), call)
    response.result.CopyFrom(result)
    _tell(response.model_spec, request.model_spec, version)
    _told(call, request, response, response.model_spec)
    return response


def multi_inference(served: Served, request: Any, call: Call) -> Any:
    """Answers a `MultiInferenceRequest`: several signatures of one version on the same examples.

    Raises:
        RequestError: the request can't be answered; carries the code.
    """
    _check_tasks(request.tasks)
    response = protos.MultiInferenceResponse()
    with served.use_spec(request.tasks[0].model_spec) as (version, servable):
        rows = rows_of(request.input)
        for task in request.tasks:
            if (asked := _signature_name(task.model_spec)) not in servable.signatures:
                raise RequestError(f"Requested signature not found in model graph: {asked}")
            answered = response.results.add()
            kind = _KINDS[task.method_name]
            getattr(answered, kind.field).CopyFrom(kind.run(servable, task.model_spec, rows, call))
            _tell(answered.model_spec, task.model_spec, version)
    _told(call, request, response, response.results[0].model_spec)
    return response


def _check_tasks(tasks: Sequence[Any]) -> None:
    if not tasks:
        raise RequestError("A MultiInferenceRequest must have at least one task. Received: none.")
    names = {task.model_spec.name for task in tasks}
    if "" in names:
        raise RequestError("Found ModelSpec with an empty model name.")
    if len(names) > 1:
        raise RequestError("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    signatures = [_signature_name(task.model_spec) for task in tasks]
    for place, name in enumerate(signatures):
        if name in signatures[:place]:
            raise RequestError(f"Duplicate evaluation of signature: {name}")
    for task in tasks:
        if task.method_name not in _KINDS:
            raise RequestError(f"Unsupported signature method_name: {task.method_name}", code="UNIMPLEMENTED")


def _classified(servable: Servable, spec: Any, rows: np.ndarray, call: Call) -> Any:
    name, signature = _signature(servable, spec)
    if len(signature.outputs) not in _CLASS_OUTPUTS:
        raise RequestError(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    _check_input(signature, "classification")
    wanted = [output for output in (_CLASSES, _SCORES) if output in signature.outputs]
    if not wanted:
        raise RequestError(
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or "{_SCORES}". '
            f"Signature was: {sorted(signature.outputs)}",
            code="FAILED_PRECONDITION",
        )
    answer = run_timed(servable, name, {_INPUTS: rows}, wanted, call)
    for output, array in answer.items():
        _check_matrix(output, array, len(rows))
    labels, scores = answer.get(_CLASSES), answer.get(_SCORES)
    if labels is not None and scores is not None and labels.shape != scores.shape:
        raise RequestError(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    result = protos.ClassificationResult()
    for row in range(len(rows)):
        classes = result.classifications.add().classes
        for column in range(answer[wanted[0]].shape[1]):
            made = classes.add()
            if labels is not None:
                made.label = _text(labels[row, column])
            if scores is not None:
                made.score = float(scores[row, column])
    return result


def _regressed(servable: Servable, spec: Any, rows: np.ndarray, call: Call) -> Any:
    name, signature = _signature(servable, spec)
    if len(signature.outputs) != 1:
        raise RequestError("Expected one output Tensor.")
    _check_input(signature, "regression")
    if _VALUES not in signature.outputs:
        raise RequestError(
            f"No regression outputs found in SignatureDef: {sorted(signature.outputs)}", code="FAILED_PRECONDITION"
        )
    values = run_timed(servable, name, {_INPUTS: rows}, [_VALUES], call)[_VALUES]
    if values.shape[1:] not in ((), (1,)) or not values.ndim:
        raise RequestError(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
        )
    if len(values) != len(rows):
        raise RequestError(f"Input batch size did not match output batch size: {len(rows)} vs. {len(values)}")
    if values.dtype != np.float32:
        raise RequestError(f"Expected output Tensor of DT_FLOAT.  Got: {dtype_of(values).enum}")
    result = protos.RegressionResult()
    for value in values.ravel():
        result.regressions.add().value = float(value)
    return result


@dataclass(frozen=True)
class _Kind:
    run: Callable[[Servable, Any, np.ndarray, Call], Any]
    field: str


_KINDS: Final = {
    CLASSIFY_METHOD: _Kind(_classified, "classification_result"),
    REGRESS_METHOD: _Kind(_regressed, "regression_result"),
}


def _signature(servable: Servable, spec: Any) -> tuple[str, Signature]:
    """The signature a model spec asks for, if it takes one tensor.

    Its method's name doesn't matter, as by upstream's default: TensorFlow 2 saves every signature as one to predict.
    """
    name = _signature_name(spec)
    if name not in servable.signatures:
        raise RequestError(f"No signature was found with the name: {name}")
    signature = servable.signatures[name]
    if len(signature.inputs) != 1:
        raise RequestError("Expected one input Tensor.")
    return name, signature


def _check_input(signature: Signature, kind: str) -> None:
    if _INPUTS not in signature.inputs:
        raise RequestError(
            f"No {kind} inputs found in SignatureDef: {sorted(signature.inputs)}", code="FAILED_PRECONDITION"
        )


def _signature_name(spec: Any) -> str:
    return str(spec.signature_name) or EXAMPLES_SIGNATURE


def _check_matrix(output: str, array: np.ndarray, batch: int) -> None:
    wanted = "DT_STRING" if output == _CLASSES else "DT_FLOAT"
    if array.ndim != _MATRIX_RANK:
        raise RequestError(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}")
    if (received := dtype_of(array).enum) != wanted:
        raise RequestError(f"Expected {output} Tensor of {wanted}. Got: {received}")
    if len(array) != batch:
        raise RequestError(f"Expected {output} output batch size of {batch}. Got: {len(array)}")


def _shape(array: np.ndarray) -> str:
    """A shape as TensorFlow prints it."""
    return f"[{','.join(map(str, array.shape))}]"


def _text(label: bytes) -> str:
    """A proto's string is UTF-8; bytes that are none are replaced rather than refused."""
    return label.decode(errors="replace")


def _tell(told: Any, asked: Any, version: int) -> None:
    """Fills in a response's model spec: who answered."""
    told.name = asked.name
    told.signature_name = _signature_name(asked)
    told.version.value = version


def _told(call: Call, request: Any, response: Any, spec: Any) -> None:
    """Fills in what observers are told."""
    call.messages = request, response
    call.version, call.signature = spec.version.value, spec.signature_name
