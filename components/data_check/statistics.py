"""What TFX's own StatisticsGen and SchemaGen have to be told about examples of images."""

from typing import Final

from tensorflow_data_validation import StatsOptions
from tensorflow_metadata.proto.v0 import schema_pb2

from roadworthy.serving.contract import HEIGHT_KEY, LABEL_INDEX_KEY, LABEL_TEXT_KEY, WIDTH_KEY

# A schema inferred from every split fits every split, and then nothing could ever be an anomaly.
SPLITS_WITHOUT_SCHEMA: Final = ("val", "test")
_FEATURES: Final = {
    LABEL_INDEX_KEY: schema_pb2.INT,
    LABEL_TEXT_KEY: schema_pb2.BYTES,
    HEIGHT_KEY: schema_pb2.INT,
    WIDTH_KEY: schema_pb2.INT,
}


def image_statistics() -> StatsOptions:
    """Options for `StatisticsGen(stats_options=...)`: statistics of labels and sizes, and nothing else.

    The statistics of a bytes feature hold its values, which would be whole images. File names differ by nature, and a
    format that only the test split has would be an anomaly though the model reads it just as well.

    A list of features would leave the others out once they are read; a schema, of which StatisticsGen takes nothing
    else, leaves them where they are.
    """
    schema = schema_pb2.Schema()
    for key, kind in _FEATURES.items():
        schema.feature.add(name=key, type=kind)
    return StatsOptions(schema=schema, experimental_filter_read_paths=True)
