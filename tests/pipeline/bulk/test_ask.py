import threading
import time

import pytest

from contracts.lengths import picture
from contracts.unwilling import unwilling
from roadworthy.pipeline.bulk.ask import Asker, Question
from roadworthy.serving.client import AskError, Client, InvalidRequest, Retry, Unavailable


@pytest.fixture(params=["grpc", "rest"])
def client(lengths, request):
    port = lengths.grpc_port if request.param == "grpc" else lengths.rest_port
    with Client.open(f"127.0.0.1:{port}", transport=request.param) as opened:
        yield opened


@pytest.fixture
def files(tmp_path):
    for number in range(40):
        (tmp_path / f"{number}.png").write_bytes(picture(5 * number + 100))
    (tmp_path / "bad.png").write_bytes(b"bad")
    return [str(tmp_path / f"{number}.png") for number in range(40)]


def ask(client, files, *, signature="image_bytes", batch=7, concurrency=3):
    return list(Asker(client, Question("lengths", signature)).ask_all(files, batch=batch, concurrency=concurrency))


def test_answers_come_in_the_order_of_the_files(client, files):
    answers = ask(client, files)

    assert [answer.file for answer in answers] == files
    assert [answer.fields["label"] for answer in answers] == ["short"] * 21 + ["long"] * 19
    assert answers[0].fields["score"] == pytest.approx(0.75)


def test_a_file_that_fails_takes_no_other_with_it(client, files, tmp_path):
    bad, absent = str(tmp_path / "bad.png"), str(tmp_path / "absent.png")
    answers = {answer.file: answer for answer in ask(client, [*files[:5], bad, absent, *files[5:9]])}

    assert "An image must be a JPEG or PNG file" in answers[bad].error
    assert answers[absent].error == "must be a readable file. Received: No such file or directory"
    assert all(answers[file].error is None for file in files[:9])


def test_other_outputs_are_told_by_name(client, files):
    assert ask(client, files[:2], signature="measure")[1].fields == {"outputs": {"length": 105}}


@pytest.mark.parametrize("signature", ["serving_default", "absent"])
def test_a_signature_that_takes_no_files_is_refused_first(client, signature):
    with pytest.raises(InvalidRequest, match=r"must be one that takes one string.*image_bytes, measure"):
        ask(client, [], signature=signature)


def test_files_are_found_only_as_fast_as_they_are_answered(client, files):
    found = []

    def listing():
        for file in files:
            found.append(file)
            yield file

    answers = Asker(client, Question("lengths", "image_bytes")).ask_all(listing(), batch=2, concurrency=2)
    next(answers)

    assert len(found) <= 2 * (2 * 2 + 1)
    assert len(list(answers)) == 39


def test_a_server_that_goes_away_ends_it():
    with unwilling("grpc") as server:
        client = Client.open(server.address, retry=Retry(attempts=1))
    with client, pytest.raises(Unavailable):
        Asker(client, Question("lengths", "image_bytes"))


def test_giving_up_stops_asking(client, files):
    before = threading.active_count()
    answers = Asker(client, Question("lengths", "image_bytes")).ask_all(files * 50, batch=1, concurrency=2)
    next(answers)
    answers.close()
    time.sleep(0.5)

    assert threading.active_count() <= before + 1


def test_an_unknown_label_ends_it(client, files):
    with pytest.raises(AskError, match="Unrecognized servable version label: stable"):
        Asker(client, Question("lengths", "image_bytes", label="stable"))
