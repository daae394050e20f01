"""What carries a request best: the same small piece of work behind each candidate for HTTP and for gRPC.

    PYTHONPATH=tests .venv/bin/python -m bench.transports            # every candidate that is installed
    PYTHONPATH=tests .venv/bin/python -m bench.transports nghttp2 grpcio

Each candidate is a process of its own on loopback, asked by wrk or h2load over 16 connections; rounds are interleaved.
Processor time is the server's alone, a request; it says more than the rate when other processes share the machine.
Some are no dependencies: `uv pip install granian grpclib zttp` first, or they are left out.
"""

import asyncio
import importlib.util
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from contracts.ports import free_port

ROUNDS, SECONDS, CLIENTS = 3, 3, 16
METHOD = "/tensorflow.serving.PredictionService/Predict"
WEIGHTS = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
ROW = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]


def json_work(body: bytes) -> bytes:
    rows = np.array(json.loads(body)["instances"], np.float32)
    return json.dumps({"predictions": (rows @ WEIGHTS).tolist()}).encode()


def message_work(message: bytes) -> bytes:
    from roadworthy.serving import protos
    from roadworthy.serving.tensors import from_proto, to_proto

    request = protos.PredictRequest.FromString(message)
    response = protos.PredictResponse(model_spec={"name": request.model_spec.name, "version": {"value": 1}})
    response.outputs["y"].CopyFrom(to_proto(from_proto(request.inputs["x"]) @ WEIGHTS))
    return response.SerializeToString()


async def asgi(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    answer = json_work(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def serve_uvicorn(port):
    import uvicorn

    uvicorn.run(asgi, port=port, lifespan="off", log_level="error", access_log=False, proxy_headers=False, ws="none")


def serve_granian(port):
    import uvloop
    from granian.server.embed import Server

    uvloop.run(Server(asgi, address="127.0.0.1", port=port, interface="asgi").serve())


def serve_starlette(port):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response
    from starlette.routing import Route

    async def ask(request):
        return Response(await run_in_threadpool(json_work, await request.body()), media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", ask, methods=["POST"])])
    uvicorn.run(app, port=port, lifespan="off", log_level="error", access_log=False)


async def asgi_grpc(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    headers = [(b"content-type", b"application/grpc")]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})
    await send({"type": "http.response.body", "body": framed(message_work(body[5:]))})
    await send({"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]})


def serve_zttp(port):
    import uvicorn

    options = {"log_level": "error", "access_log": False, "proxy_headers": False}
    uvicorn.run(asgi_grpc, port=port, lifespan="off", http="zttp", http2=True, **options)


def serve_protocol(port, protocol):
    import uvloop

    async def serve():
        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(serve())


class HttpTools(asyncio.Protocol):
    def connection_made(self, transport):
        import httptools

        self.transport, self.parser, self.body = transport, httptools.HttpRequestParser(self), b""

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        answer, self.body = json_work(self.body), b""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
        self.transport.write(head + answer)


class NgHttp2(asyncio.Protocol):
    def connection_made(self, transport):
        import ngh2

        self.transport, self.bodies = transport, {}
        self.http2, self.data = ngh2.Connection(ngh2.Role.SERVER), ngh2.DataReceived
        self.http2.initiate_connection()
        transport.write(self.http2.data_to_send())

    def data_received(self, data):
        self.http2.receive_data(data)
        for event in self.http2.events():
            if type(event) is self.data:
                stream = event.stream_id
                self.bodies[stream] = self.bodies.get(stream, b"") + event.data
                if event.end_stream:
                    self.answer(stream, message_work(self.bodies.pop(stream)[5:]))
        self.transport.write(self.http2.data_to_send())

    def answer(self, stream, message):
        self.http2.send_response(stream, [(b":status", b"200"), (b"content-type", b"application/grpc")])
        self.http2.send_data(stream, framed(message))
        self.http2.send_trailers(stream, [(b"grpc-status", b"0")])


def grpc_handlers(respond):
    import grpc

    *_, service, method = METHOD.split("/")
    handlers = {method: grpc.unary_unary_rpc_method_handler(respond)}
    return [grpc.method_handlers_generic_handler(service, handlers)]


def serve_grpcio(port, threads=16):
    import grpc

    handlers = grpc_handlers(lambda message, _: message_work(message))
    server = grpc.server(ThreadPoolExecutor(threads), handlers=handlers)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def serve_grpcio_asyncio(port, run):
    import grpc

    async def respond(message, _):
        return message_work(message)

    async def serve():
        server = grpc.aio.server(handlers=grpc_handlers(respond))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await server.wait_for_termination()

    run(serve())


def serve_grpcio_uvloop(port):
    import uvloop

    serve_grpcio_asyncio(port, uvloop.run)


def serve_grpclib(port):
    import uvloop
    from grpclib.const import Cardinality, Handler
    from grpclib.encoding.base import CodecBase
    from grpclib.server import Server

    class Raw(CodecBase):
        __content_subtype__ = "proto"

        def encode(self, message, _):
            return message

        def decode(self, data, _):
            return data

    class Service:
        async def predict(self, stream):
            await stream.send_message(message_work(await stream.recv_message()))

        def __mapping__(self):
            return {METHOD: Handler(self.predict, Cardinality.UNARY_UNARY, bytes, bytes)}

    async def serve():
        server = Server([Service()], codec=Raw())
        await server.start("127.0.0.1", port)
        await server.wait_closed()

    uvloop.run(serve())


# Name: (tool that asks, module it needs, how it is served).
CANDIDATES = {
    "starlette, threads": ("wrk", "starlette", serve_starlette),
    "uvicorn": ("wrk", "uvicorn", serve_uvicorn),
    "granian": ("wrk", "granian", serve_granian),
    "httptools": ("wrk", "httptools", lambda port: serve_protocol(port, HttpTools)),
    "grpcio, 16 threads": ("h2load", "grpc", serve_grpcio),
    "grpcio, 2 threads": ("h2load", "grpc", lambda port: serve_grpcio(port, 2)),
    "grpcio asyncio": ("h2load", "grpc", lambda port: serve_grpcio_asyncio(port, asyncio.run)),
    "grpcio asyncio, uvloop": ("h2load", "grpc", serve_grpcio_uvloop),
    "grpclib": ("h2load", "grpclib", serve_grpclib),
    "uvicorn, zttp": ("h2load", "zttp", serve_zttp),
    "nghttp2": ("h2load", "ngh2", lambda port: serve_protocol(port, NgHttp2)),
}


def framed(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def start(name):
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.transports", "--serve", name, str(port)])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process, port
        except OSError:
            assert process.poll() is None, f"{name} did not start"
            time.sleep(0.05)


def cpu_s(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(tool, port, folder):
    """Requests, requests a second, and milliseconds of the slowest in a hundred."""
    if tool == "wrk":
        script = folder / "post.lua"
        script.write_text(f"wrk.method = 'POST'\nwrk.body = '{json.dumps({'instances': [ROW]})}'\n")
        told = run("wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}", "--latency", "-s", script, f"http://127.0.0.1:{port}/")
        assert "Non-2xx" not in told, told
        found = re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
        p99_ms = float(found[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[found[2]]
        return (
            int(re.search(r"(\d+) requests in", told)[1]),
            float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]),
            p99_ms,
        )
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    address, headers = (
        f"http://127.0.0.1:{port}{METHOD}",
        ["-H", "content-type: application/grpc", "-H", "te: trailers"],
    )
    body, clients = f"-d{folder / 'message'}", f"-c{CLIENTS}"
    told = run("h2load", "-t1", clients, "-m1", f"--duration={SECONDS}", f"--log-file={log}", body, *headers, address)
    took_ms = [int(line.split("\t")[2]) / 1000 for line in log.read_text().splitlines()]
    count = int(re.search(r"(\d+) 2xx", told)[1])
    assert count, told
    return count, count / SECONDS, statistics.quantiles(took_ms, n=100)[98]


def run(*command):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout


def write_message(path):
    from roadworthy.serving import protos
    from roadworthy.serving.tensors import to_proto

    request = protos.PredictRequest(model_spec={"name": "dense"})
    request.inputs["x"].CopyFrom(to_proto(np.array([ROW], np.float32)))
    path.write_bytes(framed(request.SerializeToString()))


def main(names):
    chosen = [name for name, (_, module, _) in CANDIDATES.items() if importlib.util.find_spec(module)]
    chosen = [name for name in chosen if not names or any(name.startswith(word) for word in names)]
    started = {name: start(name) for name in chosen}
    figures = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory() as folder:
        write_message(Path(folder) / "message")
        for _ in range(ROUNDS):
            for name, (process, port) in started.items():
                before = cpu_s(process)
                count, rate, p99_ms = ask(CANDIDATES[name][0], port, Path(folder))
                figures[name].append((rate, p99_ms, (cpu_s(process) - before) / count * 1e6))
    for process, _ in started.values():
        process.kill()
    print(f"{'candidate':<24}{'requests/s':>12}{'p99 ms':>10}{'server CPU us':>15}   medians of {ROUNDS} rounds")
    for name, rounds in figures.items():
        rate, p99_ms, cpu_us = map(statistics.median, zip(*rounds, strict=True))
        print(f"{name:<24}{rate:>12,.0f}{p99_ms:>10.1f}{cpu_us:>15.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        CANDIDATES[sys.argv[2]][2](int(sys.argv[3]))
    else:
        main(sys.argv[1:])
