"""Distillation by Keras 3's Distiller: a student learns from the trained model's answers and from the labels."""

import dataclasses
import sys
from typing import Any, Final

import keras

from roadworthy.models.bridge.graph import leaves, run
from roadworthy.models.classifier import build_classifier
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.rebuild import behind
from roadworthy.models.compression.recipe import Distill
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.models.compression.tuning import settle
from roadworthy.models.config import ModelSettings
from roadworthy.serving.contract import ModelCard
from roadworthy.serving.errors import ModelError

# Above the smallest float32, below any score that matters: it keeps the logarithm of a saturated softmax finite.
_LEAST_SCORE: Final = 1e-30
_FEATURES: Final = "distilled_features"


def distill(model: keras.Model, settings: Distill, bench: Bench) -> Made:
    """Trains a student to answer as the teacher does; with `label_weight`, and as the labels say.

    Args:
        model: the recipe's model so far; it is the student if the settings name none.
        settings: student, temperature, weights, epochs and learning rate.
        bench: the training split, the card and the teacher.

    Returns:
        The trained student, which takes images of its own size.

    Raises:
        ConfigError: the student's backbone is unknown.
        WeightsError: the student's weights can't be read.
        ModelError: features are asked for of a model that has none, see `with_features`; or the model can't take
            images of the size that the settings ask for.
        DataError: the training split is empty.

    References:
        Hinton, Vinyals and Dean 2015, https://arxiv.org/abs/1503.02531.
        Tung and Mori 2019, "Similarity-Preserving Knowledge Distillation", https://arxiv.org/abs/1907.09682.
    """
    teacher, student = bench.teacher(), _student(model, settings, bench.card)
    student.trainable = True
    height, width = (max(sides) for sides in zip(teacher.input_shape[1:3], student.input_shape[1:3], strict=True))
    images = dataclasses.replace(bench.images, height=height, width=width)
    taught = _seeing(student, height, width)
    distiller = _distiller(_seeing(teacher, height, width), taught, settings)
    _fit(distiller, settings, images)
    if taught is not student:
        student.set_weights(taught.get_weights())
    settle(student, dataclasses.replace(images, height=student.input_shape[1], width=student.input_shape[2]))
    return Made(student, notes=(_sizes(teacher, student),))


def build_student(settings: ModelSettings, card: ModelCard) -> keras.Model:
    """Builds a classifier for the card's labels on images of the settings' size and the card's channels.

    Raises:
        ConfigError: the backbone is unknown, or can't take images this small.
        WeightsError: its weights are missing, damaged or not the pinned ones.
    """
    student = build_classifier(settings, classes=len(card.labels))
    *size, channels = student.input_shape[1:]
    if channels == card.image_channels:
        return student
    grey = keras.layers.Concatenate(name="student_channels")
    return behind(student, lambda image: grey([image] * channels), image_shape=(*size, card.image_channels))


def resized(model: keras.Model, height: int) -> keras.Model:
    """The same network with the same weights on images of another height; the width keeps its proportion.

    Raises:
        ModelError: the network's weights depend on the size of its images.
    """
    _, rows, columns, channels = model.input_shape
    if height == rows:
        return model
    return behind(model, lambda image: image, image_shape=(height, round(columns * height / rows), channels))


def _student(model: keras.Model, settings: Distill, card: ModelCard) -> keras.Model:
    if settings.student is not None:
        return build_student(settings.student, card)
    return model if settings.image_size is None else resized(model, settings.image_size)


def _seeing(model: keras.Model, height: int, width: int) -> keras.Model:
    """The model itself if its images have that size, else a copy that makes them smaller, as a served model's do."""
    *size, channels = model.input_shape[1:]
    if size == [height, width]:
        return model
    resizing = keras.layers.Resizing(*size, antialias=True, name="resized_image")
    return behind(model, resizing, image_shape=(height, width, channels))


def _distiller(teacher: keras.Model, student: keras.Model, settings: Distill) -> keras.distillation.Distiller:
    # By its name, which is the default, Keras 3.15 takes the divergence of the logits themselves: always 0.
    divergence = keras.losses.KLDivergence()
    losses = [keras.distillation.LogitsDistillation(temperature=settings.temperature, loss=divergence)]
    weights = [1.0]
    if settings.feature_weight:
        teacher, student = with_features(teacher), with_features(student)
        losses.append(
            keras.distillation.FeatureDistillation(
                loss=similarity_difference, teacher_layer_name=_FEATURES, student_layer_name=_FEATURES
            )
        )
        weights.append(settings.feature_weight)
    return keras.distillation.Distiller(
        teacher=with_logits(teacher),
        student=with_logits(student),
        distillation_losses=losses,
        distillation_loss_weights=weights,
        student_loss_weight=settings.label_weight,
    )


def with_features(model: keras.Model) -> keras.Model:
    """The same layers, with a mark on what the last one that has weights sees; models nested in it are opened.

    Raises:
        ModelError: no layer has weights, or the last one that has sees several tensors, or is called several times, or
            layers of nested models have the same name.
    """
    head = next((leaf for leaf in reversed(leaves(model).values()) if getattr(leaf, "weights", None)), None)
    mark = keras.layers.Identity(name=_FEATURES)
    seen: list[Any] = []

    def apply(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        if operation is head:
            seen.append(args[0])
            args = (mark(args[0]), *args[1:])
        return operation(*args, **kwargs)

    try:
        opened = keras.Model(model.inputs[0], run(model, model.inputs[0], apply=apply), name=model.name)
        if len(seen) == 1 and isinstance(seen[0], keras.KerasTensor):
            return opened
        why = f"one that is called {len(seen)} times" if len(seen) > 1 else "none" if not seen else "one that sees more"
    except ValueError as error:
        why = str(error).split("\n", 1)[0]
    raise ModelError(
        f"A model whose features are distilled must have a last layer with weights that sees one tensor once. "
        f"Received: {why} in {model.name!r}. Set feature_weight to 0."
    )


def with_logits(model: keras.Model) -> keras.Model:
    """The same layers, with the logarithm of the scores as output: logits, up to a constant that softmax ignores."""
    scores = keras.ops.maximum(model.outputs[0], _LEAST_SCORE)
    return keras.Model(model.inputs[0], keras.ops.log(scores), name=f"{model.name}_logits")


def similarity_difference(teacher: Any, student: Any) -> Any:
    """How differently two models see which images of a batch are alike; their features may differ in width.

    Args:
        teacher: float32 [batch, …] features.
        student: float32 [batch, …] features of the same images.

    Returns:
        The squared Frobenius distance of the two row-normalised Gram matrices over batch squared, a scalar.
    """
    difference = _similarities(teacher) - _similarities(student)
    return keras.ops.mean(keras.ops.square(difference))


def _similarities(features: Any) -> Any:
    rows = keras.ops.reshape(features, (keras.ops.shape(features)[0], -1))
    return keras.ops.normalize(keras.ops.matmul(rows, keras.ops.transpose(rows)), axis=1)


def _fit(distiller: keras.distillation.Distiller, settings: Distill, images: TrainingImages) -> None:
    steps = images.steps()
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=steps * settings.epochs)
    distiller.compile(
        keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["sparse_categorical_accuracy"],
        jit_compile=False,
    )
    distiller.fit(
        images.augmented(),
        steps_per_epoch=steps,
        epochs=settings.epochs,
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 2,
    )


def _sizes(teacher: keras.Model, student: keras.Model) -> str:
    return f"A student of {student.count_params():,} parameters learned from {teacher.count_params():,}."
