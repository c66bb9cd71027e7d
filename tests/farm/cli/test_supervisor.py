"""The supervisor with members that do as the test says: they die, they speak, they leave children behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from orchestrator.cli import leftovers
from orchestrator.cli.processes import end
from orchestrator.cli.supervisor import Supervisor, child_environment
from orchestrator.drivers import procfs


async def eventually(condition, seconds=15.0):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it did not come to pass"
        await asyncio.sleep(0.02)
    return found


def python(code):
    return [sys.executable, "-c", code]


SPEAK_AND_STAY = 'import time\nprint(\'{"event": "ready"}\', flush=True)\ntime.sleep(600)'


@pytest.fixture
async def supervisor(tmp_path):
    made = Supervisor(tmp_path / "logs")
    yield made
    for member in made.members:
        await member.stop(grace=1)


def records(tmp_path, name):
    return [json.loads(line) for line in (tmp_path / "logs" / f"{name}.log").read_text().splitlines()]


async def test_a_member_that_is_killed_runs_again_and_is_ready_again(supervisor, tmp_path):
    member = await supervisor.add("engine", python(SPEAK_AND_STAY), child_environment({}))
    await eventually(lambda: member.journal.ready)
    first = member.process.pid

    os.kill(first, signal.SIGKILL)

    await eventually(lambda: member.process.pid != first and member.journal.ready)
    died = [one for one in records(tmp_path, "engine") if one["event"].startswith("process died")]
    assert [(one["pid"], one["code"]) for one in died] == [(first, -signal.SIGKILL)]


async def test_a_member_that_keeps_dying_is_given_up_at_the_start_with_what_it_said(supervisor):
    member = await supervisor.add("api", python("import sys; sys.exit('no such thing')"), child_environment({}))

    assert not await supervisor.until_alive(lambda: False, member, 20)
    assert member.journal.last == "no such thing"
    assert member.deaths >= 4


async def test_a_member_that_will_not_end_is_killed(supervisor):
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SPEAK_AND_STAY
    member = await supervisor.add("worker", python(code), child_environment({}))
    await eventually(lambda: member.journal.ready)

    await member.stop(grace=0.3)

    assert member.process.returncode == -signal.SIGKILL


async def test_a_member_whose_child_keeps_its_output_open_is_started_again_all_the_same(supervisor, tmp_path):
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        'print(child.pid, flush=True)\nprint(\'{"event": "ready"}\', flush=True)\nchild.wait()'
    )
    member = await supervisor.add("worker", python(code), child_environment({leftovers.MARK: str(tmp_path)}))
    await eventually(lambda: member.journal.ready)
    first = member.process.pid

    os.kill(first, signal.SIGKILL)
    await eventually(lambda: member.process.pid != first and member.journal.ready)
    await member.stop(grace=1)

    strays = leftovers.marked(tmp_path)
    assert len(strays) == 2, "both children outlived their parents, and are found by their mark"
    assert end(strays, 2) == []


HOLDER = """
import asyncio, sys
from pathlib import Path
from orchestrator.cli.supervisor import Supervisor, child_environment

async def main():
    supervisor = Supervisor(Path(sys.argv[1]))
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    member = await supervisor.add("engine", command, child_environment({}))
    print(member.process.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_members_die_with_a_supervisor_that_is_killed(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with holder:
        member = procfs.process(int(holder.stdout.readline()))
        assert procfs.alive(member)

        holder.kill()

    assert procfs.wait_gone([member], 10) == []


ORPHANER = """
import os, sys
sys.path.insert(0, os.getcwd())
from orchestrator.cli.processes import become_subreaper, reap_strangers
from orchestrator.drivers import procfs
import subprocess, time
become_subreaper()
parent = "import subprocess; print(subprocess.Popen(['sleep', '0.3']).pid, flush=True)"
middle = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
orphan = int(middle.stdout.readline())
middle.wait()
until = time.monotonic() + 10
while not procfs.zombies_of(os.getpid()) and time.monotonic() < until:
    time.sleep(0.02)
assert orphan in procfs.zombies_of(os.getpid()), "it came to us"
reap_strangers([])
assert procfs.zombies_of(os.getpid()) == set()
"""


def test_orphans_come_to_the_supervisor_and_are_collected():
    done = subprocess.run([sys.executable, "-c", ORPHANER], capture_output=True, text=True, timeout=30)

    assert done.returncode == 0, done.stderr
