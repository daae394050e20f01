from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving.server.model_config import Logging, ModelConfig
from roadworthy.serving.server.version import State
from roadworthy.serving.server.workers.table import Table

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
NUMBERS = st.integers(0, 2**63 - 1)
PATHS = TEXTS.map(lambda text: Path("/models") / text)
CONFIGS = st.builds(
    ModelConfig,
    name=TEXTS,
    base_path=PATHS,
    labels=st.dictionaries(TEXTS, NUMBERS, max_size=3),
    logging=st.none() | st.builds(Logging, PATHS, st.floats(0.001, 1)),
)
TOLD = st.lists(st.tuples(NUMBERS, st.sampled_from(State), st.none() | TEXTS), max_size=3)


@given(
    st.lists(CONFIGS, unique_by=lambda config: config.name, max_size=3), st.dictionaries(TEXTS, TOLD, max_size=3)
)  # fmt: skip
def test_a_table_is_the_same_in_another_process(configs, versions):
    table = Table({config.name: config for config in configs}, versions)
    assert Table.of_plain(orjson.loads(orjson.dumps(table.plain()))) == table
