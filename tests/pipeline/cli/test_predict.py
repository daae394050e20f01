import csv
import json
import re
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from contracts.lengths import picture
from roadworthy.pipeline.cli.main import cli

ROADWORTHY = [sys.executable, "-m", "roadworthy.pipeline.cli.main", "predict"]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for number in range(12):
        (folder / str(number % 3)).mkdir(parents=True, exist_ok=True)
        (folder / str(number % 3) / f"{number}.png").write_bytes(picture(100 + 10 * number))
    return folder


@pytest.fixture
def predict(lengths):
    def run(*words, server=None, **options):
        where = ["--server", server or f"127.0.0.1:{lengths.grpc_port}", "--model", "lengths"]
        return subprocess.run(
            [*ROADWORTHY, *where, *map(str, words)], capture_output=True, text=True, timeout=60, check=False, **options
        )

    return run


def test_a_folder_becomes_a_csv_file(predict, photos, tmp_path):
    done = predict(photos, "--out", tmp_path / "labels.csv", "--batch", 5)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    rows = {row["file"]: row for row in csv.DictReader((tmp_path / "labels.csv").open())}
    assert len(rows) == 12
    assert rows[f"{photos}/2/11.png"]["label"] == "long"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "photos"]


def test_a_list_on_stdin_becomes_json_lines(predict, photos):
    listed = "".join(f"{path}\n" for path in sorted(photos.rglob("*.png")))
    done = predict("-", "--json", input=listed)

    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [record["file"] for record in records] == listed.split()
    assert records[0].keys() == {"file", "label", "score"}


def test_a_file_that_fails_is_told_and_the_others_are_answered(predict, photos, tmp_path):
    (photos / "bad.png").write_bytes(b"bad")
    done = predict(photos, "--out", tmp_path / "labels.jsonl")

    assert done.returncode == 2
    assert "1 of 13 files failed; the other 12 are answered" in done.stderr
    assert "bad.png" in done.stderr
    records = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert sorted(record["file"] for record in records if "error" in record) == [f"{photos}/bad.png"]


@pytest.fixture
def heard():
    """Commands hear SIGINT even where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_an_interrupted_command_goes_on_where_it_stopped(lengths, photos, predict, tmp_path):
    words = ["--server", f"127.0.0.1:{lengths.grpc_port}", "--model", "lengths", "--batch", "1", "--concurrency", "1"]
    command = [*ROADWORTHY, *words, "-", "--out", tmp_path / "labels.csv"]
    files = sorted(map(str, photos.rglob("*.png")))
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running.stdin.write("".join(f"{file}\n" for file in files[:8]))
    running.stdin.flush()
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".labels.csv.*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    # Its input stays open: at its end, the command might be done before it hears of the signal.
    assert running.wait(timeout=30) == 130
    said = running.communicate()[1]
    kept = int(re.search(r"(\d+) answers are kept", said)[1])
    assert 1 <= kept <= 8
    assert not (tmp_path / "labels.csv").exists()

    done = predict("-", "--out", tmp_path / "labels.csv", input="".join(f"{file}\n" for file in files))
    assert done.returncode == 0
    assert f"{kept} files were answered before; going on." in done.stderr
    rows = [row["file"] for row in csv.DictReader((tmp_path / "labels.csv").open())]
    assert sorted(rows) == files


def test_no_answer_is_written_when_the_server_is_not_there(predict, photos, tmp_path):
    done = predict(photos, "--out", tmp_path / "labels.csv", "--attempts", 1, server="127.0.0.1:9")

    assert done.returncode == 2
    assert "UNAVAILABLE" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--token-file", "absent"], "--token-file must be a readable file. Received: absent"),
        (["--tls-ca", "absent"], "TLS must be given readable PEM files that go together (absent)"),
        (["--version", "1", "--label", "x"], "a version or a label. Received: both, 1 and x"),
        (["--signature", "none"], "--signature must be one that takes one string"),
        (["--out", "absent/labels.csv"], "--out must be a file this user can write"),
    ],
)
def test_an_option_that_cannot_be_used_is_one_message(predict, photos, words, message):
    done = predict(photos, *words)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_does_not_go_to_another_machine_in_plain_text(predict, photos, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    done = predict(photos, "--token-file", tmp_path / "token", server="192.0.2.1:8500")

    assert done.returncode == 2
    assert "A token must be sent over TLS" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--vertex", "pets", "--server", "localhost:8500"], "--server is of a model server"),
        (["--vertex", "pets", "--tls"], "--tls is of a model server"),
        (["--server", "localhost:8500", "--model", "pets", "--project", "p"], "--project is for --vertex"),
    ],
)
def test_options_of_the_other_way_are_refused(words, said):
    assert said in CliRunner().invoke(cli, ["predict", "photo.jpg", *words]).output
