"""Conditions of tasks: the part of Google's CEL that TFX's compiler writes.

Comparisons with ==, < and >, joined by && and ||, turned by !, of numbers, strings and what an input artifact says of
itself: `inputs.artifacts['model'].artifacts[0].metadata['blessed']`.
"""

import ast
import operator
import re
from collections.abc import Mapping
from typing import Any, Final

_COMPARED: Final = {ast.Eq: operator.eq, ast.Lt: operator.lt, ast.Gt: operator.gt}
_IN_PYTHON: Final = {"&&": " and ", "||": " or ", "!": " not "}
_TOKEN: Final = re.compile(r"'[^']*'|&&|\|\||!(?!=)")


def holds(condition: str, artifacts: Mapping[str, Any]) -> bool:
    """Whether a condition holds.

    Args:
        condition: as a task's trigger policy has it.
        artifacts: the task's inputs as JSON-able values, key -> {"artifacts": [{"uri", "metadata"}]}.

    Raises:
        ValueError: the condition says something else than what is known here.
        LookupError: it asks for an artifact or a property that is not there.
    """
    python = _TOKEN.sub(lambda token: _IN_PYTHON.get(token[0], token[0]), condition)
    try:
        tree = ast.parse(python.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"A condition must be of TFX's kind. Received: {condition}.") from error
    return bool(_value(tree, {"artifacts": dict(artifacts)}))


def _value(node: ast.AST, inputs: Mapping[str, Any]) -> Any:  # noqa: PLR0911 (one case a kind of node)
    match node:
        case ast.Constant(value=float() | int() | str() as value):
            return value
        case ast.Name(id="inputs"):
            return inputs
        case ast.Attribute(value=of, attr=name):
            return _value(of, inputs)[name]
        case ast.Subscript(value=of, slice=key):
            return _value(of, inputs)[_value(key, inputs)]
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)(_value(value, inputs) for value in values)
        case ast.UnaryOp(op=ast.Not() | ast.USub() as op, operand=operand):
            value = _value(operand, inputs)
            return not value if isinstance(op, ast.Not) else -value
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARED:
            return _COMPARED[type(op)](_value(left, inputs), _value(right, inputs))
    raise ValueError(f"A condition must be of TFX's kind. Received: {ast.unparse(node)}.")
