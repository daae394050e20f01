"""What both transports do with a Predict request once it is parsed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from roadworthy.serving.contract import EXAMPLES_SIGNATURE
from roadworthy.serving.servables.base import Servable, Signature
from roadworthy.serving.server.burst import Steps
from roadworthy.serving.server.observe import Call
from roadworthy.serving.server.served import Served
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import TensorError


@dataclass(frozen=True)
class Answer:
    """The outputs of a request, and what in the end answered it."""

    version: int
    signature: str
    outputs: Mapping[str, np.ndarray]


def answer(
    served: Served,
    *,
    spec: Any,
    read_inputs: Callable[[Signature], Mapping[str, np.ndarray]],
    output_filter: Iterable[str] = (),
    no_signature: str = 'Serving signature key "{}" not found.',
    call: Call,
) -> Steps[Answer]:
    """Asks one version of a model, in three steps: the inputs are read, the model runs, and whoever asks goes on.

    Args:
        served: what is served.
        spec: the `ModelSpec`; without a signature's name it is `serving_default`.
        read_inputs: gives the request's inputs, once the signature they are for is known.
        output_filter: names of the outputs wanted; empty is all.
        no_signature: how the transport says that there is no signature of that name.
        call: is told which version and signature answered, and what they took and gave.

    Returns:
        The steps to the answer.

    Raises:
        RequestError: the request can't be answered; carries the code.
    """
    name = spec.signature_name or EXAMPLES_SIGNATURE
    with served.use_spec(spec) as (number, servable):
        if name not in servable.signatures:
            raise RequestError(no_signature.format(name), code="FAILED_PRECONDITION")
        found = servable.signatures[name]
        wanted = _wanted_outputs(found, output_filter)
        call.version, call.signature = number, name
        try:
            call.inputs = read_inputs(found)
            yield
            call.outputs = run_timed(servable, name, call.inputs, wanted, call)
        except TensorError as error:
            raise RequestError(str(error)) from error
    yield
    return Answer(number, name, call.outputs)


def run_timed(
    servable: Servable, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str], call: Call
) -> dict[str, np.ndarray]:
    """`Servable.predict`, whose time is added to the call's where it succeeds."""
    started = perf_counter()
    answered = servable.predict(signature, inputs, outputs)
    call.model_seconds += perf_counter() - started
    return answered


def _wanted_outputs(signature: Signature, output_filter: Iterable[str]) -> list[str]:
    wanted = list(output_filter)
    for place, name in enumerate(wanted):
        if name in wanted[:place]:
            raise RequestError(f"duplicate output tensor alias: {name}")
        if name not in signature.outputs:
            raise RequestError(
                f"output tensor alias not found in signature: {name} "
                f"Outputs expected to be in the set {{{','.join(sorted(signature.outputs))}}}."
            )
    return wanted or list(signature.outputs)
