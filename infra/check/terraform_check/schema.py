"""The schemas of hashicorp/google and google-beta, read out of the bindings that PyPI's cdktn-provider-* carry.

The bindings are JavaScript that was generated from the provider's own schema: every resource is a class whose getters
say `// name - computed: …, optional: …, required: …`, and whose fields name the classes of nested blocks.
"""

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any, Final

_PACKAGE: Final = "cdktn-provider-{}"

_CLASS: Final = re.compile(r"^class (\w+) extends cdkt[fn]\.(\w+) \{$", re.MULTILINE)
_FIELD: Final = re.compile(
    r"// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n(.*?)\n    \}", re.DOTALL
)
_NESTED: Final = re.compile(r'\b(?:this\.)?_\w+ = new (?:\w+\.)?(\w+)\(this, "(\w+)"(?:, (true|false))?\)')
_GETTER: Final = re.compile(r"(cdkt[fn]\.Fn\.tolist\()?this\.(get\w+Attribute)\('(\w+)'\)")
_SINGLE: Final = re.compile(r"super\(terraformResource, terraformAttribute(?:, (true|false))?(, 0)?\)")
_HCL: Final = (
    r"{0}(\w+): \{{\n{0}    value: (.*?),\n{0}    isBlock: (true|false),\n"
    r'{0}    type: "(\w+)",\n{0}    storageClassType: "(\w+)"'
)
_SCALARS: Final[dict[str, Any]] = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getStringMapAttribute": ["map", "string"],
    "getNumberMapAttribute": ["map", "number"],
    "getBooleanMapAttribute": ["map", "bool"],
    "getAnyMapAttribute": ["map", "dynamic"],
}
_COLLECTIONS: Final[dict[str, Any]] = {
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
    "AnyMap": ["map", "dynamic"],
    "StringMapList": ["list", ["map", "string"]],
    "NumberMapList": ["list", ["map", "number"]],
    "BooleanMapList": ["list", ["map", "bool"]],
    "AnyMapList": ["list", ["map", "dynamic"]],
}
_KINDS: Final = {"TerraformResource": "resources", "TerraformDataSource": "data_sources"}

Block = dict[str, Any]


def load(provider: str, types: Iterable[str], *, cache: Path) -> dict[str, Any]:
    """The provider's own block and those of the resources and data sources named.

    Args:
        provider: google or google-beta.
        types: as `google_storage_bucket`; those the provider does not have are left out.
        cache: folder that keeps what was read; reading takes seconds.

    Returns:
        `version`, `provider`, `resources` and `data_sources`; a block is `{"attributes": …, "blocks": …}`.
    """
    wanted, package = sorted(set(types)), _PACKAGE.format(provider)
    key = hashlib.sha256(f"{version(package)} {wanted} {Path(__file__).read_text()}".encode()).hexdigest()[:16]
    kept = cache / f"{provider}-{key}.json"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps(_read(package, set(wanted))))
        aside.rename(kept)
    return json.loads(kept.read_text())


def _read(package: str, types: set[str]) -> dict[str, Any]:
    folders = {name.removeprefix("google_").replace("_", "-") for name in types}
    wanted = {f"{before}{folder}" for folder in folders for before in ("", "google-", "data-google-")} | {"provider"}
    schema: dict[str, Any] = {"version": None, "provider": None, "resources": {}, "data_sources": {}}
    for source in _sources(package, wanted):
        for name, (kind, body) in source.classes.items():
            if kind == "TerraformProvider":
                schema["version"] = re.search(r"providerVersion: '([\d.]+)'", body)[1]
                schema["provider"] = source.provider_block(body)
            elif kind in _KINDS and (named := re.search(r'tfResourceType = "(\w+)"', body)[1]) in types:
                schema[_KINDS[kind]][named] = source.block(name)
    return schema


def _sources(package: str, folders: set[str]) -> Iterable["_Source"]:
    # Not by importing it, which would start a Node.js.
    (archive,) = (file.locate() for file in distribution(package).files or () if file.match("_jsii/*.jsii.tgz"))
    texts: dict[str, list[str]] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            found = re.fullmatch(r"package/lib/([\w-]+)/(?:[\w-]+/)*[\w-]+\.js", member.name)
            if found and found[1] in folders:
                texts.setdefault(found[1], []).append(tar.extractfile(member).read().decode())
    return [_Source("\n".join(parts)) for parts in texts.values()]


@dataclass(frozen=True)
class _Source:
    """The JavaScript of one resource."""

    text: str

    @cached_property
    def classes(self) -> dict[str, tuple[str, str]]:
        """Name to base class and text."""
        found = list(_CLASS.finditer(self.text))
        ends = [each.start() for each in found[1:]] + [len(self.text)]
        return {each[1]: (each[2], self.text[each.start() : end]) for each, end in zip(found, ends, strict=True)}

    def block(self, name: str, within: tuple[str, ...] = ()) -> Block:
        """Attributes and nested blocks of a class; one that contains itself ends there, as in the bindings."""
        block: Block = {"attributes": {}, "blocks": {}}
        if name in within:
            return block
        body = self.classes[name][1]
        nested = {each[2]: (each[1], each[3] == "true") for each in _NESTED.finditer(body)}
        for each in _FIELD.finditer(body):
            field = each[1]
            flags = dict(
                zip(("computed", "optional", "required"), (word == "true" for word in each.groups()[1:4]), strict=True)
            )
            if field not in nested:
                block["attributes"][field] = {"type": _scalar(field, each[5]), **flags}
            elif nested[field][0] in _COLLECTIONS:
                block["attributes"][field] = {"type": _collection(*nested[field]), **flags}
            else:
                self._nest(block, field, nested[field], flags, (*within, name))
        return block

    def _nest(
        self, block: Block, field: str, of: tuple[str, bool], flags: dict[str, bool], within: tuple[str, ...]
    ) -> None:
        inner, nesting, most = self._nesting(*of)
        below = self.block(inner, within)
        if flags["computed"]:  # nothing a user writes: an attribute that holds objects
            kind = _as_type(below)
            block["attributes"][field] = {"type": kind if nesting == "single" else [nesting, kind], **flags}
        else:
            least = int(flags["required"])
            block["blocks"][field] = {"nesting": nesting, "block": below, "min_items": least, "max_items": most}

    def _nesting(self, name: str, as_set: bool) -> tuple[str, str, int]:
        """The class of the items, how they are nested, and how many there may be (0: any number)."""
        kind, body = self.classes[name]
        if kind == "ComplexMap":
            return name.removesuffix("Map") + "OutputReference", "map", 0
        if kind == "ComplexList":
            return name.removesuffix("List") + "OutputReference", "set" if as_set else "list", 0
        base = _SINGLE.search(body)
        if base and base[2] is None:
            return name, "single", 0
        return name, "set" if base and base[1] == "true" else "list", 1

    def provider_block(self, body: str) -> Block:
        """The provider's own arguments, which the bindings only name in their writer of HCL."""
        block: Block = {"attributes": {}, "blocks": {}}
        for name, value, is_block, form, kind in re.findall(_HCL.format(" " * 12), body, re.DOTALL):
            if is_block == "true":
                writer = re.search(r"(\w+ToHclTerraform)", value)[1]
                text = self.text[self.text.index(f"function {writer}(") :]
                found = re.findall(_HCL.format(" " * 8), text[: text.index("\n}\n")], re.DOTALL)
                below = {"attributes": {each[0]: _argument(each[3], each[4]) for each in found}, "blocks": {}}
                block["blocks"][name] = {"nesting": "list", "block": below, "min_items": 0, "max_items": 1}
            elif name != "alias":
                block["attributes"][name] = _argument(form, kind)
        return block


def _argument(form: str, kind: str) -> dict[str, Any]:
    scalar = "bool" if kind == "boolean" else kind
    return {"type": scalar if form == "simple" else [form, "string"], "optional": True}


def _scalar(field: str, getter: str) -> Any:
    found = _GETTER.search(getter)
    if not found or found[3] != field or found[2] not in _SCALARS:
        return "dynamic"
    kind = _SCALARS[found[2]]
    return ["set", kind[1]] if found[1] and isinstance(kind, list) else kind


def _collection(name: str, as_set: bool) -> Any:
    kind = _COLLECTIONS[name]
    return ["set", kind[1]] if as_set and kind[0] == "list" else kind


def _as_type(block: Block) -> Any:
    fields = {name: each["type"] for name, each in block["attributes"].items()}
    for name, each in block["blocks"].items():
        kind = _as_type(each["block"])
        fields[name] = [each["nesting"], kind] if each["nesting"] in ("list", "set") else kind
    return ["object", fields]
