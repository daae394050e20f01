"""What is wrong with a file that should be YAML, without what stands in it: beside a slip there may be a password."""

import re
from collections.abc import Iterator
from typing import Final

import yaml

# What PyYAML raises beside its own errors where a value is not what it looks like: 2001-99-99, !!bool x.
NO_VALUE: Final = (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)


def slip(error: Exception, root: yaml.Node | None = None) -> str:
    """The end of a message that begins with the file's name.

    Args:
        error: of `yaml.compose`, or of loading what that has read.
        root: what was read, if anything was.
    """
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        at, begun = error.problem_mark, error.context_mark
        since = f"{error.context}, begun in line {begun.line + 1}, " if error.context and begun is not None else ""
        said = re.sub(r"""\b(alias|anchor|tag|handle) (['"]).*\2""", r"\1", error.problem or "")
        return f":{at.line + 1}:{at.column + 1}: must be YAML. Received: {since}{said}."
    if isinstance(error, yaml.YAMLError):
        return " must be YAML. Received: a character that YAML does not have."
    if isinstance(error, RecursionError):
        return " must be YAML. Received: too many lists or sections within each other."
    line = next((f":{node.start_mark.line + 1}:" for node in _scalars(root) if not _has_value(node)), "")
    return f"{line} must be YAML. Received: a value that is not what it looks like, or not what its tag says."


def _scalars(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.CollectionNode):
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                yield from _scalars(part)


def _has_value(node: yaml.Node) -> bool:
    try:
        yaml.SafeLoader("").construct_object(node)
    except NO_VALUE:
        return False
    return True
