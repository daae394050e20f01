import threading

from roadworthy.serving.servables.pixel_room import PixelRoom


def test_a_request_waits_until_there_is_room_for_all_of_its_pixels():
    room, order, held = PixelRoom(10), [], threading.Event()

    def later():
        held.set()
        with room.hold(5):
            order.append("later")

    with room.hold(6):
        thread = threading.Thread(target=later)
        thread.start()
        held.wait()
        with room.hold(4):
            order.append("beside")
    thread.join(timeout=20)
    assert order == ["beside", "later"]


def test_room_is_given_back_when_a_request_fails():
    room = PixelRoom(10)
    for _ in range(3):
        try:
            with room.hold(10):
                raise ValueError
        except ValueError:
            pass


def test_without_a_bound_nobody_waits():
    room = PixelRoom(None)
    with room.hold(1 << 60), room.hold(1 << 60):
        pass
