"""File patterns of output files (spec/behaviour.md, 16). Pure, except for `find`, which walks.

`*` any run within a segment, `**` any directories, `?` one character, `[abc]`
`[a-c]` `[!abc]` one of or none of; a leading dot must be written out; variables
`$NAME` and `${NAME}` are expanded first.
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

_WILD = re.compile(r"[*?\[]")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


def expand(pattern: str, environment: Mapping[str, str]) -> str:
    """Replace variables by their values; unknown ones stay as they are."""
    return _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], found[0]), pattern)


def split(pattern: str) -> tuple[str, str]:
    """Part before the first segment with a wildcard, and the rest; the rest is empty without wildcards."""
    segments = pattern.split("/")
    for index, segment in enumerate(segments):
        if _WILD.search(segment):
            base = "/".join(segments[:index])
            return ("/" if pattern.startswith("/") and not base else base), "/".join(segments[index:])
    return pattern, ""


@lru_cache(maxsize=512)
def segment(pattern: str) -> re.Pattern[str]:
    """Regular expression for one segment of a pattern, `**` apart."""
    parts = []
    position = 0
    while position < len(pattern):
        part, position = _part(pattern, position)
        parts.append(part)
    hidden = "" if pattern.startswith(".") else r"(?!\.)"
    return re.compile(hidden + "".join(parts), re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """Whether a relative path, segments parted by single slashes, matches the wildcard part of a pattern."""
    return _match(_segments(pattern), path.split("/"))


def find(base: str, pattern: str) -> Iterator[str]:
    """Paths of files below the directory `base` that match, relative to it, in order of names.

    Directories that cannot be read are passed over; links to directories are not entered.
    """
    yield from _walk(base, "", _segments(pattern))


def _segments(pattern: str) -> tuple[str, ...]:
    found: list[str] = []
    for part in pattern.split("/"):
        if part not in ("", ".") and not (part == "**" and found and found[-1] == "**"):
            found.append(part)
    if found and found[-1] == "**":
        found.append("*")  # a trailing ** means all files below
    return tuple(found)


def _match(pattern: tuple[str, ...], path: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        if _match(pattern[1:], path):
            return True
        return bool(path) and not path[0].startswith(".") and _match(pattern, path[1:])
    return bool(path) and segment(pattern[0]).fullmatch(path[0]) is not None and _match(pattern[1:], path[1:])


def _walk(base: str, prefix: str, *rests: tuple[str, ...]) -> Iterator[str]:
    """Walk once with all the ways the pattern may go on from here, so no file is found twice."""
    ways = {way for rest in rests for way in _closure(rest)}
    try:
        with os.scandir(os.path.join(base, prefix) if prefix else base) as entries:
            here = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in here:
        path = f"{prefix}/{entry.name}" if prefix else entry.name
        if entry.is_dir(follow_symlinks=False):
            deeper = _deeper(ways, entry.name)
            if deeper:
                yield from _walk(base, path, *deeper)
        elif entry.is_file() and any(_is_last(way, entry.name) for way in ways):
            yield path


def _closure(way: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [way, way[1:]] if way and way[0] == "**" else [way]


def _is_last(way: tuple[str, ...], name: str) -> bool:
    return len(way) == 1 and way[0] != "**" and segment(way[0]).fullmatch(name) is not None


def _deeper(ways: set[tuple[str, ...]], name: str) -> set[tuple[str, ...]]:
    found = set()
    for way in ways:
        if way and way[0] == "**":
            if not name.startswith("."):
                found.add(way)
        elif len(way) > 1 and segment(way[0]).fullmatch(name):
            found.add(way[1:])
    return found


def _part(pattern: str, position: int) -> tuple[str, int]:
    char = pattern[position]
    if char == "*":
        return "[^/]*", position + 1
    if char == "?":
        return "[^/]", position + 1
    if char == "[":
        end = pattern.find("]", position + 3 if pattern[position + 1 : position + 2] == "!" else position + 2)
        if end > 0:
            return _class(pattern[position + 1 : end]), end + 1
    return re.escape(char), position + 1


def _class(body: str) -> str:
    negated = body.startswith("!")
    body = body[1:] if negated else body
    parts, index = [], 0
    while index < len(body):
        if index + 2 < len(body) and body[index + 1] == "-":
            low, high = body[index], body[index + 2]
            parts.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
            index += 3
        else:
            parts.append(re.escape(body[index]))
            index += 1
    inside = "".join(parts)
    if not inside:
        return "[^/]" if negated else r"(?!)"
    return f"(?!/)[{'^' if negated else ''}{inside}]"


def escape(name: str) -> str:
    """A pattern that matches this name only."""
    return re.sub(r"([*?\[])", r"[\1]", name)
