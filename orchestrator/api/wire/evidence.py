"""Features that are more than one field or call, and where their tests are: the second half of docs/features.md.

They stand in docs/features.yaml; tests/fast/wire/test_evidence.py sees to it that what it names is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

SOURCE = Path(__file__).parents[3] / "docs" / "features.yaml"
WORKS, DIFFERS = "works", "differs"


@dataclass(frozen=True)
class Row:
    """One feature. `refused`: status and code; `at`: the members and calls that are refused. Tests: `PATH::NAME`."""

    feature: str
    here: str = WORKS
    refused: str = ""
    at: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    docker: tuple[str, ...] = ()


def groups() -> dict[str, list[Row]]:
    """The rows by title.

    Raises:
        TypeError: a row has a member that there is not.
    """
    return {entry["title"]: [_row(**row) for row in entry["rows"]] for entry in yaml.safe_load(SOURCE.read_text())}


def _row(feature: str, **members: object) -> Row:
    lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
    return Row(feature, **(members | lists))  # type: ignore[arg-type] - what the file says is checked by its test


def lines() -> Iterator[str]:
    """The part of the document."""
    for title, rows in groups().items():
        yield from (f"### {title}", "", "|feature|here|tests|", "|-|-|-|")
        for row in rows:
            yield f"|{row.feature}|{_verdict(row)}|{_tests(row)}|"
        yield ""


def _verdict(row: Row) -> str:
    if not row.refused:
        return row.here
    return f"refused: {row.refused}" + (f" ({', '.join(f'`{one}`' for one in row.at)})" if row.at else "")


def _tests(row: Row) -> str:
    parts = [", ".join(f"`{test}`" for test in row.tests)] if row.tests else []
    parts += ["Docker: " + ", ".join(f"`{test}`" for test in row.docker)] if row.docker else []
    return "; ".join(parts)
