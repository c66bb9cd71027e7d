"""An agent that is not root: tasks run as its own user, and still nothing survives."""

import os
import pwd
import subprocess
from pathlib import Path

import pytest
from agent_world import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starts an agent as another user")

NOBODY = pwd.getpwnam("nobody")
READING = "+dac_read_search"  # the interpreter may lie in root's home, where nobody cannot go
AS_NOBODY = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups",
             f"--inh-caps={READING}", f"--ambient-caps={READING}"]  # fmt: skip


@pytest.fixture
def commoner(world, monkeypatch):
    """A world whose agent runs as nobody."""
    os.chown(world.folder, NOBODY.pw_uid, NOBODY.pw_gid)
    os.chmod(f"{world.folder}/redis.sock", 0o777)
    real = subprocess.Popen

    def as_nobody(command, **more):
        if "agent" in command:
            os.chown(command[-1], NOBODY.pw_uid, NOBODY.pw_gid)
            command = [*AS_NOBODY, *command]
        return real(command, **more)

    monkeypatch.setattr(subprocess, "Popen", as_nobody)
    world.start(uid_base=0)
    return world


def test_tasks_run_as_the_agents_user(commoner):
    directory = commoner.sh("id -un; echo $USER")

    assert commoner.ended() == (0, None)
    assert Path(directory, "stdout.txt").read_text() == "nobody\nnobody\n"


def test_elevation_is_refused_before_the_run_with_the_reason(commoner):
    commoner.run("/bin/true", userIdentity={"autoUser": {"elevationLevel": "admin"}})

    exit_code, fail = commoner.ended()

    assert exit_code is None
    assert fail[:3] == ["pre", "UserError", "TaskSchedulingConstraintFailed"]
    assert "root" in fail[4]


def _sleeping(commoner):
    directory = commoner.sh("setsid sh -c 'setsid sleep 600 & sleep 601' & sleep 0.2; echo up; sleep 602")
    until(lambda: Path(directory, "stdout.txt").exists() and "up" in Path(directory, "stdout.txt").read_text())
    return lambda: [found for found in commoner.survivors() if found[1][:1] == ["sleep"]]


def test_a_daemon_dies_with_its_task(commoner):
    sleepers = _sleeping(commoner)
    assert len(sleepers()) == 3
    commoner.kill()

    assert commoner.ended()[0] == 137
    assert sleepers() == []


def test_nothing_survives_an_agent_that_was_killed(commoner):
    _sleeping(commoner)
    commoner.agent.kill()
    commoner.agent.wait()
    commoner.stop_redis()

    until(lambda: not commoner.survivors(), "the end of every process")
