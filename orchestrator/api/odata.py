"""`$filter` and `$select` (spec/api.md, 1.2 and 1.3), over newest canonical wire objects.

odata-query does the parsing. It speaks OData 4 and not the service's dialect, so two things are put
right before: `DateTime'...'` becomes an OData 4 literal, and property names get an underscore, because
the library takes the beginning of `allocationState` for the keyword `all`.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from orchestrator.api.lenses.versions import Version
from orchestrator.api.wire import table
from orchestrator.api.wire.errors import WireError, printable
from orchestrator.api.wire.kinds import ANSWERS
from orchestrator.domain import times

Predicate = Callable[[dict[str, Any]], bool]
MAX_CHARS = 8_192
MAX_DEPTH = 32

_ORDER = frozenset(("eq", "ne", "gt", "ge", "lt", "le"))
_EQUAL = frozenset({"eq", "ne"})
_ONLY = frozenset({"eq"})
_TEXT = ("text", _ORDER | {"startswith"})
_ENUM = ("text", _EQUAL)
_STATE = ("text", _ONLY)
_FLAG = ("flag", _EQUAL)
_TIME = ("time", _ORDER)
_NUMBER = ("number", _ORDER)

FIELDS: dict[str, dict[str, tuple[str, frozenset[str]]]] = {
    "pool": {
        "id": _TEXT,
        **dict.fromkeys(("state", "vmSize"), _ENUM),
        "allocationState": _STATE,
        **dict.fromkeys(("enableAutoScale", "enableInterNodeCommunication"), _FLAG),
        **dict.fromkeys(
            ("stateTransitionTime", "allocationStateTransitionTime", "creationTime", "lastModified"), _TIME
        ),
    },
    "job": {
        **dict.fromkeys(("id", "executionInfo/poolId"), _TEXT),
        "state": _ENUM,
        **dict.fromkeys(("stateTransitionTime", "creationTime", "lastModified"), _TIME),
        **dict.fromkeys(("executionInfo/startTime", "executionInfo/endTime"), _TIME),
    },
    "job_tasks": {
        **dict.fromkeys(("poolId", "nodeId"), _ENUM),
        **{
            f"{info}/{name}": rule
            for info in ("jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo")
            for name, rule in (
                ("state", _ENUM),
                ("result", _ENUM),
                ("startTime", _TIME),
                ("endTime", _TIME),
                ("exitCode", _NUMBER),
            )
        },
    },
    "schedule": {
        "id": _TEXT,
        "state": _ENUM,
        **dict.fromkeys(("stateTransitionTime", "creationTime", "lastModified", "executionInfo/endTime"), _TIME),
        **dict.fromkeys(("schedule/doNotRunUntil", "schedule/doNotRunAfter"), _TIME),
    },
    "task": {
        "id": _TEXT,
        **dict.fromkeys(("state", "executionInfo/result"), _ENUM),
        **dict.fromkeys(("stateTransitionTime", "creationTime", "lastModified", "lastModifiedTime"), _TIME),
        **dict.fromkeys(("executionInfo/startTime", "executionInfo/endTime"), _TIME),
        "executionInfo/exitCode": _NUMBER,
    },
    "node": {
        "id": _TEXT,
        **dict.fromkeys(("state", "startTaskInfo/result"), _ENUM),
        "startTaskInfo/state": _STATE,
        **dict.fromkeys(("stateTransitionTime", "lastBootTime", "allocationTime"), _TIME),
        **dict.fromkeys(("startTaskInfo/startTime", "startTaskInfo/endTime"), _TIME),
        "startTaskInfo/exitCode": _NUMBER,
    },
    "certificate": {"state": _ENUM, "stateTransitionTime": _TIME},
    "image": dict.fromkeys(("osType", "verificationType", "nodeAgentSKUId"), _ENUM),
    "node_agent_sku": {"osType": _ENUM},
    "node_counts": {"poolId": _STATE},
    "usage_metrics": {"poolId": ("text", frozenset(("eq", "gt", "ge", "lt", "le", "startswith")))},
    "node_file": {"name": ("text", frozenset({"startswith"}))},
}
_ALIASES = {"lastModifiedTime": "lastModified"}  # the documented name of a task's; the property has the other
_SINCE = {("task", "executionInfo/result"): "7.0"}

_TOKEN = re.compile(
    r"(?P<moment>datetime'(?P<when>[^']*)')|(?P<string>'(?:[^']|'')*')|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|(?P<date>\d{4}-\d\d-\d\d)",
    re.IGNORECASE,
)
_KEYWORDS = frozenset(
    [
        "and",
        "or",
        "not",
        "eq",
        "ne",
        "gt",
        "ge",
        "lt",
        "le",
        "startswith",
        "true",
        "false",
        "null",
        "add",
        "sub",
        "mul",
        "div",
        "mod",
        "in",
    ]
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
}
_OPERATORS = {ast.Eq: "eq", ast.NotEq: "ne", ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le"}
_MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


class _Wrong(Exception):
    """What is wrong with a filter, in one sentence."""


def filter_for(kind: str, text: str, version: Version | None = None) -> Predicate:
    """A predicate over wire objects of a render kind; `version` refuses what came later.

    Raises:
        WireError: `InvalidQueryParameterValue`: syntax, a property or an operator that is not offered.
    """
    if len(text) > MAX_CHARS:
        raise _refused("$filter", text, f"longer than {MAX_CHARS} characters")
    try:
        return _compiled(kind, text, version)
    except _Wrong as wrong:
        raise _refused("$filter", text, str(wrong)) from None


def select_for(kind: str, text: str, version: Version | None = None) -> list[str]:
    """The top-level members that `$select` names, of the version or of any.

    Raises:
        WireError: `InvalidQueryParameterValue` for an unknown or empty name.
    """
    model = ANSWERS[kind]
    known = table.fields_of(model, version) if version else table.models()[model].fields
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise _refused("$select", text, f"no property {printable(name)[:64]!r}")
    return names


def _refused(parameter: str, value: str, reason: str) -> WireError:
    return WireError(
        "InvalidQueryParameterValue",
        f"The value of the query parameter {parameter} is invalid: {reason}",
        {"QueryParameterName": parameter, "QueryParameterValue": value[:256], "Reason": reason},
    )


@lru_cache(maxsize=512)
def _compiled(kind: str, text: str, version: Version | None) -> Predicate:
    fields = {
        path: rule
        for path, rule in FIELDS[kind].items()
        if version is None or (kind, path) not in _SINCE or version >= _SINCE[kind, path]
    }
    try:
        tree = ODataParser().parse(ODataLexer().tokenize(_modern(text)))
    # odata_query raises NotImplementedError for grammar that it lacks: refused by name, like any other wrong filter
    except (ODataException, NotImplementedError, RecursionError, ValueError) as error:
        raise _Wrong("its syntax is wrong") from error
    if tree is None:
        raise _Wrong("it is empty")
    return _predicate(tree, fields, MAX_DEPTH)


def _modern(text: str) -> str:
    """The filter in OData 4, every property name with an underscore before it."""

    def replaced(found: re.Match[str]) -> str:
        if found["moment"]:
            return _moment(found["when"])
        if found["date"]:
            raise _Wrong("a time is written DateTime'2011-05-08T08:49:37Z'")
        word = found["word"]
        return f"_{word}" if word and word not in _KEYWORDS else found[0]

    return _TOKEN.sub(replaced, text.strip())


def _moment(text: str) -> str:
    for read in (times.parse_iso, times.parse_http):
        try:
            return times.iso(read(text.strip()))
        except ValueError:
            continue
    raise _Wrong(f"{printable(text)[:64]!r} is no time")


def _predicate(node: Any, fields: dict[str, Any], depth: int) -> Predicate:
    if depth == 0:
        raise _Wrong("it is nested too deeply")
    if isinstance(node, ast.BoolOp):
        parts = [_predicate(part, fields, depth - 1) for part in _operands(node)]
        if isinstance(node.op, ast.And):
            return lambda whole: all(part(whole) for part in parts)
        return lambda whole: any(part(whole) for part in parts)
    if isinstance(node, ast.Compare):
        return _comparison(node, fields)
    if isinstance(node, ast.Call) and node.func.name == "startswith":
        return _starts_with(node, fields)
    raise _Wrong("it holds something else than comparisons, startswith, and, or")


def _operands(node: ast.BoolOp) -> list[Any]:
    """The terms of a chain of the same operator, so that long chains do not nest."""
    terms: list[Any] = []
    left: Any = node
    while isinstance(left, ast.BoolOp) and type(left.op) is type(node.op):
        terms.append(left.right)
        left = left.left
    return [left, *reversed(terms)]


def _comparison(node: ast.Compare, fields: dict[str, Any]) -> Predicate:
    operator, left, right = _OPERATORS.get(type(node.comparator)), node.left, node.right
    if operator is None:
        raise _Wrong("an operator is not offered")
    if not isinstance(left, ast.Identifier | ast.Attribute):
        left, right, operator = right, left, _MIRRORED.get(operator, operator)
    path, kind = _property(left, operator, fields)
    wanted, compare = _literal(right, kind, path), _COMPARE[operator]
    get = _getter(path)

    def holds(whole: dict[str, Any]) -> bool:
        value = get(whole)
        if value is None:
            return operator == "ne"
        return compare(value.lower() if kind == "text" else value, wanted)

    return holds


def _starts_with(node: ast.Call, fields: dict[str, Any]) -> Predicate:
    path, kind = _property(node.args[0], "startswith", fields)
    wanted, get = _literal(node.args[1], kind, path), _getter(path)
    return lambda whole: (get(whole) or "").lower().startswith(wanted)


def _property(node: Any, operator: str, fields: dict[str, Any]) -> tuple[str, str]:
    path = _path(node)
    if path not in fields:
        raise _Wrong(f"the property {path!r} cannot be filtered by" if path else "a property is needed on one side")
    kind, operators = fields[path]
    if operator not in operators:
        raise _Wrong(f"the operator {operator} is not offered for {path}")
    return _ALIASES.get(path, path), kind


def _path(node: Any) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_path(node.owner)}/{node.attr.removeprefix('_')}"
    if isinstance(node, ast.Identifier) and not node.namespace:
        return node.name.removeprefix("_")
    return ""


def _literal(node: Any, kind: str, path: str) -> Any:
    if kind == "text" and isinstance(node, ast.String):
        return node.val.lower()
    if kind == "time" and isinstance(node, ast.DateTime):
        return node.val
    if kind == "flag" and isinstance(node, ast.Boolean):
        return node.val.lower() == "true"
    if kind == "number" and isinstance(node, ast.Integer) and len(node.val) < 20:
        return int(node.val)
    raise _Wrong(f"the value that {path} is compared with has the wrong type")


def _getter(path: str) -> Callable[[dict[str, Any]], Any]:
    first, _, second = path.partition("/")
    if not second:
        return lambda whole: whole.get(first)
    return lambda whole: (whole.get(first) or {}).get(second)
