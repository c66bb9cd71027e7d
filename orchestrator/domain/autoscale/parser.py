"""Text to tree (spec/autoscale.md, 1 to 3). lark finds the structure; what is built here is ours."""

from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from orchestrator.domain.autoscale import tree
from orchestrator.domain.autoscale.errors import FormulaSyntaxError, FormulaTooLong, Place
from orchestrator.domain.autoscale.tree import Formula, Node, Statement

LENGTH = 8192
"""Most characters of a formula."""
STATEMENTS = 100
NESTING = 100
"""Deepest tree: evaluation recurses once per level. Chains of operators and of `? :` are one level."""

Deep = tuple[Node, int, Place]
"""A subtree, how deep it is, and where it begins."""


def parse(text: str) -> Formula:
    """The tree of a formula.

    Raises:
        FormulaTooLong: more than `LENGTH` characters.
        FormulaSyntaxError: names line and column.
    """
    if len(text) > LENGTH:
        raise FormulaTooLong(f"The formula has {len(text)} characters, at most {LENGTH} are allowed.")
    return _parsed(text)


@lru_cache(maxsize=64)
def _parsed(text: str) -> Formula:
    try:
        statements = _parser().parse(text)
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedInput as error:
        raise _told(error, text) from None
    if len(statements) > STATEMENTS:
        at = statements[STATEMENTS].at
        raise FormulaSyntaxError(f"there are {len(statements)} statements, at most {STATEMENTS} are allowed", at)
    return Formula(text, tuple(statements))


@cache
def _parser() -> Lark:
    grammar = files("orchestrator.domain.autoscale").joinpath("formula.lark").read_text()
    return Lark(grammar, start="formula", parser="lalr", transformer=_Build(), maybe_placeholders=False)


def _told(error: UnexpectedInput, text: str) -> FormulaSyntaxError:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        lines = text.split("\n")
        return FormulaSyntaxError("the formula ends in the middle of a statement", (len(lines), len(lines[-1]) + 1))
    if isinstance(error, UnexpectedToken):
        found = f"unexpected '{error.token[:40]}'"
    elif isinstance(error, UnexpectedCharacters):
        found = f"unexpected character {text[error.pos_in_stream]!r}"
    else:
        found = "not a formula"
    return FormulaSyntaxError(found, (error.line, error.column))


def _place(token: Token) -> Place:
    return token.line or 1, token.column or 1


def _over(parts: tuple[Deep, ...], at: Place) -> int:
    """The depth of a node above these parts."""
    depth = 1 + max((depth for _, depth, _ in parts), default=0)
    if depth > NESTING:
        raise FormulaSyntaxError(f"nested more than {NESTING} deep", at)
    return depth


def _nodes(parts: tuple[Deep, ...]) -> tuple[Node, ...]:
    return tuple(node for node, _, _ in parts)


@v_args(inline=True)
class _Build(Transformer[Token, Any]):
    """Called by the parser as it recognises each part, the innermost first."""

    def number(self, token: Token) -> Deep:
        return tree.Number(float(token)), 1, _place(token)

    def text(self, token: Token) -> Deep:
        return tree.Text(str(token[1:-1])), 1, _place(token)

    def name(self, token: Token) -> Deep:
        return tree.Name(str(token), _place(token)), 1, _place(token)

    def arguments(self, *parts: Deep) -> tuple[Deep, ...]:
        return parts

    def vector(self, opened: Token, parts: tuple[Deep, ...]) -> Deep:
        at = _place(opened)
        return tree.Vector(_nodes(parts), at), _over(parts, at), at

    def call(self, name: Token, parts: tuple[Deep, ...]) -> Deep:
        at = _place(name)
        return tree.Call(str(name), _nodes(parts), at), _over(parts, at), at

    def member(self, base: Deep, name: Token) -> Deep:
        at = _place(name)
        return tree.Member(base[0], str(name), None, at), _over((base,), at), base[2]

    def method(self, base: Deep, name: Token, parts: tuple[Deep, ...]) -> Deep:
        at = _place(name)
        return tree.Member(base[0], str(name), _nodes(parts), at), _over((base, *parts), at), base[2]

    def prefix(self, operator: Token, operand: Deep) -> Deep:
        at = _place(operator)
        return tree.Prefix(str(operator), operand[0], at), _over((operand,), at), at

    def chain(self, *parts: Any) -> Deep:
        operands, operators = parts[::2], parts[1::2]
        rest = tuple((str(o), p[0], _place(o)) for o, p in zip(operators, operands[1:], strict=True))
        at = operands[0][2]
        return tree.Chain(operands[0][0], rest), _over(operands, at), at

    def conditional(self, condition: Deep, value: Deep, otherwise: Deep) -> Deep:
        """Another conditional in the last place is walked by a loop, so it does not make this one deeper."""
        at, last = condition[2], otherwise[0]
        below = _over((condition, value), at)
        depth = otherwise[1] if isinstance(last, tree.Conditional) else _over((otherwise,), at)
        return tree.Conditional(condition[0], value[0], last, at), max(below, depth), at

    def assignment(self, name: Token, value: Deep) -> Statement:
        return Statement(str(name), value[0], _place(name))

    def bare(self, value: Deep) -> Statement:
        return Statement("", value[0], value[2])

    def formula(self, *statements: Statement) -> list[Statement]:
        return list(statements)
