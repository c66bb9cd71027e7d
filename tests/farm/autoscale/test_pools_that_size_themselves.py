"""Autoscale through azure-batch 14: add, run, evaluate, change, disable, and what is refused."""

import json

import pytest
from farm_support import wait_until

CURRENT = "$TargetDedicatedNodes=1;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"


@pytest.fixture(scope="module")
def seen(shared_farm):
    found = shared_farm.program("14.2.0", "autoscale_14", "self-sized")
    wait_until(lambda: shared_farm.raw("GET", "/pools/self-sized").status_code == 404, 60)
    return found


def test_a_pool_with_a_formula_gets_its_nodes_and_shows_the_run(seen):
    results = "$TargetDedicatedNodes=1;$TargetLowPriorityNodes=0;$NodeDeallocationOption=taskcompletion;slots=2"
    assert seen["added"] == {
        "results": results, "error": False, "timestamp": True, "formula": True, "interval": 3.0, "enabled": True,
        "targets": [1, 0],
    }  # fmt: skip


def test_evaluating_says_what_would_be_and_changes_nothing(seen):
    good = "$TargetDedicatedNodes=3;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    assert seen["good"] == f"{good};$t=requeue;a=[1,2];b=2.5"
    detail = "Line 1, Col 28: there is no variable $something_useless"
    assert seen["bad"] == [CURRENT, "AutoScalingFormulaEvaluationError", [detail]]
    assert seen["early"][0] == "InsufficientSampleData" and "100 % of the samples are wanted" in seen["early"][1]
    assert seen["unchanged"] == 1


def test_the_interval_alone_may_change_and_pools_are_found_by_autoscale(seen):
    assert seen["changed"] == [True, 2.0] and seen["listed"]


def test_a_disabled_pool_keeps_its_size_and_forgets_its_formula(seen):
    assert seen["disabled"] == [False, None, None, 1]


def test_what_does_not_go_together_is_refused_with_the_codes_of_the_service(seen):
    assert seen["refused"] == {
        "both": [400, "InvalidAutoScalingSettings"],
        "wrong": [400, "AutoScalingFormulaSyntaxError"],
        "short": [400, "InvalidPropertyValue"],
        "by_hand": [409, "OperationNotValidOnPool"],
        "syntax": [400, "AutoScalingFormulaSyntaxError"],
        "off": [409, "OperationNotValidOnPool"],
        "no_formula": [400, "MissingRequiredProperty"],
        "busy": [409, "PoolBeingResized"],
    }


def test_the_farm_command_enables_evaluates_and_disables(farm, tmp_path):
    farm.add_pool("typed", 0)
    formula = tmp_path / "sizes.txt"
    formula.write_text("// none at all\n$TargetDedicatedNodes = 0;\nx = $PendingTasks.Count();\n")

    farm.cli("pool", "autoscale", "enable", "typed", "--file", str(formula), "--interval", "1h")
    lines = farm.cli("pool", "autoscale", "evaluate", "typed").stdout.splitlines()
    wrong = farm.cli("pool", "autoscale", "evaluate", "typed", "--formula", "x = 1 / 0", "--json")
    disabled = farm.cli("pool", "autoscale", "disable", "typed", "--json")

    assert lines[0] == "$TargetDedicatedNodes=0" and lines[3].startswith("x=")
    assert json.loads(wrong.stdout)["error"]["code"] == "AutoScalingFormulaEvaluationError"
    assert json.loads(disabled.stdout)["enableAutoScale"] is False
    assert farm.cli("pool", "autoscale", "enable", "typed", "--formula", "x =", check=False).returncode == 5
    assert farm.cli("pool", "autoscale", "enable", "typed", check=False).returncode == 2
    farm.cli("pool", "delete", "typed", "--yes")
    wait_until(lambda: farm.raw("GET", "/pools/typed").status_code == 404, 60)
