"""Whom tasks run as, seen through azure-batch 14, on a farm of root's and on one of somebody without rights."""

import os

import pytest

ROOT = os.geteuid() == 0
REFUSED = ["failure", None, "usererror", "TaskSchedulingConstraintFailed"]
FIRST_TASK_UID = 200_000


@pytest.mark.skipif(not ROOT, reason="only root can switch users; the other test here runs as anybody")
def test_tasks_run_as_the_user_that_they_name_and_cannot_see_each_other(farm):
    seen = farm.program("14.2.0", "users_14")

    outcomes, said = seen["outcomes"], seen["said"]
    assert outcomes.pop("unknown") == REFUSED
    assert "eve" in str(seen["why"]["unknown"])
    assert set(map(tuple, outcomes.values())) == {("success", 0)}
    uids = {name: int(lines[0]) for name, lines in said.items()}
    assert uids["admin"] == uids["taskadmin"] == uids["namedadmin"] == 0
    assert uids["default"] == uids["pool"] >= FIRST_TASK_UID
    first, spy = int(seen["first"][0]), int(seen["spytask"][0])
    assert len({uids["pool"], uids["named"], first, spy}) == 4
    assert min(uids["named"], first, spy) >= FIRST_TASK_UID
    for lines in said.values():  # the directory, stdout and wd belong to the task's user
        assert len(set(lines)) == 1
    for name in ("spytask", "spypool", "spynamed"):
        assert [line for line in seen[name] if line.startswith("could")] == []
        assert len(seen[name]) == 4
