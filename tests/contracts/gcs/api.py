"""The JSON API of Cloud Storage, and as much of its XML API as TensorFlow reads by."""

import email.parser
import email.policy
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from contracts.gcs.objects import Buckets, Refused, Stored

# Of every bucket, and of the project that the local Vertex AI tells.
PROJECT_NUMBER = "123456789"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Asked:
    """One request; `base` is scheme and host as the client knows them."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")

    def json(self) -> dict:
        return json.loads(self.body) if self.body else {}


@dataclass(frozen=True)
class Answer:
    """One answer; `length` is of a body that isn't sent."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None

    @classmethod
    def of(cls, document: dict, **headers: str) -> "Answer":
        return cls(200, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})

    @classmethod
    def error(cls, refused: Refused) -> "Answer":
        told = {"code": refused.status, "message": str(refused), "errors": [{"message": str(refused)}]}
        return cls(refused.status, json.dumps({"error": told}).encode(), {"Content-Type": "application/json"})


@dataclass
class _Session:
    """A resumable upload under way."""

    bucket: str
    name: str
    query: Mapping[str, str]
    more: dict
    data: bytearray = field(default_factory=bytearray)
    done: Stored | None = None


class Api:
    """Answers requests about some buckets."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._sessions: dict[str, _Session] = {}
        name, rest = "([^/]+)", "([^/]+)"
        v1 = "/storage/v1"
        self._routes: list[tuple[re.Pattern, Callable[..., Answer]]] = [
            (re.compile(pattern), do)
            for pattern, do in (
                ("/batch/storage/v1", self._batch),
                (f"{v1}/b", self._all_buckets),
                (f"{v1}/b/{name}", self._bucket),
                (f"{v1}/b/{name}/o", self._list),
                (f"{v1}/b/{name}/o/{rest}/(?:rewriteTo|copyTo)/b/{name}/o/{rest}", self._copy),
                (f"{v1}/b/{name}/o/{rest}/compose", self._compose),
                (f"{v1}/b/{name}/o/{rest}", self._object),
                (f"/download{v1}/b/{name}/o/{rest}", self._media),
                (f"(?:/resumable)?/upload{v1}/b/{name}/o", self._upload),
                # The XML API, by which TensorFlow reads: slashes of the name come as they are or escaped.
                (f"/{name}/(.+)", self._media),
            )
        ]

    def answer(self, asked: Asked) -> Answer:
        """Answers one request.

        Raises:
            Refused: with the status to answer.
        """
        for pattern, do in self._routes:
            if found := pattern.fullmatch(asked.path):
                return do(asked, *(unquote(part) for part in found.groups()))
        raise Refused(404, f"Not Found: {asked.method} {asked.path}")

    def _all_buckets(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            self._buckets.make(asked.json()["name"])
            return Answer.of(_bucket(asked.json()["name"]))
        return Answer.of({"kind": "storage#buckets", "items": [_bucket(name) for name in self._buckets.names()]})

    def _bucket(self, asked: Asked, bucket: str) -> Answer:
        self._buckets.objects(bucket)
        if asked.method == "DELETE":
            self._buckets.drop(bucket)
            return Answer(204)
        return Answer.of(_bucket(bucket))

    def _list(self, asked: Asked, bucket: str) -> Answer:
        objects, prefixes, token = self._buckets.list(bucket, asked.query)
        document = {"kind": "storage#objects", "items": [found.resource(asked.base) for found in objects]}
        if prefixes:
            document["prefixes"] = prefixes
        if token:
            document["nextPageToken"] = token
        return Answer.of(document)

    def _object(self, asked: Asked, bucket: str, name: str) -> Answer:
        match asked.method:
            case "DELETE":
                self._buckets.delete(bucket, name, asked.query)
                return Answer(204)
            case "PATCH" | "PUT":
                return Answer.of(self._buckets.patch(bucket, name, asked.json(), asked.query).resource(asked.base))
        if asked.query.get("alt") == "media":
            return self._media(asked, bucket, name)
        return Answer.of(self._buckets.get(bucket, name, asked.query).resource(asked.base))

    def _media(self, asked: Asked, bucket: str, name: str) -> Answer:
        if asked.method not in ("GET", "HEAD"):
            raise Refused(405, "The XML API is for reading here.")
        found = self._buckets.get(bucket, name, asked.query)
        headers = {
            "Content-Type": found.content_type,
            "ETag": f'"{found.generation}"',
            "X-Goog-Generation": str(found.generation),
            "X-Goog-Hash": f"crc32c={found.crc32c},md5={found.md5}",
            "X-Goog-Stored-Content-Length": str(len(found.data)),
        }
        size, wanted = len(found.data), _RANGE.fullmatch(asked.header("Range"))
        if wanted is None or not any(wanted.groups()):
            return Answer(200, found.data, headers)
        start, end = _bounds(wanted, size)
        if start >= size:
            return Answer(416, b"", {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        return Answer(206, found.data[start : end + 1], headers)

    def _compose(self, asked: Asked, bucket: str, name: str) -> Answer:
        return Answer.of(self._buckets.compose(bucket, name, asked.json(), asked.query).resource(asked.base))

    def _copy(self, asked: Asked, bucket: str, name: str, to_bucket: str, to_name: str) -> Answer:
        made = self._buckets.copy((bucket, name), (to_bucket, to_name), asked.query)
        if "/copyTo/" in asked.path:
            return Answer.of(made.resource(asked.base))
        size = str(len(made.data))
        told = {"kind": "storage#rewriteResponse", "done": True, "totalBytesRewritten": size, "objectSize": size}
        return Answer.of({**told, "resource": made.resource(asked.base)})

    def _upload(self, asked: Asked, bucket: str) -> Answer:
        if "upload_id" in asked.query:
            return self._resume(asked)
        match asked.query.get("uploadType"):
            case "media":
                kind = asked.header("Content-Type") or "application/octet-stream"
                made = self._buckets.put(bucket, asked.query["name"], asked.body, asked.query, content_type=kind)
                return Answer.of(made.resource(asked.base))
            case "multipart":
                resource, kind, data = _two_parts(asked)
                name, more = _named(resource, asked.query, kind)
                return Answer.of(self._buckets.put(bucket, name, data, asked.query, **more).resource(asked.base))
            case "resumable":
                return self._start(asked, bucket)
        raise Refused(400, f"Unknown uploadType: {asked.query.get('uploadType')}")

    def _start(self, asked: Asked, bucket: str) -> Answer:
        self._buckets.objects(bucket)
        kind = asked.header("X-Upload-Content-Type") or "application/octet-stream"
        name, more = _named(asked.json(), asked.query, kind)
        session = uuid.uuid4().hex
        self._sessions[session] = _Session(bucket, name, asked.query, more)
        where = f"{asked.base}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={session}"
        return Answer(200, b"", {"Location": where, "X-GUploader-UploadID": session})

    def _resume(self, asked: Asked) -> Answer:
        session = self._sessions.get(asked.query["upload_id"])
        if session is None:
            raise Refused(404, "No such upload.")
        if asked.method == "DELETE":
            del self._sessions[asked.query["upload_id"]]
            return Answer(499)
        if session.done is None:
            wanted = _CONTENT_RANGE.fullmatch(asked.header("Content-Range"))
            if not self._take(session, asked.body, wanted):
                kept = {"Range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
                return Answer(308, b"", kept)
            session.done = self._buckets.put(
                session.bucket, session.name, bytes(session.data), session.query, **session.more
            )
        return Answer.of(session.done.resource(asked.base))

    @staticmethod
    def _take(session: _Session, body: bytes, wanted: re.Match | None) -> bool:
        """Adds what came; true once it is everything."""
        if wanted is None:
            session.data += body
            return True
        start, _, total = wanted.groups()
        if start is not None:
            if int(start) > len(session.data):
                raise Refused(400, f"There is a gap before byte {start}.")
            session.data[int(start) :] = body
        return total != "*" and len(session.data) == int(total)

    def _batch(self, asked: Asked) -> Answer:
        """Requests in the parts of one; each is answered by itself."""
        boundary, parts = uuid.uuid4().hex, []
        for part in _parts(asked):
            head, _, body = part.get_payload(decode=True).lstrip().partition(b"\r\n\r\n")
            lines = head.decode().splitlines()
            method, target, _ = lines[0].split(" ")
            url = urlsplit(target)
            headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            inner = Asked(method, url.path, dict(parse_qsl(url.query)), headers, body.strip(), asked.base)
            try:
                answer = self.answer(inner)
            except Refused as refused:
                answer = Answer.error(refused)
            told = f"HTTP/1.1 {answer.status} X\r\nContent-Type: application/json\r\nContent-Length: {len(answer.body)}"
            parts.append(
                f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <response-{part['Content-ID']}>\r\n\r\n"
                f"{told}\r\n\r\n".encode()
                + answer.body
                + b"\r\n"
            )
        return Answer(
            200,
            b"".join(parts) + f"--{boundary}--".encode(),
            {"Content-Type": f'multipart/mixed; boundary="{boundary}"'},
        )


def _bucket(name: str) -> dict:
    told = {"id": name, "name": name, "location": "US-CENTRAL1", "storageClass": "STANDARD"}
    return {"kind": "storage#bucket", "projectNumber": PROJECT_NUMBER, **told}


def _bounds(wanted: re.Match, size: int) -> tuple[int, int]:
    first, last = wanted.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def _named(resource: dict, query: Mapping[str, str], kind: str) -> tuple[str, dict]:
    name = resource.get("name") or query.get("name")
    if not name:
        raise Refused(400, "Required: an object's name.")
    return name, {"content_type": resource.get("contentType", kind), "metadata": resource.get("metadata") or {}}


def _two_parts(asked: Asked) -> tuple[dict, str, bytes]:
    """Resource, content type and content of a multipart upload; the content is taken byte by byte, as it came."""
    boundary = re.search('boundary="?([^";]+)', asked.header("Content-Type"))[1].encode()
    _, first, second = asked.body.split(b"--" + boundary + b"\r\n", 2)
    resource = json.loads(first.split(b"\r\n\r\n", 1)[1])
    head, content = second.split(b"\r\n\r\n", 1)
    kind = re.search(rb"(?i)content-type:\s*([^\r\n]+)", head)
    end = content.rindex(b"\r\n--" + boundary + b"--")
    return resource, kind[1].decode() if kind else "application/octet-stream", content[:end]


def _parts(asked: Asked) -> list:
    head = f"Content-Type: {asked.header('Content-Type')}\r\n\r\n".encode()
    return email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + asked.body).get_payload()
