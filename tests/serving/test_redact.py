"""Credentials are taken out of text by their form or because this process has them, and nothing else is."""

import pytest

from roadworthy.serving.redact import redact

JSON_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"  # noqa: S105
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\nIBADAN\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("authorization: Bearer abc.def-123 has expired", "authorization: Bearer … has expired"),
        ("('authorization', 'Basic c29tZW9uZTpwYXNzd29yZA==')", "('authorization', 'Basic …')"),
        ("refused ya29.a0AfB_by-x1 at once", "refused … at once"),
        (f"assertion={JSON_TOKEN}&grant_type=x", "assertion=…&grant_type=x"),
        (f"key {KEY!r} and more", "key '…' and more"),
        (f"key {KEY} and more", "key … and more"),
        (KEY[:40], "…"),
        ("https://someone:hunter2@host/path", "https://…@host/path"),
        ('{"access_token": "a b", "expires_in": 9}', '{"access_token": …, "expires_in": 9}'),
        ("{'client_secret': 'x'}", "{'client_secret': …}"),
        ("password=hunter2&x=1", "password=…&x=1"),
    ],
)
def test_what_has_the_form_of_a_credential_is_not_shown(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Give a bearer token by cloud.kubeflow.token_file or ROADWORTHY_KUBEFLOW_TOKEN.",
        "Log in: gcloud auth application-default login, or name a key file in GOOGLE_APPLICATION_CREDENTIALS.",
        "gs://bucket/models/pets@2 and trainer@project.iam.gserviceaccount.com",
        "https://console.cloud.google.com/vertex-ai?project=p",
        "A basic example of tokens: tokens_per_second=5",
    ],
)
def test_what_is_none_is_left_as_it_is(text):
    assert redact(text) == text


def test_what_the_environment_has_as_a_secret_is_hidden_wherever_it_stands(monkeypatch):
    monkeypatch.setenv("SOME_API_TOKEN", "opaque-and-long")
    monkeypatch.setenv("OTHER_TOKEN", "short")
    monkeypatch.setenv("TOKEN_PATH", "/run/secrets/one")

    assert redact("opaque-and-long, short, /run/secrets/one") == "…, short, /run/secrets/one"
