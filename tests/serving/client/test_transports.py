"""Both clients over both transports, against servers that refuse, stall or drip."""

import asyncio
import inspect
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.unwilling import unwilling
from roadworthy.serving.client import (
    AccessDenied,
    AsyncClient,
    Client,
    DeadlineExceeded,
    NotFound,
    Overloaded,
    Retry,
    Unavailable,
)

QUICK = Retry(attempts=4, first_s=0.01, longest_s=0.02)
SECRET = "s3cret-of-the-house"  # noqa: S105


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_a_server_that_fails_first_and_then_works_is_asked_again(ask, transport, code):
    with unwilling(transport, refusals=[code] * 3) as server:
        (told,) = ask(server.address, "status", "m", options={"retry": QUICK})

    assert (told.version, told.state, told.code) == (1, "AVAILABLE", "OK")
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("code", "error"),
    [("RESOURCE_EXHAUSTED", Overloaded), ("NOT_FOUND", NotFound), ("PERMISSION_DENIED", AccessDenied)],
)
def test_a_refusal_is_the_same_error_everywhere(ask, transport, code, error):
    with (
        unwilling(transport, refusals=[code] * 9, says="so it is") as server,
        pytest.raises(error, match=f"{code}: so it is") as refused,
    ):
        ask(server.address, "status", "m", options={"retry": Retry(attempts=1)})

    assert refused.value.code == code
    assert len(server.asked) == 1


def test_the_deadline_holds_to_within_tens_of_milliseconds(ask, transport):
    with unwilling(transport, stall_s=1.0) as server:
        ask(server.address, "status", "m", timeout_s=5)  # imports and connections are not what is timed
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            ask(server.address, "status", "m", timeout_s=0.3)
        took_s = time.monotonic() - started

    assert 0.29 < took_s < 0.45


def test_the_deadline_holds_when_an_answer_drips(ask, transport):
    if transport == "grpc":
        pytest.skip("gRPC's own deadline knows no drips")
    with unwilling(transport, drip_s=0.05) as server:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            ask(server.address, "status", "m", timeout_s=0.3)
        took_s = time.monotonic() - started

    assert 0.29 < took_s < 0.45


def test_the_deadline_is_for_all_attempts(ask, transport):
    with unwilling(transport, refusals=["UNAVAILABLE"] * 99, stall_s=0.1) as server:
        started = time.monotonic()
        with pytest.raises((Unavailable, DeadlineExceeded)):
            ask(server.address, "status", "m", timeout_s=0.35, options={"retry": Retry(99, 0.02, 0.02)})
        took_s = time.monotonic() - started

    assert took_s < 0.6
    assert 2 <= len(server.asked) <= 4


def test_the_time_left_is_passed_on_over_grpc():
    with unwilling("grpc") as server, Client.open(server.address) as client:
        client.status("m", timeout_s=7)

    # gRPC rounds what is left up to a hundredth.
    assert 6 < server.asked[0]["timeout_s"] <= 7.01


def test_a_token_is_sent_and_never_shown(ask, transport, caplog):
    options = {"token": SECRET, "retry": Retry(attempts=1)}
    with (
        caplog.at_level("DEBUG"),
        unwilling(transport, refusals=["UNAUTHENTICATED"], says="who is {authorization}?") as server,
        pytest.raises(AccessDenied, match=r"who is Bearer \[token\]\?") as refused,
    ):
        ask(server.address, "status", "m", options=options)

    assert server.asked[0]["authorization"] == f"Bearer {SECRET}"
    client = (Client if transport == "grpc" else AsyncClient).open(server.address, transport=transport, token=SECRET)
    for text in (repr(refused.value), str(refused.value), repr(client), caplog.text, repr(client._asker.options)):
        assert SECRET not in text


def test_one_connection_serves_call_after_call():
    with unwilling("rest") as server, Client.open(server.address, transport="rest") as client:
        for _ in range(20):
            client.status("m")

    assert (len(server.asked), server.connections) == (20, 1)


def test_a_connection_the_server_closed_meanwhile_is_no_error(transport):
    with unwilling(transport) as first, Client.open(first.address, transport=transport) as client:
        client.status("m")
    with Client.open(first.address, transport=transport, retry=QUICK) as client, pytest.raises(Unavailable):
        client.status("m")


def test_many_threads_share_a_client(transport):
    with (
        unwilling(transport, stall_s=0.2) as server,
        Client.open(server.address, transport=transport) as client,
        ThreadPoolExecutor(16) as pool,
    ):
        started = time.monotonic()
        answers = list(pool.map(lambda _: client.status("m"), range(16)))
        took_s = time.monotonic() - started

    assert len(answers) == 16
    assert took_s < 1.5  # one after the other would be 3.2 s


def test_many_tasks_share_a_client(transport):
    async def ask_all(address):
        async with AsyncClient.open(address, transport=transport) as client:
            return await asyncio.gather(*(client.status("m") for _ in range(16)))

    with unwilling(transport, stall_s=0.2) as server:
        started = time.monotonic()
        answers = asyncio.run(ask_all(server.address))
        took_s = time.monotonic() - started

    assert len(answers) == 16
    assert took_s < 1.5


def test_a_cancelled_call_ends_at_once_and_the_client_goes_on(transport):
    async def cancel(address):
        async with AsyncClient.open(address, transport=transport) as client:
            started = time.monotonic()
            call = asyncio.create_task(client.status("m"))
            await asyncio.sleep(0.2)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            took_s = time.monotonic() - started
            return took_s, await client.status("m")

    with unwilling(transport, stall_s=0.8) as server:
        took_s, answer = asyncio.run(cancel(server.address))
        if transport == "grpc":
            assert server.cancelled.wait(2)

    assert took_s < 0.5
    assert answer[0].version == 1


def test_a_cancelled_pause_sends_nothing_more(transport):
    async def cancel(address):
        async with AsyncClient.open(address, transport=transport, retry=Retry(9, 5.0, 5.0)) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await client.status("m")

    with unwilling(transport, refusals=["UNAVAILABLE"] * 99) as server:
        asyncio.run(cancel(server.address))
        asked = len(server.asked)
        time.sleep(0.1)
        assert len(server.asked) == asked


def test_both_clients_take_the_same_arguments():
    def methods(client):
        return {
            name: str(inspect.signature(method).replace(return_annotation=None))
            for name, method in inspect.getmembers(client, callable)
            if not name.startswith("_")
        }

    assert methods(Client) == methods(AsyncClient)
    assert {"predict", "classify", "regress", "classify_images", "metadata", "status"} <= methods(Client).keys()


def test_a_closed_client_says_so(ask, transport):
    client = Client.open("127.0.0.1:1", transport=transport)
    client.close()
    with pytest.raises(Exception, match="must be open when it is asked"):
        client.status("m")
