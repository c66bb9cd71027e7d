"""How a measurement is shown: a table for people, then one JSON object as the last line for programs."""

import json
import os
from collections.abc import Mapping, Sequence


def show(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows as a table; the columns are those of the first row, in its order."""
    print(f"\n{title}", flush=True)
    names = list(rows[0])
    cells = [names, *([_text(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)), flush=True)


def finish(result: Mapping[str, object]) -> None:
    """Print the JSON line, with what the machine was doing: figures of a busy machine are not to be compared."""
    print(json.dumps({**_rounded(result), "cores": os.cpu_count(), "load_1m": round(os.getloadavg()[0], 1)}))


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return str(value)


def _rounded(value: object) -> dict:
    return {name: _round_one(one) for name, one in dict(value).items()}  # type: ignore[call-overload]


def _round_one(value: object) -> object:
    if isinstance(value, Mapping):
        return _rounded(value)
    if isinstance(value, list):
        return [_round_one(one) for one in value]
    return round(value, 3) if isinstance(value, float) else value
