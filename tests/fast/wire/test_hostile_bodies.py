"""Whatever JSON comes: a canonical body or a WireError that names what is wrong, in any api-version."""

import json
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST, VERSIONS
from orchestrator.api.wire import table
from orchestrator.api.wire.errors import WireError
from orchestrator.api.wire.kinds import REQUESTS
from orchestrator.api.wire.secrets import seal_body
from orchestrator.domain.vault import Vault
from tests.fast.wire.wire_bodies import LOADED

KINDS = sorted(LOADED)
NAMES = sorted({name for model in table.models().values() for name in model.fields})
VAULT = Vault(b"s" * 32)

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "\x00", "\ud800", "../x", "/etc/passwd", "PT1H", "http://[", "9" * 400, "-1", "true", "id" * 40]
    ),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(texts, st.sampled_from(NAMES)), inner, max_size=4)
    ),
    max_leaves=12,
)


def judged(kind, body, version):
    """The outcome of a parse; anything but a canonical body or a good WireError fails the test."""
    try:
        outcome = wire.parse(kind, body, version)
    except WireError as error:
        check_error(error, f"{kind} of {version.name}")
        return None
    for item in outcome if isinstance(outcome, list) else [outcome]:
        if isinstance(item, WireError):
            check_error(item, kind)
        else:
            json.dumps(seal_body("task_add" if kind == "task_collection" else kind, item, VAULT))
    return outcome


def check_error(error, where):
    json.dumps([error.code, error.message, error.values], ensure_ascii=False).encode("utf-8")
    names_it = "PropertyName" in error.values or error.code == "InvalidRequestBody"
    assert names_it and error.code and error.message, where


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=values, version=st.sampled_from(VERSIONS))
def test_any_json_is_taken_or_refused_by_name(kind, body, version):
    judged(kind, body, version)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), version=st.sampled_from([NEWEST, VERSIONS[2], VERSIONS[-3]]))
def test_a_good_body_with_one_member_spoiled_is_taken_or_refused_by_name(kind, data, version):
    body = deepcopy(LOADED[kind])
    holder, key = data.draw(st.sampled_from(places(body)))
    holder[key] = data.draw(values)
    judged(kind, body, version)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fully_loaded_body_is_taken_and_its_canonical_form_is_taken_again_unchanged(kind):
    canonical = judged(kind, deepcopy(LOADED[kind]), NEWEST)
    assert canonical is not None
    if kind not in ("task_collection", "pool_updateproperties", "job_update"):
        assert judged(kind, deepcopy(canonical), NEWEST) == canonical


@pytest.mark.parametrize("kind", REQUESTS)
def test_parsing_leaves_the_request_as_it_was(kind):
    body = deepcopy(LOADED[kind])
    wire.parse(kind, body, NEWEST)
    assert body == LOADED[kind]


@pytest.mark.parametrize("body", [None, [], "x", 5, True])
def test_what_is_no_json_object_is_an_invalid_request_body(body):
    for kind in KINDS:
        if body is None and kind in REQUESTS and REQUESTS[kind].optional:
            continue
        with pytest.raises(WireError) as refused:
            wire.parse(kind, body, NEWEST)
        assert refused.value.code == "InvalidRequestBody"


def places(value):
    """Every place in a JSON value that can be overwritten: (container, key)."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found.append((value, key))
        found += places(inner)
    return found
