"""The page at / in a real browser: what it shows, what it asks, and what it must never run."""

import json
import shutil
import urllib.error
import urllib.request

import pytest

from contracts.lengths import write_lengths
from contracts.live_browser import Browser
from roadworthy.serving.server.listening import Listening
from roadworthy.serving.server.manager import Manager
from roadworthy.serving.server.operation import Operation, observing
from roadworthy.serving.server.run import ModelServer
from roadworthy.serving.server.tokens import mint

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"
READY = "document.querySelectorAll('#inputs fieldset').length > 0"
ANSWERED = "!document.getElementById('answer').hidden && document.getElementById('answer').innerText"


@pytest.fixture(scope="module")
def served(tmp_path_factory, exported):
    """`fashion` is a LiteRT model with a hostile label, `lengths` takes texts and numbers, `broken` can't be loaded."""
    root = tmp_path_factory.mktemp("page")
    shutil.copytree(exported["litert"], root / "fashion" / "3")
    card = root / "fashion" / "3" / "assets.extra" / "roadworthy.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"labels": [HOSTILE] * 4}))
    write_lengths(root / "lengths" / "1")
    (root / HOSTILE.replace("/", "") / "1").mkdir(parents=True)
    (root / "broken" / "1").mkdir(parents=True)
    (root / "broken" / "1" / "model.tflite").write_bytes(b"no model")
    with ModelServer(Manager.of_root(root)) as server:
        yield f"http://127.0.0.1:{server.rest_port}"


@pytest.fixture(scope="module")
def locked(tmp_path_factory, exported):
    """Address of a server of two models that asks for a token, and a token for one of them."""
    root = tmp_path_factory.mktemp("locked")
    for name in ("fashion", "secret"):
        shutil.copytree(exported["litert"], root / "models" / name / "1")
    token, line = mint("phone", ["fashion"])
    (root / "tokens").write_text(line)
    (root / "tokens").chmod(0o600)
    manager = Manager.of_root(root / "models")
    with (
        observing(Operation(token_file=root / "tokens"), manager) as observers,
        ModelServer(manager, Listening(grpc_port=0, rest_port=0), observers=observers) as server,
    ):
        yield f"http://127.0.0.1:{server.rest_port}", token


@pytest.fixture(scope="module", params=[1280, 390])
def browser(tmp_path_factory, request):
    with Browser(tmp_path_factory.mktemp("profile"), width=request.param) as opened:
        yield opened


@pytest.fixture
def page(browser, served):
    browser.console.clear()
    browser.open(f"{served}/")
    browser.wait_for(READY)
    return browser


def choose(page, field, value):
    page.run(
        f"(() => {{ const it = document.getElementById('{field}'); it.value = {json.dumps(value)};"
        "it.dispatchEvent(new Event('change')) })()"
    )


def unlock(page, token):
    page.run(f"document.getElementById('token').value = {json.dumps(token)}")
    page.run("document.querySelector('#unlock button').click()")


def ask(page):
    page.run("document.getElementById('answer').hidden = true")
    page.run("document.getElementById('send').click()")
    return page.wait_for(ANSWERED)


def test_models_versions_states_and_signatures_are_shown(page):
    page.wait_for("document.getElementById('models').innerText.includes('FAILED')")  # once its retries are over
    shown = page.run("document.getElementById('models').innerText")
    for text in ("fashion", "Version 3", "AVAILABLE", "broken", "FAILED", "must be"):
        assert text in shown
    assert page.run("document.getElementById('summary').innerText") == "2 of 3 models ready"

    page.run("document.querySelectorAll('.model details').forEach(one => one.open = true)")
    page.wait_for("document.querySelectorAll('caption').length >= 5")
    assert "image_bytes\tstring […]" in page.run("document.getElementById('models').innerText")
    assert page.console == []


def test_an_image_is_answered_with_scores_and_milliseconds(page, png, tmp_path):
    (tmp_path / "boot.png").write_bytes(png)
    choose(page, "model", "fashion")
    page.choose_file("input[type=file]", tmp_path / "boot.png")
    page.wait_for("document.querySelector('.drop img')?.complete")
    answer = ask(page)

    assert "ms there and back" in answer
    assert page.run("document.querySelectorAll('.scores li').length") == 4
    assert page.console == []


def test_texts_of_models_are_no_markup(page, png, tmp_path):
    (tmp_path / "boot.png").write_bytes(png)
    choose(page, "model", "fashion")
    page.choose_file("input[type=file]", tmp_path / "boot.png")

    assert HOSTILE in ask(page)
    assert page.run("document.querySelectorAll('#answer img').length") == 0
    assert page.run("document.title") == "Roadworthy model server"


def test_a_text_is_answered(page):
    choose(page, "model", "lengths")
    page.wait_for("document.getElementById('signature').options.length === 3")
    choose(page, "signature", "measure")
    page.wait_for("document.querySelector('fieldset').dataset.name === 'text'")
    page.run("document.querySelectorAll('input[type=radio]')[1].click()")
    page.run("document.querySelector('textarea').value = 'four'")

    assert json.loads(ask(page).split("\n", 2)[2]) == [4]


def test_numbers_are_answered_and_what_is_no_json_is_told(page):
    choose(page, "model", "lengths")
    page.wait_for("document.getElementById('signature').options.length === 3")
    choose(page, "signature", "serving_default")
    page.wait_for("document.querySelector('fieldset').dataset.name === 'x'")
    page.run("document.querySelector('textarea').value = '[1.5, 2]'")
    assert json.loads(ask(page).split("\n", 2)[2]) == [3, 4]

    page.run("document.querySelector('textarea').value = '[1.5,'")
    assert "x must be JSON" in ask(page)
    assert page.console == []


def test_a_refusal_is_told_and_the_form_stays(page, tmp_path):
    (tmp_path / "boot.png").write_bytes(b"no image")
    choose(page, "model", "fashion")
    page.choose_file("input[type=file]", tmp_path / "boot.png")

    assert "An image must be a JPEG or PNG file" in ask(page)
    assert not page.run("document.getElementById('send').disabled")


def test_nothing_is_wider_than_the_window(page):
    page.run("document.querySelectorAll('.model details').forEach(one => one.open = true)")
    page.wait_for("document.querySelectorAll('caption').length >= 5")

    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_every_field_has_a_name_that_can_be_read_out(page):
    nameless = page.run(
        "[...document.querySelectorAll('input, select, textarea, button')].filter(it => !(it.getAttribute('aria-label')"
        " || it.closest('label')?.innerText.trim() || it.innerText.trim())).map(it => it.outerHTML)"
    )
    assert nameless == []


def test_with_tokens_the_page_asks_for_one_and_keeps_it_in_memory(browser, locked, png, tmp_path):
    url, token = locked
    browser.console.clear()
    browser.open(f"{url}/")
    browser.wait_for("!document.getElementById('unlock').hidden")
    assert browser.run("document.getElementById('main').hidden")
    assert browser.run("document.getElementById('unlock-fault').innerText") == ""

    unlock(browser, "rw_another")
    browser.wait_for("document.getElementById('unlock-fault').innerText.includes('Received: another')")
    unlock(browser, token)
    browser.wait_for(READY)
    assert browser.run("document.getElementById('summary').innerText") == "1 of 1 model ready"
    assert browser.run("[...document.querySelectorAll('h3')].map(it => it.innerText)") == ["fashion"]

    (tmp_path / "boot.png").write_bytes(png)
    browser.choose_file("input[type=file]", tmp_path / "boot.png")
    assert "ms there and back" in ask(browser)
    kept = browser.run(
        "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href, document.body.outerHTML])"
    )
    assert token not in kept
    assert browser.run("document.getElementById('token').value") == ""
    browser.open(f"{url}/")
    browser.wait_for("!document.getElementById('unlock').hidden")


def test_the_list_of_models_needs_a_token(locked):
    url, token = locked
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/roadworthy/models")
    assert refused.value.code == 401

    asked = urllib.request.Request(f"{url}/roadworthy/models", headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked) as response:
        assert [model["name"] for model in json.load(response)["models"]] == ["fashion"]


def test_a_script_that_is_not_the_pages_own_does_not_run(page):
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.taken = 1'}))")

    assert page.run("window.taken") is None
    assert "Content Security Policy" in "".join(page.console)


def test_the_page_asks_nobody_else(served):
    with urllib.request.urlopen(f"{served}/") as response:
        document, policy = response.read().decode(), response.headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http://" not in document
    assert "https://" not in document
    assert "innerHTML" not in document


def test_the_page_can_be_turned_off(tmp_path):
    with ModelServer(Manager.of_root(tmp_path), Listening(grpc_port=0, rest_port=0, page=False)) as server:
        for path in ("/", "/roadworthy/models"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"http://127.0.0.1:{server.rest_port}{path}")
            assert refused.value.code == 404
