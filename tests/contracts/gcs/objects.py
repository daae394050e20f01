"""What a bucket holds and the rules its objects keep: generations, preconditions, listing, composing."""

import base64
import datetime
import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

import google_crc32c

PAGE = 1000


class Refused(Exception):
    """An answer other than 2xx, with the status and the reason of the JSON API."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Stored:
    """One generation of an object."""

    bucket: str
    name: str
    data: bytes
    generation: int
    metageneration: int = 1
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    updated: str = ""

    @property
    def crc32c(self) -> str:
        return base64.b64encode(google_crc32c.value(self.data).to_bytes(4, "big")).decode()

    @property
    def md5(self) -> str:
        return base64.b64encode(hashlib.md5(self.data, usedforsecurity=False).digest()).decode()

    def resource(self, base: str) -> dict:
        """The JSON API's object resource; `base` is the server's own address."""
        path = f"b/{self.bucket}/o/{quote(self.name, safe='')}"
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": f"{base}/storage/v1/{path}",
            "mediaLink": f"{base}/download/storage/v1/{path}?generation={self.generation}&alt=media",
            "bucket": self.bucket,
            "name": self.name,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": str(len(self.data)),
            "md5Hash": self.md5,
            "crc32c": self.crc32c,
            "etag": f"E{self.generation}",
            "timeCreated": self.made,
            "updated": self.updated,
            **({"metadata": dict(self.metadata)} if self.metadata else {}),
        }


class Buckets:
    """Every bucket, in memory. A write takes the lock, so that of two writers one meets its precondition."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._buckets: dict[str, dict[str, Stored]] = {}
        self._generation = time.time_ns() // 1000

    def make(self, bucket: str) -> None:
        with self.lock:
            if bucket in self._buckets:
                raise Refused(409, f"You already own this bucket: {bucket}.")
            self._buckets[bucket] = {}

    def drop(self, bucket: str) -> None:
        with self.lock:
            if self.objects(bucket):
                raise Refused(409, "The bucket you tried to delete is not empty.")
            del self._buckets[bucket]

    def names(self) -> list[str]:
        return sorted(self._buckets)

    def objects(self, bucket: str) -> dict[str, Stored]:
        try:
            return self._buckets[bucket]
        except KeyError:
            raise Refused(404, "The specified bucket does not exist.") from None

    def get(self, bucket: str, name: str, query: Mapping[str, str]) -> Stored:
        found = self.objects(bucket).get(name)
        if found is None or query.get("generation") not in (None, str(found.generation)):
            raise Refused(404, f"No such object: {bucket}/{name}")
        check_preconditions(found, query)
        return found

    def put(self, bucket: str, name: str, data: bytes, query: Mapping[str, str], **more) -> Stored:
        """Writes the next generation, if the preconditions hold; an object may be empty."""
        with self.lock:
            objects = self.objects(bucket)
            check_preconditions(objects.get(name), query)
            if not 0 < len(name.encode()) <= 1024:
                raise Refused(400, f"An object's name must have 1 to 1024 bytes. Received: {name!r}")
            self._generation += 1
            now = _now()
            objects[name] = Stored(bucket, name, data, self._generation, made=now, updated=now, **more)
            return objects[name]

    def patch(self, bucket: str, name: str, changes: Mapping, query: Mapping[str, str]) -> Stored:
        with self.lock:
            old = self.get(bucket, name, query)
            known = {"metadata": changes.get("metadata", old.metadata) or {}}
            known["content_type"] = changes.get("contentType", old.content_type)
            new = replace(old, metageneration=old.metageneration + 1, updated=_now(), **known)
            self.objects(bucket)[name] = new
            return new

    def delete(self, bucket: str, name: str, query: Mapping[str, str]) -> None:
        with self.lock:
            self.get(bucket, name, query)
            del self.objects(bucket)[name]

    def compose(self, bucket: str, name: str, body: Mapping, query: Mapping[str, str]) -> Stored:
        with self.lock:
            sources = body.get("sourceObjects", [])
            if not 1 <= len(sources) <= 32:
                raise Refused(400, f"compose takes 1 to 32 objects. Received: {len(sources)}")
            parts = []
            for source in sources:
                rules = source.get("objectPreconditions", {})
                asked = {key: str(value) for key, value in {**rules, **_only(source, "generation")}.items()}
                parts.append(self.get(bucket, source["name"], asked).data)
            kind = body.get("destination", {}).get("contentType", "application/octet-stream")
            return self.put(bucket, name, b"".join(parts), query, content_type=kind)

    def copy(self, source: tuple[str, str], target: tuple[str, str], query: Mapping[str, str]) -> Stored:
        with self.lock:
            asked = {key.replace("ifSource", "if"): value for key, value in query.items() if key.startswith("ifSource")}
            if "sourceGeneration" in query:
                asked["generation"] = query["sourceGeneration"]
            old = self.get(*source, asked)
            return self.put(*target, old.data, query, content_type=old.content_type, metadata=old.metadata)

    def list(self, bucket: str, query: Mapping[str, str]) -> tuple[list[Stored], list[str], str | None]:
        """Objects, prefixes, and the token of the next page, in the order of their names' bytes."""
        with self.lock:
            entries = list(_entries(self.objects(bucket), query))
        start = query.get("pageToken", "")
        page = int(query.get("maxResults") or PAGE) or PAGE
        entries = [entry for entry in entries if entry[0] > start]
        shown, more = entries[:page], len(entries) > page
        objects = [found for _, found in shown if isinstance(found, Stored)]
        prefixes = [name for name, found in shown if found is None]
        return objects, prefixes, shown[-1][0] if more else None


def check_preconditions(found: Stored | None, query: Mapping[str, str]) -> None:
    """The four preconditions of the JSON API; generation 0 stands for no object."""
    generation, metageneration = (found.generation, found.metageneration) if found else (0, 0)
    rules = (("ifGenerationMatch", generation, True), ("ifMetagenerationMatch", metageneration, True))
    rules += (("ifGenerationNotMatch", generation, False), ("ifMetagenerationNotMatch", metageneration, False))
    for name, is_now, equal in rules:
        if name in query and (int(query[name]) == is_now) != equal:
            raise Refused(412, f"At least one of the pre-conditions you specified did not hold: {name}.")


def _entries(objects: Mapping[str, Stored], query: Mapping[str, str]) -> Iterator[tuple[str, Stored | None]]:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    seen = set()
    for name in sorted(objects, key=str.encode):
        if not name.startswith(prefix) or name < query.get("startOffset", ""):
            continue
        rest = name[len(prefix) :]
        if delimiter and delimiter in rest:
            folder = prefix + rest[: rest.index(delimiter) + len(delimiter)]
            if folder not in seen:
                seen.add(folder)
                yield folder, None
            if name != folder or query.get("includeTrailingDelimiter") != "true":
                continue
        yield name, objects[name]


def _only(source: Mapping, key: str) -> dict:
    return {key: source[key]} if key in source else {}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
