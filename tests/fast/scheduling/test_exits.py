import pytest

from orchestrator.domain.exits import ENDED, EXIT, OK, PERFORM, PRE, TIME, UPLOAD, conclude, options_for, outcome_of

CONDITIONS = {
    "exitCodes": [{"code": 3, "exitOptions": {"jobAction": "disable", "dependencyAction": "satisfy"}}],
    "exitCodeRanges": [{"start": 3, "end": 9, "exitOptions": {"jobAction": "none"}}],
    "preProcessingError": {"jobAction": "terminate"},
    "fileUploadError": {"dependencyAction": "satisfy"},
    "default": {"jobAction": "none", "dependencyAction": "block"},
}


def judged(outcome, exit_code=None, retries=0, max_retry=0, conditions=CONDITIONS):
    return conclude(
        outcome, exit_code, retries=retries, max_retry=max_retry, on_task_failure=PERFORM, conditions=conditions
    )


@pytest.mark.parametrize(
    ("exit_code", "phase", "outcome"),
    [(0, None, OK), (1, None, EXIT), (None, "pre", PRE), (0, "upload", UPLOAD), (137, "time", TIME), (2, "run", EXIT)],
)
def test_a_report_is_read_as_an_outcome(exit_code, phase, outcome):
    assert outcome_of(exit_code, phase) == outcome


@pytest.mark.parametrize(
    ("retries", "max_retry", "again"),
    [(0, 0, False), (0, 1, True), (1, 1, False), (5, -1, True), (2, 3, True), (3, 3, False)],
)
def test_a_nonzero_exit_is_retried_while_retries_are_left(retries, max_retry, again):
    assert judged(EXIT, 1, retries, max_retry).retry is again


@pytest.mark.parametrize("outcome", [OK, PRE, UPLOAD, TIME, ENDED])
def test_only_a_nonzero_exit_is_retried(outcome):
    assert not judged(outcome, 0, max_retry=-1).retry


@pytest.mark.parametrize(
    ("outcome", "exit_code", "options"),
    [
        (EXIT, 3, CONDITIONS["exitCodes"][0]["exitOptions"]),
        (EXIT, 4, {"jobAction": "none"}),
        (EXIT, 10, CONDITIONS["default"]),
        (OK, 0, {}),
        (PRE, None, CONDITIONS["preProcessingError"]),
        (UPLOAD, 0, CONDITIONS["fileUploadError"]),
        (UPLOAD, 3, CONDITIONS["exitCodes"][0]["exitOptions"]),
        (TIME, 137, CONDITIONS["default"]),
        (ENDED, 137, CONDITIONS["default"]),
        (ENDED, None, CONDITIONS["default"]),
    ],
)
def test_the_first_matching_condition_counts(outcome, exit_code, options):
    assert options_for(outcome, exit_code, CONDITIONS) == options


def test_errors_without_a_condition_of_their_own_take_the_default():
    only_default = {"default": {"jobAction": "disable"}}
    assert options_for(PRE, None, only_default) == {"jobAction": "disable"}
    assert options_for(UPLOAD, 0, only_default) == {"jobAction": "disable"}


def test_a_condition_for_exit_code_zero_may_disable_the_job():
    zero = {"exitCodes": [{"code": 0, "exitOptions": {"jobAction": "disable"}}]}
    verdict = judged(OK, 0, conditions=zero)
    assert (verdict.result, verdict.job_action, verdict.dependency) == ("success", "disable", "satisfy")


def test_missing_actions_are_terminate_and_block_after_a_failure_but_none_and_satisfy_after_success():
    failed, good = judged(EXIT, 1, conditions=None), judged(OK, 0, conditions=None)
    assert (failed.job_action, failed.dependency) == ("terminate", "block")
    assert (good.job_action, good.dependency) == ("none", "satisfy")


def test_a_job_that_takes_no_action_on_failure_takes_none():
    verdict = conclude(EXIT, 1, retries=0, max_retry=0, conditions=None)
    assert verdict.job_action == "none" and verdict.dependency == "block"


def test_terminating_a_task_by_hand_is_no_exit_and_moves_no_job():
    verdict = judged(ENDED)
    assert (verdict.result, verdict.job_action, verdict.dependency) == ("failure", "none", "block")
