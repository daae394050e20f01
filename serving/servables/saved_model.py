"""SavedModels on TensorFlow's runtime, which is imported when the first one is opened."""

import importlib
import importlib.util
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from roadworthy.serving.contract import CARD_PATH, IMAGE_SIGNATURE, ModelCard
from roadworthy.serving.errors import ServeError
from roadworthy.serving.images import DEFAULT_LIMITS, ImageLimits
from roadworthy.serving.servables.base import Signature, TensorSpec, check_inputs, find_signature
from roadworthy.serving.servables.batching.graph import batched_outputs, can_be_batched
from roadworthy.serving.servables.batching.parameters import Batching
from roadworthy.serving.servables.batching.signature import BatchedSignature
from roadworthy.serving.servables.image_requests import INPUT_NAMES, check_headers, decode, encoded_images
from roadworthy.serving.servables.pixel_room import PixelRoom
from roadworthy.serving.servables.tensorflow_errors import first_line, refused
from roadworthy.serving.servables.tensorflow_import import import_tensorflow
from roadworthy.serving.servables.tensorflow_threads import TENSORFLOW_S_CHOICE, TensorFlowThreads
from roadworthy.serving.status import RequestError

# The tag of the graph that is for serving, and the signature that only initialises it.
_SERVE: Final = "serve"
_INIT: Final = "__saved_model_init_op"
_UNKNOWN_OP: Final = "Op type not registered"
_TEXT_OPS: Final = "tensorflow_text"
# RunOptions.inter_op_thread_pool: the calling thread runs the graph, so that no call waits for another thread to wake;
# or the session's threads do, which a batch is shared out to.
_IN_CALLER_THREAD: Final = -1
_IN_SESSION_THREADS: Final = 0


class SavedModelServable:
    """A SavedModel and the signatures it was saved with; a `Servable`.

    A signature runs as a callable of one TensorFlow session: several times less work a call than a concrete function,
    and, as in TF Serving, shapes are left for the graph to judge.
    """

    def __init__(
        self,
        version_dir: Path,
        *,
        threads: TensorFlowThreads = TENSORFLOW_S_CHOICE,
        batching: Batching | None = None,
        limits: ImageLimits = DEFAULT_LIMITS,
    ) -> None:
        """Loads the model.

        Args:
            version_dir: folder with `saved_model.pb`.
            threads: those of the process, the same for all its models.
            batching: how requests that come at once are answered together; None answers each on its own.
            limits: the largest images to decode.

        Raises:
            ServeError: the model can't be loaded, there is no TensorFlow, or it already runs with another number of
                threads.
        """
        self._tf = import_tensorflow()
        threads.settle(self._tf)
        self._limits, self._room = limits, PixelRoom(limits.request_pixels)
        self.card = ModelCard.read(version_dir) if (version_dir / CARD_PATH).exists() else None
        try:
            self._session, loaded = _load(self._tf, version_dir)
        except Exception as error:
            raise _no_saved_model(version_dir, error) from error
        try:
            self._signatures = {
                name: self._signature(info) for name, info in loaded.signature_def.items() if name != _INIT
            }
            self._batched = {} if batching is None else self._batch(batching)
        except Exception as error:
            self._session.close()
            raise _no_saved_model(version_dir, error) from error
        self._calls: dict[tuple[str, tuple[str, ...]], Callable[..., list[Any]]] = {}
        self._calls_lock = threading.Lock()
        # TensorFlow optimises the graph for each callable; a version's first requests must not wait for that.
        for name in self._signatures.keys() - self._batched.keys():
            # One that can't run is told to whoever asks for it.
            with suppress(self._tf.errors.OpError):
                self._call(name, tuple(self._signatures[name].outputs))

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The model's signatures by name."""
        return self._signatures

    @property
    def at_once(self) -> None:
        """As many requests as come; TensorFlow shares the cores among them."""
        return None

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Answers one request; see `Servable.predict`."""
        found = find_signature(self._signatures, signature)
        check_inputs(found, inputs)
        wanted = tuple(found.outputs if outputs is None else outputs)
        images = self._images(signature, inputs)
        if not images:
            return self._answer(signature, found, inputs, wanted)
        # TensorFlow's decoder knows no bounds, so headers are checked and memory is shared out before it sees a byte.
        with self._room.hold(check_headers(images, self._limits)):
            try:
                return self._answer(signature, found, inputs, wanted)
            except RequestError as error:
                if error.code == "UNAVAILABLE":
                    raise
                # Which image it was and why is not in TensorFlow's message; decoding them again here tells.
                for index, image in enumerate(images):
                    decode(image, index=index, limits=self._limits)
                raise

    def close(self) -> None:
        """Closes the session, so that TensorFlow frees its variables."""
        self._calls, self._batched = {}, {}
        self._session.close()

    def batch_sizes(self, signature: str) -> Sequence[int]:
        """The sizes that batches of a signature are padded to; see `Servable.batch_sizes`."""
        return self._batched[signature].sizes if signature in self._batched else ()

    def _call(self, name: str, wanted: tuple[str, ...]) -> Callable[..., list[Any]]:
        """The session's callable from a signature's inputs, in their order, to the outputs wanted."""
        if (name, wanted) not in self._calls:
            with self._calls_lock:
                # Of requests that come at once, one makes it and the others wait.
                if (name, wanted) not in self._calls:
                    outputs = self._signatures[name].outputs
                    fetched = [outputs[output].tensor for output in wanted]
                    self._calls[(name, wanted)] = self._callable(self._signatures[name], fetched, _IN_CALLER_THREAD)
        return self._calls[(name, wanted)]

    def _batch(self, batching: Batching) -> dict[str, BatchedSignature]:
        """Batched twins of the signatures that can have one."""
        twins = {
            name: batched_outputs(self._session.graph, name, signature, batching)
            for name, signature in self._signatures.items()
            if can_be_batched(signature)
        }
        return {
            name: BatchedSignature(
                self._callable(self._signatures[name], [tensor.name for tensor in twin], _IN_SESSION_THREADS),
                self._signatures[name],
                batching,
            )
            for name, twin in twins.items()
        }

    def _callable(self, signature: Signature, fetched: Sequence[str], run_by: int) -> Callable[..., list[Any]]:
        """The session's callable from a signature's inputs, in their order, to tensors by name."""
        options = _callable_options()
        options.feed.extend(spec.tensor for spec in signature.inputs.values())
        options.fetch.extend(fetched)
        options.run_options.inter_op_thread_pool = run_by
        made: Callable[..., list[Any]] = self._session._make_callable_from_options(options)
        return made

    def _signature(self, info: Any) -> Signature:
        return Signature(
            {name: self._spec(name, tensor) for name, tensor in info.inputs.items()},
            {name: self._spec(name, tensor) for name, tensor in info.outputs.items()},
            info.method_name,
        )

    def _spec(self, name: str, tensor: Any) -> TensorSpec:
        shape = self._tf.TensorShape(tensor.tensor_shape)
        sizes = None if shape.rank is None else tuple(shape.as_list())
        return TensorSpec(name, self._tf.dtypes.as_dtype(tensor.dtype).name, sizes, tensor.name)

    def _answer(
        self, name: str, signature: Signature, inputs: Mapping[str, np.ndarray], wanted: tuple[str, ...]
    ) -> dict[str, np.ndarray]:
        arrays = [inputs[key] for key in signature.inputs]
        if name in self._batched and (together := self._batched[name].answer(arrays)) is not None:
            return {output: together[output] for output in wanted}
        try:
            return dict(zip(wanted, map(_array, self._call(name, wanted)(*arrays)), strict=True))
        except self._tf.errors.OpError as error:
            raise refused(error) from error
        except (TypeError, ValueError) as error:
            raise RequestError(first_line(error)) from error

    def _images(self, signature: str, inputs: Mapping[str, np.ndarray]) -> list[bytes]:
        """The encoded images of a request, where the signature is one that takes them."""
        ours = self.card is not None or signature == IMAGE_SIGNATURE
        return encoded_images(signature, inputs) if ours and INPUT_NAMES.get(signature) in inputs else []


def _load(tf: Any, version_dir: Path) -> tuple[Any, Any]:
    """A session of the model's graph, and its MetaGraphDef."""
    try:
        return _session_of(tf, version_dir)
    except Exception as error:
        if _UNKNOWN_OP not in str(error) or importlib.util.find_spec(_TEXT_OPS) is None:
            raise
    # Of the ops that aren't TensorFlow's own, TF Serving has these built in; few models need them.
    importlib.import_module(_TEXT_OPS)
    return _session_of(tf, version_dir)


def _session_of(tf: Any, version_dir: Path) -> tuple[Any, Any]:
    v1, threading = tf.compat.v1, tf.config.threading
    config = v1.ConfigProto(
        intra_op_parallelism_threads=threading.get_intra_op_parallelism_threads(),
        inter_op_parallelism_threads=threading.get_inter_op_parallelism_threads(),
    )
    session = v1.Session(graph=tf.Graph(), config=config)
    try:
        with session.graph.as_default():
            return session, v1.saved_model.loader.load(session, [_SERVE], str(version_dir))
    except BaseException:
        session.close()
        raise


def _no_saved_model(version_dir: Path, error: Exception) -> ServeError:
    received = first_line(error)
    hint = " Ops of TensorFlow Text need: pip install tensorflow-text." if _UNKNOWN_OP in received else ""
    return ServeError(f"{version_dir} must be a SavedModel that TensorFlow can run. Received: {received}{hint}")


def _callable_options() -> Any:
    from tensorflow.core.protobuf.config_pb2 import CallableOptions

    return CallableOptions()


def _array(value: Any) -> np.ndarray:
    """TensorFlow gives a string scalar as bytes, everything else as an array."""
    return np.array(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)
