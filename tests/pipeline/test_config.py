import json
import re
import subprocess
import sys
import textwrap
import traceback
from datetime import date
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.pipeline.config import RunConfig, json_schema, load_config
from roadworthy.serving.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = """
name: shop
output: out
data: {path: photos}
push: {model_root: served}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(textwrap.dedent(text))
    return path


def fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    return str(caught.value)


def test_a_minimal_config_gets_its_defaults_and_absolute_paths(tmp_path):
    config = load_config(write(tmp_path, MINIMAL))

    assert config.data.path == tmp_path / "photos"
    assert config.push.model_root == tmp_path / "served"
    assert [recipe.name for recipe in config.compress.recipes] == ["int8", "pruned-int8"]


@pytest.mark.parametrize("key", ["data: {path", "push: {model_root"])
def test_a_bucket_is_no_path_of_this_machine(tmp_path, key):
    said = fault(tmp_path, MINIMAL.replace(f"{key}: ", f"{key}: gs://shop/"))

    assert "must be a path of this machine. Received: gs://shop/" in said
    assert "section cloud" in said


def test_the_example_is_valid_and_conforms_to_the_schema():
    example = ROOT / "examples" / "fashion.yaml"

    load_config(example)
    jsonschema.validate(yaml.safe_load(example.read_text()), json_schema())


def test_the_committed_schema_is_current():
    assert json.loads((ROOT / "docs" / "config.schema.json").read_text()) == json_schema()


def test_a_config_is_frozen(tmp_path):
    config = load_config(write(tmp_path, MINIMAL))

    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seeed: 3", "run.yaml:6: seeed is not a known key. Did you mean seed?"),
        ("seed: three", "run.yaml:6: seed must be a valid integer"),
        ("seed: -1", "Received: -1."),
        ("model: {backbone: {nmae: x}}", "model.backbone.nmae is not a known key. Did you mean name?"),
        ("model: {backbone: {zzzz: x}}", "Known here: name, weights, weights_sha256."),
        ("gate: {budgets: {max_quality_drop: 5}}", "Did you mean 0.05?"),
        ("compress: {recipes: [{name: q, steps: [{prune: {sparsity: '80'}}]}]}", "Received: '80'. Did you mean 0.8?"),
        ("compress: {recipes: []}", "compress.recipes must have at least 1 item, not 0. Received: []."),
        (
            "train: {head: {epochs: 0}, full: {epochs: 0}}",
            "train must train: head.epochs and full.epochs are both 0.",
        ),
        ("train: {full: {optimizer: {name: lion}}}", "train.full.optimizer.name must be 'adam', 'adamw' or 'sgd'"),
        ("compress: {recipes: []}", "compress.recipes"),
        (
            "compress: {recipes: [{name: a, steps: [{prune: {sparsity: 80}}]}]}",
            "sparsity must be less than 1. Received: 80.",
        ),
        ("compress: {recipes: [{name: a, steps: [{}]}]}", "exactly one of the keys"),
        (
            "compress: {recipes: [{name: a, steps: [{quantize: {}, prune: {sparsity: 0.5}}]}]}",
            "exactly one of the keys",
        ),
        (
            "compress: {recipes: [{name: a, steps: [{quantize: {}}]}, {name: a, steps: [{quantize: {}}]}]}",
            "Named twice: a.",
        ),
        ("compress: {recipes: [{name: a, steps: [{quantize: {}}, {prune: {sparsity: 0.5}}]}]}", "step quantize last"),
        ("data: {path: x}", "run.yaml:6: data must be given once."),
        ("seed: 1\nseed: 2", "run.yaml:7: seed must be given once."),
    ],
)
def test_a_fault_names_line_key_and_what_to_do(tmp_path, line, message):
    assert message in fault(tmp_path, MINIMAL + line)


def test_a_missing_key_is_named(tmp_path):
    assert "name is required" in fault(tmp_path, MINIMAL.replace("name: ", "# name: "))


def test_a_run_need_not_publish(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(MINIMAL.replace("push: {model_root: served}", ""))

    assert load_config(path).push is None


def test_recipes_of_the_same_steps_are_refused(tmp_path):
    twice = "[{name: a, steps: [{quantize: {}}]}, {name: b, steps: [{quantize: {}}]}]"
    assert "must differ in their steps. Received: a and b alike" in fault(
        tmp_path, f"{MINIMAL}compress: {{recipes: {twice}}}\n"
    )


def test_every_fault_is_listed_once(tmp_path):
    message = fault(tmp_path, "nmae: x\ncompress: {recipes: [{name: a, steps: [{prnue: {}}]}]}\n")

    assert len(message.splitlines()) == 5
    assert message.count("prnue") == 1


@pytest.mark.parametrize("text", ["", "[1, 2]", "just text", "a: [", "a: &a [*a]", "\tx: 1", "? [a]\n: 1", "[" * 9999])
def test_what_is_no_config_is_refused_with_the_file_named(tmp_path, text):
    assert "run.yaml" in fault(tmp_path, text)


@pytest.mark.parametrize(
    "value", ["2001-99-99", "9" * 5000, "!!int ''", "!!bool x", "!!timestamp x", "0x_"], ids=lambda value: value[:12]
)
def test_a_value_that_yaml_has_no_object_for_is_refused(tmp_path, value):
    assert "run.yaml:2: must be YAML. Received: a value that is not" in fault(tmp_path, f"output: out\nname: {value}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: SECRET: b", "run.yaml:2:10: must be YAML. Received: mapping values are not allowed here."),
        (
            "a: [1, SECRET\nb: 3",
            "run.yaml:3:2: must be YAML. Received: while parsing a flow sequence, begun in line 2, ",
        ),
        ("token: *SECRET", "run.yaml:2:8: must be YAML. Received: found undefined alias."),
        ("token: !SECRET a", "run.yaml:2:8: must be YAML. Received: could not determine a constructor for the tag."),
        ("token: !SECRET!x a", "found undefined tag handle."),
        ("token: 'SECRET", "found unexpected end of stream."),
        ("token: !!int SECRET", "run.yaml:2: must be YAML. Received: a value that is not what it looks like"),
        ("token: SECRET\x01", "run.yaml must be YAML. Received: a character that YAML does not have."),
        ("cloud: {kubeflow: {host: 'http://k', token_file: [SECRET]}}", "Received: …."),
    ],
)
def test_a_slip_is_told_by_line_and_column_without_the_secret_beside_it(tmp_path, text, said):
    (tmp_path / "run.yaml").write_text(f"name: shop\n{text}\n")

    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "run.yaml")
    assert said in str(caught.value)
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


def test_a_path_of_a_user_who_is_not_there_is_refused(tmp_path):
    assert "data.path must be a path of this machine. Received: ~nobody-here" in fault(
        tmp_path, MINIMAL.replace("photos", "~nobody-here/photos")
    )


def test_a_number_that_no_float_holds_is_refused(tmp_path):
    assert "max_bad_fraction must be a valid number" in fault(
        tmp_path, MINIMAL.replace("{path: photos", f"{{path: photos, max_bad_fraction: {10**400}")
    )


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml must be a readable YAML file"):
        load_config(tmp_path / "absent.yaml")


# What has been a fault, or is one of another kind: a user, a circle, a bucket, a path too long, no path, no number.
ODD = st.sampled_from(["~", "~nobody-here", ".", "gs://a", "a" * 5000, "\0", 10**400, float("nan"), date(2001, 1, 1)])
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | ODD
ANY = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


SECTIONS = {
    "data": st.fixed_dictionaries({"path": LEAF}, optional={"max_bad_fraction": LEAF, "splits": ANY}),
    "push": st.fixed_dictionaries({"model_root": LEAF}),
}


@given(
    st.dictionaries(st.sampled_from(sorted(RunConfig.model_fields)), ANY)
    | st.fixed_dictionaries({"name": st.just("a"), "output": LEAF, **SECTIONS})
)
def test_any_yaml_is_either_valid_or_a_config_error(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("any") / "run.yaml"
    path.write_text(yaml.safe_dump(values))

    try:
        outcome = load_config(path).name
    except ConfigError as error:
        outcome = str(error)

    assert outcome == values.get("name") or outcome.startswith(str(path))


@given(st.text(alphabet="ab:-?[]{}&*!|>'\"%@`#, \n\t\0~019.é", max_size=40))
def test_any_text_is_either_valid_or_a_config_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "run.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=re.escape(str(path))):
        load_config(path)


def test_reading_a_config_imports_nothing_heavy():
    code = f"""
import sys
from roadworthy.pipeline.preflight import load_checked
from pathlib import Path
load_checked(Path({str(ROOT / "examples" / "fashion.yaml")!r}))
print(sorted({{"tensorflow", "tfx", "apache_beam", "keras", "tf_keras"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
