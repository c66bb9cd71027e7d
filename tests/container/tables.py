"""Tables of what was tried, as tests that passed noted it; `pytest -s` prints them at its end, ready to be pasted."""

from collections.abc import Iterator

_seen: dict[str, dict[str, dict[str, str]]] = {}


def note(table: str, row: str, column: str, what: str) -> None:
    """What was seen at one place of a table."""
    _seen.setdefault(table, {}).setdefault(row, {})[column] = what


def lines() -> Iterator[str]:
    """Every table in Markdown."""
    for table, rows in _seen.items():
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        yield from ("", f"|{table}|{'|'.join(columns)}|", "|-" * (len(columns) + 1) + "|")
        for name, row in rows.items():
            yield f"|{name}|{'|'.join(row.get(column, '') for column in columns)}|"
