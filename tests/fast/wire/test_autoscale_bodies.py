"""Autoscale in requests and answers at every api-version (spec/autoscale.md, 1 and 7; spec/api.md, 6)."""

import pytest

from orchestrator.api import wire
from orchestrator.api.errors import STATUS
from orchestrator.api.lenses import NEWEST, VERSIONS
from orchestrator.api.wire import present
from orchestrator.api.wire.errors import WireError
from orchestrator.api.wire.rules import Rules
from tests.fast.wire.wire_bodies import MACHINE, small_pool
from tests.fast.wire.wire_facts import BASE, SCALE_RUN, a_pool

FORMULA = "$TargetDedicatedNodes = 3"


def scaled_pool(**members):
    pool = {"id": "p", "vmSize": "standard_a1", "virtualMachineConfiguration": MACHINE, "enableAutoScale": True}
    return pool | {"autoScaleFormula": FORMULA} | members


def refusal(kind, body, at=NEWEST, rules=None):
    with pytest.raises(WireError) as caught:
        wire.parse(kind, body, at, rules)
    return caught.value.code, caught.value.values.get("PropertyName")


REFUSED = [
    ("pool_add", scaled_pool(autoScaleFormula=None), "MissingRequiredProperty", "autoScaleFormula"),
    ("pool_add", scaled_pool(targetDedicatedNodes=0), "InvalidAutoScalingSettings", "targetDedicatedNodes"),
    ("pool_add", scaled_pool(targetLowPriorityNodes=1), "InvalidAutoScalingSettings", "targetLowPriorityNodes"),
    ("pool_add", small_pool(autoScaleFormula=FORMULA), "InvalidAutoScalingSettings", "autoScaleFormula"),
    (
        "pool_add",
        small_pool(enableAutoScale=False, autoScaleEvaluationInterval="PT5M"),
        "InvalidAutoScalingSettings",
        "autoScaleEvaluationInterval",
    ),
    ("pool_add", scaled_pool(autoScaleFormula="x ="), "AutoScalingFormulaSyntaxError", "autoScaleFormula"),
    ("pool_add", scaled_pool(autoScaleFormula="x" * 8193), "AutoScaleFormulaTooLong", "autoScaleFormula"),
    ("pool_add", scaled_pool(autoScaleFormula=3), "InvalidPropertyValue", "autoScaleFormula"),
    ("pool_enable_autoscale", {"autoScaleFormula": "x = "}, "AutoScalingFormulaSyntaxError", "autoScaleFormula"),
    ("pool_enable_autoscale", {"autoScaleFormula": "x" * 8193}, "AutoScaleFormulaTooLong", "autoScaleFormula"),
    ("pool_enable_autoscale", {"targetDedicatedNodes": 1}, "UnsupportedProperty", "targetDedicatedNodes"),
    ("pool_evaluate_autoscale", {"autoScaleFormula": "1 2"}, "AutoScalingFormulaSyntaxError", "autoScaleFormula"),
    ("pool_evaluate_autoscale", {}, "MissingRequiredProperty", "autoScaleFormula"),
    *(
        (kind, body | {"autoScaleEvaluationInterval": interval}, "InvalidPropertyValue", "autoScaleEvaluationInterval")
        for kind, body in (("pool_add", scaled_pool()), ("pool_enable_autoscale", {}))
        for interval in ("PT4M59S", "PT168H1S", "soon")
    ),
]


@pytest.mark.parametrize(("kind", "body", "code", "name"), REFUSED)
def test_what_does_not_fit_is_refused_with_the_codes_of_the_service(kind, body, code, name):
    assert refusal(kind, body) == (code, name)
    assert STATUS[code] == 400


def test_a_syntax_error_names_line_and_column():
    with pytest.raises(WireError, match="Line 2, Col 5"):
        wire.parse("pool_enable_autoscale", {"autoScaleFormula": "a = 1;\nb = ;"}, NEWEST)


@pytest.mark.parametrize("at", VERSIONS, ids=str)
def test_every_version_may_add_a_pool_that_sizes_itself(at):
    pool = wire.parse("pool_add", scaled_pool(autoScaleEvaluationInterval="PT06M"), at)
    assert pool["enableAutoScale"] is True and pool["autoScaleFormula"] == FORMULA
    assert pool["autoScaleEvaluationInterval"] == "PT6M" and pool["targetDedicatedNodes"] == 0
    assert wire.parse("pool_add", scaled_pool(), at)["autoScaleEvaluationInterval"] == "PT15M"
    name = "targetDedicated" if at < "5.0" else "targetDedicatedNodes"
    assert refusal("pool_add", scaled_pool(**{name: 1}), at) == ("InvalidAutoScalingSettings", name)


def test_the_shortest_interval_is_a_setting():
    rules = Rules(min_autoscale_interval_us=1_000_000)
    body = {"autoScaleEvaluationInterval": "PT1S"}
    assert wire.parse("pool_enable_autoscale", body, NEWEST, rules) == body
    assert refusal("pool_enable_autoscale", {"autoScaleEvaluationInterval": "PT0.9S"}, rules=rules)[1]


@pytest.mark.parametrize("at", VERSIONS, ids=str)
def test_a_run_is_shown_with_its_error_and_before_5_0_with_the_one_target_of_that_time(at):
    pool = wire.render("pool", present.pool_object(a_pool(scale_interval_us=1, scale_run=SCALE_RUN), BASE), at)
    for run in (pool["autoScaleRun"], wire.render("autoscale_run", SCALE_RUN, at)):
        assert run["timestamp"] == "2026-01-02T03:04:05.1234560Z"
        assert run["error"]["values"] == [{"name": "Message", "value": "Line 1, Col 1: m"}]
        if at < "5.0":
            assert run["results"] == "$TargetDedicated=2;$NodeDeallocationOption=requeue;x=1"
        else:
            assert run["results"] == SCALE_RUN["results"]


def test_a_pool_that_does_not_size_itself_shows_no_run():
    assert "autoScaleRun" not in present.pool_object(a_pool(scale_run=SCALE_RUN), BASE)
