"""Whom tasks run as, seen through azure-batch 14, on a farm of root's and on one of somebody without rights."""

import json
import os
import pwd
import subprocess
import tempfile
from pathlib import Path

import farm_support
import pytest
from farm_support import REDIS, redis_server, started_farm

ROOT = os.geteuid() == 0
REFUSED = ["failure", None, "usererror", "TaskSchedulingConstraintFailed"]
FIRST_TASK_UID = 200_000


@pytest.mark.skipif(not ROOT, reason="only root can switch users; the other test here runs as anybody")
def test_tasks_run_as_the_user_that_they_name_and_cannot_see_each_other(farm):
    seen = farm.program("14.2.0", "users_14", json.dumps({"switches": True}))

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


@pytest.fixture
def commoners_farm(monkeypatch):
    """A farm whose every process is somebody's without rights: the caller, or nobody where root runs the tests."""
    if not ROOT:
        with started_farm() as farm:
            yield farm
        return
    nobody, real, reading = pwd.getpwnam("nobody"), subprocess.Popen, "+dac_read_search"
    as_nobody = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups",
                 f"--inh-caps={reading}", f"--ambient-caps={reading}"]  # fmt: skip  # the interpreter may be root's

    def popen(command, **more):
        return real([*as_nobody, *command] if "up" in command else command, **more)

    monkeypatch.setattr(farm_support.subprocess, "Popen", popen)
    with tempfile.TemporaryDirectory(prefix="farm-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "farm").mkdir(mode=0o711)
        os.chown(folder / "farm", nobody.pw_uid, nobody.pw_gid)
        with redis_server(folder, REDIS, "--unixsocketperm", "777") as url, started_farm(folder / "farm", url) as farm:
            yield farm


def test_a_farm_without_rights_runs_tasks_as_its_caller_and_refuses_elevation_before_the_run(commoners_farm):
    farm, uid = commoners_farm, pwd.getpwnam("nobody").pw_uid if ROOT else os.geteuid()

    seen = farm.program("14.2.0", "users_14", json.dumps({"switches": False}))

    assert seen["no_task_users"] == [400, "InvalidPropertyValue"]  # it cannot keep tasks apart, and declares it
    outcomes = seen["outcomes"]
    for name in ("default", "pool"):
        assert outcomes[name] == ["success", 0]
        assert {int(word) for word in seen["said"][name]} == {uid}
    for name in ("admin", "named", "namedadmin", "unknown"):
        assert outcomes[name] == REFUSED
    assert "root" in str(seen["why"]["admin"])
    assert "root" in str(seen["why"]["named"])
