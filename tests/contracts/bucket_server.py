"""Enough of Cloud Storage's JSON API on loopback for its own client: lists with prefix and pages, and downloads."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

PAGE = 3


@contextmanager
def bucket_server(objects: dict[str, bytes]) -> Iterator[str]:
    """Serves a bucket of these objects, whatever its name, as they are at each request; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            name = unquote(url.path.partition("/o/")[2])
            if url.path.endswith("/o"):
                self.answer(200, json.dumps(page(query)).encode(), {"content-type": "application/json"})
            elif name in objects:
                self.answer(200, objects[name], {"x-goog-hash": checksums(objects[name]), "x-goog-generation": "1"})
            else:
                self.answer(404, b'{"error": {"code": 404, "message": "No such object"}}', {})

        def answer(self, code, body, headers):
            self.send_response(code)
            for key, value in (headers | {"content-length": str(len(body))}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def page(query):
        names = sorted(name for name in objects if name.startswith(query.get("prefix", "")))
        start = int(query.get("pageToken", 0))
        more = {"nextPageToken": str(start + PAGE)} if start + PAGE < len(names) else {}
        return {"kind": "storage#objects", "items": [{"name": name} for name in names[start : start + PAGE]], **more}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def checksums(data: bytes) -> str:
    return f"crc32c={base64.b64encode(google_crc32c.Checksum(data).digest()).decode()}"
