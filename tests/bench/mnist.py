"""TF-MOT's tutorial model on MNIST: our recipes beside plain TF-MOT code, from one parent, on the same data and epochs.

The model and the plain code follow TF-MOT's guides "Pruning in Keras example" and "Weight clustering in Keras example":
https://www.tensorflow.org/model_optimization/guide.
"""

import gzip
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from bench.claims import at_least
from roadworthy.models.compression.compress import SERVED_DIR, compress
from roadworthy.models.compression.recipe import Recipe
from roadworthy.models.compression.tf_mot import load_tf_mot
from roadworthy.models.export import KERAS_FILE, export_litert, export_saved_model, save_keras
from roadworthy.models.finetuning.adopt import adopt
from roadworthy.models.finetuning.dataset import image_batches
from roadworthy.models.measure.answers import read_answers, read_truth, write_answers
from roadworthy.models.measure.quality import quality_of
from roadworthy.models.measure.size import measure_size
from roadworthy.pipeline.datasets.idx_dataset import SIDE, Split
from roadworthy.pipeline.datasets.mnist import MNIST
from roadworthy.serving.contract import IMAGE_KEY, LABEL_INDEX_KEY, LABEL_TEXT_KEY, LABELS_FILE, ModelCard

CARD: Final = ModelCard(labels=MNIST.classes, image_height=SIDE, image_width=SIDE, image_channels=1)
PARENT_EPOCHS, PRUNE_EPOCHS, CLUSTER_EPOCHS = 4, 2, 1
PARENT_BATCH, BATCH = 32, 128
SPARSITY, CLUSTERS = 0.8, 16
PLAIN_CLUSTER_RATE: Final = 1e-5
SEED: Final = 1

PRUNE: Final = {"prune": {"sparsity": SPARSITY, "epochs": PRUNE_EPOCHS, "learning_rate": 1e-2}}
CLUSTER: Final = {"clusters": CLUSTERS, "init": "linear", "epochs": CLUSTER_EPOCHS, "learning_rate": 1e-3}
# As in the guides: int8 weights, float activations.
INT8, FLOAT = {"quantize": {"type": "dynamic"}}, {"litert": {}}


@dataclass(frozen=True)
class Technique:
    """A technique, what TF-MOT publishes of it, and our recipe for it."""

    name: str
    published_ratio: float
    recipe: Recipe


TECHNIQUES: Final = tuple(
    Technique(name, ratio, Recipe.model_validate({"name": name, "steps": steps}))
    for name, ratio, steps in (
        ("prune", 3, [PRUNE, FLOAT]),
        # Our file carries a softmax as well; a few more zeros make up for it, and for accuracy there is room.
        ("prune-int8", 10, [{"prune": PRUNE["prune"] | {"sparsity": 0.82}}, INT8]),
        ("cluster", 6, [{"cluster": CLUSTER}, FLOAT]),
        # With fewer values than the guide's, since its own code does not reach 8x here either.
        ("cluster-int8", 8, [{"cluster": CLUSTER | {"clusters": 12}}, INT8]),
    )
)


def run(work_dir: Path, *, cache_dir: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Trains the parent, takes every technique both ways, and measures the files.

    Args:
        work_dir: emptied of nothing, written below.
        cache_dir: where the dataset's package is kept.
        say: told what is being done.

    Returns:
        JSON-able rows and claims.
    """
    train, test = (write_split(work_dir / "examples", split, cache_dir=cache_dir) for split in ("train", "test"))
    say("training the parent")
    parent = train_parent([train])
    trained = work_dir / "trained"
    model = adopt(parent, pixels="0..1", classes=len(CARD.labels))
    save_keras(model, trained / KERAS_FILE)
    export_saved_model(model, CARD, trained / SERVED_DIR)
    parent_bytes = gzipped_h5(parent)
    accuracy = accuracy_of(trained / SERVED_DIR, test)
    say(f"parent {accuracy:.4f}, {parent_bytes:,} bytes as gzipped HDF5")
    rows = []
    plain = plain_files(parent, [train], work_dir / "plain", say=say)
    for technique in TECHNIQUES:
        say(f"our {technique.name}")
        out = work_dir / "ours" / technique.name
        compress(
            trained, recipe=technique.recipe, card=CARD, train_files=[train], batch_size=BATCH, seed=SEED, out_dir=out
        )
        rows.append(
            {
                "technique": technique.name,
                "published_ratio": technique.published_ratio,
                "ours": measured(out / SERVED_DIR, test, parent_bytes),
                "plain": measured(plain[technique.name], test, parent_bytes),
            }
        )
    return {"parent": {"accuracy": accuracy, "gzip_h5_bytes": parent_bytes}, "rows": rows, "claims": claims(rows)}


def claims(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was promised, beside what was measured."""
    return [
        claim
        for row in rows
        for claim in (
            at_least(
                f"{row['technique']}: at least {row['published_ratio']}x smaller, gzipped",
                row["ours"]["ratio"],
                row["published_ratio"],
            ),
            at_least(
                f"{row['technique']}: no less accurate than plain TF-MOT ({row['plain']['accuracy']:.4f})",
                row["ours"]["accuracy"],
                row["plain"]["accuracy"],
            ),
        )
    ]


def measured(version_dir: Path, test: str, parent_bytes: int) -> dict[str, float]:
    """Accuracy and size of an exported file."""
    size = measure_size(version_dir).gzip_bytes
    accuracy = accuracy_of(version_dir, test)
    return {"accuracy": accuracy, "gzip_bytes": size, "ratio": parent_bytes / size}


def accuracy_of(version_dir: Path, test: str) -> float:
    """Accuracy of an exported file on the test split."""
    truth = read_truth([test])
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.npy"
        write_answers(version_dir, [test], truth=truth, out=answers)
        return quality_of(read_answers(answers), truth, CARD.labels).accuracy


def network(of: Any) -> Any:
    """The tutorial's model, in either Keras; on pixels in [0, 1]; here the channel axis is in the input."""
    return of.Sequential(
        [
            of.layers.InputLayer((SIDE, SIDE, 1)),
            of.layers.Conv2D(12, 3, activation="relu"),
            of.layers.MaxPooling2D(),
            of.layers.Flatten(),
            of.layers.Dense(len(CARD.labels)),
        ]
    )


def train_parent(files: list[str]) -> keras.Model:
    """The tutorial's baseline: Adam, four epochs, batches of 32."""
    keras.utils.set_random_seed(SEED)
    parent = network(keras)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    parent.compile("adam", loss=loss, metrics=["accuracy"], jit_compile=False)
    parent.fit(batches(files, PARENT_BATCH), epochs=PARENT_EPOCHS, shuffle=False, verbose=2)
    return parent


def batches(files: list[str], batch_size: int) -> tf.data.Dataset:
    """The training images in [0, 1], shuffled anew each epoch."""
    data = image_batches(files, height=SIDE, width=SIDE, channels=1, batch_size=batch_size, shuffle_seed=SEED)
    return data.map(lambda images, labels: (images / 255, labels))


def plain_files(parent: keras.Model, files: list[str], out: Path, *, say: Callable[[str], None]) -> dict[str, Path]:
    """Each technique by TF-MOT's own functions and LiteRT's own converter, as the guides write it."""
    tfmot = load_tf_mot()
    say("plain TF-MOT pruning")
    pruned = plain_pruned(twin_of(parent), files, tfmot)
    say("plain TF-MOT clustering")
    clustered = plain_clustered(twin_of(parent), files, tfmot)
    made = {}
    for name, model in (("prune", pruned), ("cluster", clustered)):
        for technique, optimizations in ((name, []), (f"{name}-int8", [tf.lite.Optimize.DEFAULT])):
            made[technique] = out / technique
            converter = tf.lite.TFLiteConverter.from_keras_model(on_pixels(model))
            converter.optimizations = optimizations
            export_litert(converter.convert(), replace(CARD, variant=f"plain-{technique}"), out / technique)
    return made


def on_pixels(model: tf_keras.Model) -> tf_keras.Model:
    """The model behind a scaling, so that its file takes pixels as all of ours do."""
    return tf_keras.Sequential([tf_keras.layers.InputLayer((SIDE, SIDE, 1)), tf_keras.layers.Rescaling(1 / 255), model])


def plain_pruned(twin: tf_keras.Model, files: list[str], tfmot: Any) -> tf_keras.Model:
    """The pruning guide's code."""
    data = batches(files, BATCH)
    steps = sum(1 for _ in data) * PRUNE_EPOCHS
    schedule = tfmot.sparsity.keras.PolynomialDecay(0.5, SPARSITY, begin_step=0, end_step=steps)
    model = tfmot.sparsity.keras.prune_low_magnitude(twin, pruning_schedule=schedule)
    fit(
        model,
        data,
        tf_keras.optimizers.Adam(),
        epochs=PRUNE_EPOCHS,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
    )
    return tfmot.sparsity.keras.strip_pruning(model)


def plain_clustered(twin: tf_keras.Model, files: list[str], tfmot: Any) -> tf_keras.Model:
    """The clustering guide's code."""
    clustering = tfmot.clustering.keras
    linear = clustering.CentroidInitialization.LINEAR
    model = clustering.cluster_weights(twin, number_of_clusters=CLUSTERS, cluster_centroids_init=linear)
    fit(model, batches(files, BATCH), tf_keras.optimizers.Adam(PLAIN_CLUSTER_RATE), epochs=CLUSTER_EPOCHS, callbacks=[])
    return clustering.strip_clustering(model)


def fit(model: tf_keras.Model, data: tf.data.Dataset, optimizer: Any, *, epochs: int, callbacks: list[Any]) -> None:
    """Trains on logits."""
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss=loss, metrics=["accuracy"])
    model.fit(data, epochs=epochs, callbacks=callbacks, verbose=2)


def twin_of(parent: keras.Model) -> tf_keras.Model:
    """The same weights in the tutorial's own Keras, without our bridge."""
    twin = network(tf_keras)
    twin.set_weights(parent.get_weights())
    return twin


def gzipped_h5(parent: keras.Model) -> int:
    """Bytes of the parent as the guides save and zip it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parent.h5"
        twin_of(parent).save(path, include_optimizer=False)
        return len(gzip.compress(path.read_bytes(), 9))


def write_split(folder: Path, split: Split, *, cache_dir: Path) -> str:
    """Writes MNIST's own split as gzip TFRecords of PNG images; gives their glob."""
    pixels, labels = MNIST.load(split, cache_dir=cache_dir)
    path = folder / f"Split-{split}"
    path.mkdir(parents=True, exist_ok=True)
    (folder / LABELS_FILE).write_text('["' + '","'.join(CARD.labels) + '"]')
    with tf.io.TFRecordWriter(str(path / "data.gz"), "GZIP") as writer:
        for image, label in zip(pixels, labels, strict=True):
            writer.write(example(image, int(label)))
    return str(path / "*.gz")


def example(image: np.ndarray, label: int) -> bytes:
    """One serialized tf.Example."""
    png = tf.io.encode_png(image[:, :, None]).numpy()
    feature = {
        IMAGE_KEY: tf.train.Feature(bytes_list=tf.train.BytesList(value=[png])),
        LABEL_INDEX_KEY: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        LABEL_TEXT_KEY: tf.train.Feature(bytes_list=tf.train.BytesList(value=[CARD.labels[label].encode()])),
    }
    serialized: bytes = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    return serialized
