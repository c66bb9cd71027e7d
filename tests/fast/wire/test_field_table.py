"""The one table, the canonical models and docs/features.md tell the same story."""

from typing import get_args, get_origin, get_type_hints

import pytest
import typing_extensions

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST, VERSIONS
from orchestrator.api.wire import features, table
from orchestrator.api.wire.kinds import ANSWERS, REQUESTS

SCALARS = {"str", "int", "bool", "datetime", "duration", "int64s", "double", "map", "object"}


def test_features_md_is_what_the_table_says():
    assert features.main(["--check"]) == 0, "run: python -m orchestrator.api.wire.features"


def test_every_kind_is_a_model_of_the_table():
    for name in [request.model for request in REQUESTS.values()] + list(ANSWERS.values()):
        assert name in table.models()


def test_every_version_range_names_versions_that_exist():
    codes = {version.code for version in VERSIONS} | {""}
    spans = [model.span for model in table.models().values()] + [call.span for call in table.calls()]
    spans += [span for model in table.models().values() for field in model.fields.values() for span in field.spans]
    assert {code for span in spans for code in (span.since, span.until)} <= codes


def test_every_type_is_a_scalar_an_enum_or_a_model():
    types = {field.type for model in table.models().values() for field in model.fields.values()}
    unknown = {name for name in types if name not in SCALARS and name not in table.models() and not name[0].isupper()}
    assert unknown == set()


def typed_dict(hint):
    """The TypedDict inside an annotation, or None."""
    if typing_extensions.is_typeddict(hint):
        return hint
    inner = [found for argument in get_args(hint) if (found := typed_dict(argument))] if get_origin(hint) else []
    return inner[0] if inner else None


def walk(model, type_):
    """Every pair of a model of the table and the TypedDict that is its canonical form."""
    yield model, type_
    for name, hint in get_type_hints(type_, include_extras=True).items():
        inner = typed_dict(hint)
        if inner:
            yield from walk(table.models()[model.fields[name].type], inner)


@pytest.mark.parametrize("kind", REQUESTS)
def test_the_canonical_model_has_exactly_what_the_table_lets_through(kind):
    for model, type_ in walk(table.models()[REQUESTS[kind].model], REQUESTS[kind].type):
        let_through = {field.name for field in model.fields.values() if passes(field)}
        assert set(get_type_hints(type_)) == let_through, model.name


def passes(field):
    """May the field get past the gate into canonical form, with one value at least?"""
    whole = table.models().get(field.type)
    blocked = (field.later and not field.later_for) or field.refuse or (whole and (whole.later or whole.refuse))
    if field.old or field.readonly:
        return False
    holds_only_old = whole is not None and not any(passes(inner) for inner in whole.fields.values())
    return not holds_only_old and (not blocked or any(value not in ([], {}) for value in field.allows))


def test_the_openapi_schemas_have_every_kind_of_request_and_resolve():
    schemas = wire.schemas()
    assert set(REQUESTS) | {"task_collection"} <= set(schemas)
    assert schemas["TaskAdd"]["properties"]["requiredSlots"]["minimum"] == 1
    assert set(references(schemas)) <= {f"#/components/schemas/{name}" for name in schemas}


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_secret_of_the_table_that_a_request_may_hold_is_text():
    secrets = [field for model in table.models().values() for field in model.fields.values() if field.secret]
    assert {field.type for field in secrets} == {"str"}
    assert all(field.known_to(NEWEST) or field.old or field.dropped for field in secrets)
