"""Puts a signature's computation behind TensorFlow's batch scheduler, in the graph of the session that has the model.

`BatchFunction` gathers the inputs of calls that run at once, runs a function on them as one, and hands each call its
rows of what came out. The function is made of the graph's own operations between the signature's inputs and outputs.
"""

from collections.abc import Sequence
from typing import Any, Final

from roadworthy.serving.servables.base import Signature
from roadworthy.serving.servables.batching.padding import pack_rows, unpack_rows
from roadworthy.serving.servables.batching.parameters import Batching

# One scheduler, and so one pool of threads, for all signatures of a version.
_SCHEDULER: Final = "roadworthy_batches"
_REF: Final = "_ref"


def can_be_batched(signature: Signature) -> bool:
    """Whether each input and output has rows, any number of them.

    A signature with a scalar or a fixed first dimension says that its answer doesn't belong to rows of the request.
    """
    tensors = [*signature.inputs.values(), *signature.outputs.values()]
    return bool(signature.inputs) and all(
        spec.shape is None or (len(spec.shape) > 0 and spec.shape[0] is None) for spec in tensors
    )


def batched_outputs(graph: Any, name: str, signature: Signature, batching: Batching) -> list[Any]:
    """Adds a signature's batched twin to a graph.

    Args:
        graph: the graph that holds the model.
        name: the signature's, and so its queue's.
        signature: one that `can_be_batched`.
        batching: how.

    Returns:
        The signature's outputs, in its order, as tensors that depend on the signature's own inputs.
    """
    import tensorflow as tf

    inputs = [graph.get_tensor_by_name(spec.tensor) for spec in signature.inputs.values()]
    outputs = [graph.get_tensor_by_name(spec.tensor) for spec in signature.outputs.values()]
    padded = batching.pad_variable_length_inputs and any(has_variable_length(tensor) for tensor in inputs)
    with graph.as_default():
        rows = [packed for tensor in inputs for packed in pack_rows(tensor)] if padded else inputs
        computation = _function(inputs, outputs, rows, padded=padded)
        return list(
            tf.raw_ops.BatchFunction(
                in_tensors=rows,
                captured_tensors=computation.captured_inputs,
                f=computation,
                Tout=[tensor.dtype for tensor in outputs],
                num_batch_threads=batching.threads,
                max_batch_size=batching.max_batch_size,
                batch_timeout_micros=batching.timeout_us,
                max_enqueued_batches=batching.max_enqueued_batches,
                allowed_batch_sizes=_allowed(batching),
                enable_large_batch_splitting=batching.split_large,
                shared_name=_SCHEDULER,
                batching_queue=name,
            )
        )


def has_variable_length(tensor: Any) -> bool:
    """Whether rows of a tensor may differ in shape; its rank must be known for them to be padded."""
    return tensor.shape.rank is not None and None in tensor.shape.as_list()[1:]


def _allowed(batching: Batching) -> list[int]:
    """The largest allowed size is what the scheduler splits by; all sizes up to it are as good as no padding."""
    if batching.allowed_batch_sizes or batching.largest_batch == batching.max_batch_size:
        return list(batching.allowed_batch_sizes)
    return list(range(1, batching.largest_batch + 1))


def _function(inputs: Sequence[Any], outputs: Sequence[Any], rows: Sequence[Any], *, padded: bool) -> Any:
    """The computation as a concrete function of the rows of a batch."""
    import tensorflow as tf

    part, captured = _between(inputs, outputs)

    def compute(*batch: Any) -> Any:
        fed = unpack_rows(batch, inputs) if padded else batch
        here = tf.compat.v1.get_default_graph()
        mapped = {tensor.name: value for tensor, value in zip(inputs, fed, strict=True)}
        mapped |= {name: here.capture(tensor) for name, tensor in captured.items()}
        return tf.graph_util.import_graph_def(
            part, input_map=mapped, return_elements=[tensor.name for tensor in outputs], name=""
        )

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in rows]
    return tf.function(compute, input_signature=specs, autograph=False).get_concrete_function()


def _between(inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
    """The operations between inputs and outputs, and the variables and tables that they use, by tensor name.

    Those stay where they are: a copy would be another variable.
    """
    import tensorflow as tf

    part = tf.compat.v1.GraphDef()
    captured: dict[str, Any] = {}
    seen = {tensor.op for tensor in inputs}
    waiting = [tensor.op for tensor in outputs if tensor.op not in seen]
    while waiting:
        operation = waiting.pop()
        if operation in seen:
            continue
        seen.add(operation)
        node = part.node.add()
        node.CopyFrom(operation.node_def)
        # Where an operation would run beside another one that stays behind.
        node.attr.pop("_class", None)
        for tensor in operation.inputs:
            if tensor.dtype == tf.resource:
                captured[tensor.name] = tensor
            elif tensor.dtype.name.endswith(_REF):
                # A variable of TensorFlow 1 can't be handed on, its value can.
                captured[tensor.name] = tf.identity(tensor)
            else:
                waiting.append(tensor.op)
        waiting += operation.control_inputs
    return part, captured
