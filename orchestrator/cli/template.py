"""Command templates with GNU parallel's replacement strings. Pure.

    {}    the input             {.}   without its extension
    {/}   its last part         {/.}  the last part without its extension
    {//}  its folder            {#}   the task's number, from 1

Every replacement is quoted for /bin/sh, so an input means itself, whatever it holds.
"""

import re
import shlex

_REPLACEMENT = re.compile(r"\{(|\.|/|/\.|//|#)\}")


def expand(template: str, value: str, number: int) -> str:
    """The shell command for one input. A template without a replacement string gets the input as its last word."""
    if not _REPLACEMENT.search(template):
        template = f"{template} {{}}"
    return _REPLACEMENT.sub(lambda found: _replacement(found[1], value, number), template)


def _replacement(kind: str, value: str, number: int) -> str:
    return str(number) if kind == "#" else shlex.quote(part(kind, value))


def part(kind: str, value: str) -> str:
    """The piece of an input that a replacement string stands for, not yet quoted."""
    match kind:
        case ".":
            return without_extension(value)
        case "/":
            return basename(value)
        case "/.":
            return without_extension(basename(value))
        case "//":
            return dirname(value)
        case _:
            return value


def without_extension(value: str) -> str:
    """Cut from the last dot of the last part on."""
    head, dot, tail = value.rpartition(".")
    return value if not dot or not tail or "/" in tail else head


def basename(value: str) -> str:
    return value.rpartition("/")[2]


def dirname(value: str) -> str:
    """As dirname(1) has it: `.` for a plain name, `/` for what lies in the root."""
    stripped = value.rstrip("/")
    if value and not stripped:
        return "/"
    head, slash, _ = stripped.rpartition("/")
    if not slash:
        return "."
    return head.rstrip("/") or "/"


def command_line(script: str) -> str:
    """A task's command line that runs the script under /bin/sh, quoted for the agent's word splitting."""
    return f"/bin/sh -c {shlex.quote(script)}"
