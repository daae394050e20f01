import asyncio
import socket

from roadworthy.serving.server.workers.doors import Doors


class Worker:
    """Takes clients as a worker does, over a pair of sockets, as long as it has room."""

    def __init__(self, room):
        self.room, self.clients, self.came = room, 0, []

    def hand(self, transport, client):
        if self.clients == self.room:
            return False
        self.clients += 1
        self.came.append((transport, client.dup()))
        return True


def let_in(workers, *, count, meanwhile=lambda: None):
    """Hands out so many clients that connect at once."""

    async def run():
        door = socket.create_server(("127.0.0.1", 0))
        doors = Doors({door: b"r"}, lambda: workers)
        await doors.open()
        clients = [socket.create_connection(door.getsockname()) for _ in range(count)]
        async with asyncio.timeout(10):
            await asyncio.sleep(0.05)
            meanwhile()
            while sum(len(worker.came) for worker in workers) < count:
                await asyncio.sleep(0.01)
        doors.close()
        return clients

    return asyncio.run(run())


def test_each_client_comes_to_the_worker_that_has_the_fewest():
    workers = [Worker(100), Worker(100), Worker(100)]
    workers[1].clients = 6
    let_in(workers, count=15)
    assert [worker.clients for worker in workers] == [7, 7, 7]


def test_a_worker_that_takes_no_more_leaves_its_clients_to_others():
    workers = [Worker(2), Worker(100)]
    let_in(workers, count=10)
    assert [worker.clients for worker in workers] == [2, 8]


def test_where_nobody_takes_a_client_it_waits_and_is_still_connected():
    worker = Worker(0)
    clients = let_in([worker], count=5, meanwhile=lambda: setattr(worker, "room", 100))
    for _, end in worker.came:
        end.sendall(b"here")
    for client in clients:
        client.settimeout(10)
    assert [client.recv(4) for client in clients] == [b"here"] * 5
