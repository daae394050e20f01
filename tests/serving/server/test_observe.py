import pytest

from roadworthy.serving.server.observe import Call, Observer, Observers
from roadworthy.serving.status import RequestError


class Listener(Observer):
    def __init__(self):
        self.told = []

    def done(self, call):
        self.told.append((call.code, call.seconds))


class Doorkeeper(Observer):
    def arrived(self, call):
        if call.header(b"authorization") != "Bearer sesame":
            raise RequestError("A token, please.", code="UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, "OK"),
        (RequestError("x", code="NOT_FOUND"), "NOT_FOUND"),
        (TimeoutError(), "DEADLINE_EXCEEDED"),
        (KeyError(), "INTERNAL"),
    ],
)
def test_observers_are_told_how_a_request_ended(error, code):
    listener = Listener()
    Observers([listener], now=lambda: 3.5).done(Call("rest", "Predict", started=1.0), error)

    assert listener.told == [(code, 2.5)]


def test_an_observer_can_refuse_a_request_by_its_headers():
    observers = Observers([Listener(), Doorkeeper()])

    observers.arrived(Call("grpc", "Predict", headers=[(b"authorization", b"Bearer sesame")]))
    with pytest.raises(RequestError, match="A token") as refused:
        observers.arrived(Call("grpc", "Predict"))
    assert refused.value.code == "UNAUTHENTICATED"


def test_only_the_moments_that_an_observer_overrides_are_told():
    observers = Observers([Listener(), Doorkeeper()])

    assert (len(observers._arrived), len(observers._asked), len(observers._done)) == (1, 0, 1)
