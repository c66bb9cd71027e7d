"""Each row of docs/features.yaml has tests that are there, and what it calls refused is refused by the table."""

import ast
from functools import cache
from pathlib import Path

import pytest

from orchestrator.api.wire import evidence, table

TESTS = Path(__file__).parents[2]
ROWS = {row.feature: row for rows in evidence.groups().values() for row in rows}


@cache
def names(path: Path) -> frozenset[str]:
    """What a module of tests has, also from others of ours."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
            listed = {alias.name for alias in node.names}
            source = TESTS.parent / f"{node.module.replace('.', '/')}.py"
            found |= names(source) if listed == {"*"} else listed & names(source)
    return frozenset(found)


@pytest.mark.parametrize("feature", ROWS)
def test_every_feature_has_tests_that_are_there(feature):
    row = ROWS[feature]
    assert row.tests or row.docker
    for test in [*row.tests, *row.docker]:
        path, _, name = test.partition("::")
        assert name.startswith("test_") and name in names(TESTS / path), test
    assert all(test.startswith("container/") for test in row.docker)
    assert not any(test.startswith("container/") for test in row.tests)


@pytest.mark.parametrize("feature", [name for name, row in ROWS.items() if row.refused])
def test_what_is_called_refused_is_refused_by_the_table_and_by_the_test_that_is_named(feature):
    row = ROWS[feature]
    status, code = row.refused.split()
    sources = "".join((TESTS / test.partition("::")[0]).read_text() for test in row.tests)
    assert status == "400" and code in sources
    calls, models = {call.name: call for call in table.calls()}, table.models()
    for at in row.at:
        name, _, member = at.partition(".")
        entry = calls.get(at) or (models[name].fields[member] if member else models[name])
        of_type = models.get(getattr(entry, "type", ""))
        assert entry.refuse or entry.later or (of_type and (of_type.refuse or of_type.later)), at
        assert not member or f'"{member}' in sources or f"{member}=" in sources or f".{member}" in sources, at


def test_rows_have_names_of_their_own_and_one_of_three_verdicts():
    rows = [row for rows in evidence.groups().values() for row in rows]
    assert len(rows) == len(ROWS)
    assert {row.here for row in rows} == {evidence.WORKS, evidence.DIFFERS}
