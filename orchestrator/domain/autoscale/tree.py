"""What a formula is made of. Chains of operators are flat, so that only real nesting makes a tree deep."""

from dataclasses import dataclass
from typing import Union

from orchestrator.domain.autoscale.errors import Place


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    at: Place


@dataclass(frozen=True, slots=True)
class Vector:
    """`[1, 2]`"""

    items: "tuple[Node, ...]"
    at: Place


@dataclass(frozen=True, slots=True)
class Call:
    """`avg(x, y)`"""

    name: str
    arguments: "tuple[Node, ...]"
    at: Place


@dataclass(frozen=True, slots=True)
class Member:
    """`t.hour`, or with arguments (perhaps none) a method: `$ActiveTasks.Count()`."""

    base: "Node"
    name: str
    arguments: "tuple[Node, ...] | None"
    at: Place


@dataclass(frozen=True, slots=True)
class Prefix:
    """`-x`, `!x`"""

    operator: str
    operand: "Node"
    at: Place


@dataclass(frozen=True, slots=True)
class Chain:
    """`a + b - c`: operators of one precedence, applied from the left."""

    first: "Node"
    rest: "tuple[tuple[str, Node, Place], ...]"


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? value : otherwise`. In a chain of them `otherwise` is the next one; whoever walks it must loop."""

    condition: "Node"
    value: "Node"
    otherwise: "Node"
    at: Place


Node = Union[Number, Text, Name, Vector, Call, Member, Prefix, Chain, Conditional]  # noqa: UP007 - forward references


@dataclass(frozen=True, slots=True)
class Statement:
    """`target = value`, or a bare expression (target is empty)."""

    target: str
    value: Node
    at: Place


@dataclass(frozen=True, slots=True)
class Formula:
    text: str
    statements: tuple[Statement, ...]
