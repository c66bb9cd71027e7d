"""How results are shown: a table for people, JSON for programs, nothing else on stdout."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def as_json(value: Any) -> None:
    """One JSON document."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str = "nothing here") -> None:
    """Aligned columns, one line per row however long: it can be grepped. Values are shown literally."""
    lines = [["" if value is None else _one_line(str(value)) for value in row] for row in rows]
    if not lines:
        err.print(Text(empty))
        return
    widths = [max(map(cell_len, column)) for column in zip(columns, *lines, strict=True)]
    out.print(Text(_aligned(columns, widths), "bold"))
    for line in lines:
        out.print(Text(_aligned(line, widths)))


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(set_cell_size(value, width) for value, width in zip(line, widths, strict=True)).rstrip()


def _one_line(value: str) -> str:
    return " ".join(value.splitlines())


def show(value: dict[str, Any], json_too: bool) -> None:
    """One resource: as it came, or its members one per line."""
    if json_too:
        as_json(value)
        return
    for name, member in value.items():
        if name.startswith("odata."):
            continue
        text = json.dumps(member, ensure_ascii=False) if isinstance(member, dict | list) else str(member)
        out.print(Text.assemble((f"{name}: ", "bold"), text))


def say(text: str) -> None:
    """A line for people; programs read stdout."""
    err.print(Text(text))


def ago(stamp: str | None) -> str:
    """How long ago an ISO-8601 time was, roughly."""
    if not stamp:
        return ""
    seconds = (datetime.now(UTC) - _moment(stamp)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(0, seconds):.0f}s"


def age_seconds(stamp: str) -> float:
    """Age of an ISO-8601 time in seconds."""
    return (datetime.now(UTC) - _moment(stamp)).total_seconds()


def _moment(stamp: str) -> datetime:
    # Seven fractional digits are one more than Python reads before 3.11; from then on the rest is cut off.
    return datetime.fromisoformat(stamp.replace("Z", "+00:00"))
