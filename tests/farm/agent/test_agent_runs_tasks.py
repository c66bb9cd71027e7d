"""Commands on a real node: words, users, environment, and what cannot be started."""

import json
import os
import signal
from pathlib import Path

import pytest
from agent_world import UID_BASE

ROOT = os.geteuid() == 0
ADMIN = {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}

pytestmark = pytest.mark.skipif(
    not ROOT, reason="nodes switch users only as root; test_agent_without_root has the rest"
)


def test_a_boot_says_up_before_ready_and_the_boot_file_is_gone(world):
    world.start()

    kinds = [item[0] for item in world.events()]
    assert kinds == ["up", "ready"]
    assert world.items[0][1]["ip"] == "127.0.0.5"
    assert not os.path.exists(f"{world.folder}/boot.json")


def test_output_exit_code_and_usage_are_reported(world):
    world.start()
    directory = world.sh("echo out; echo err >&2; exit 3")

    item = world.until_item("end", 1, 1, 1)

    assert item[5:7] == [3, None]
    assert 0 <= item[4] < 10_000_000
    assert len(item[7]) == 8
    assert item[7][0] > 0
    assert Path(directory, "stdout.txt").read_text() == "out\n"
    assert Path(directory, "stderr.txt").read_text() == "err\n"


def test_plain_tasks_cause_no_call_to_the_api(world):
    world.start()
    for task in range(1, 21):
        world.run("/bin/true", task=task)
    for task in range(1, 21):
        assert world.ended(task) == (0, None)

    assert world.api.calls == []


def test_words_are_literal_and_no_shell_is_involved(world):
    world.start()
    directory = world.run("""/bin/echo $HOME 'a  b' "c'd" * \\| x""")

    assert world.ended() == (0, None)
    assert Path(directory, "stdout.txt").read_text() == "$HOME a  b c'd * | x\n"


def test_tasks_run_under_the_nodes_own_user_in_its_own_directory(world):
    world.start()
    directory = world.sh(
        "id -u; id -g; id -G; pwd; umask; touch made; cat /proc/self/status | grep -E 'Cap(Eff|Bnd)|NoNew'"
    )

    assert world.ended() == (0, None)
    out = Path(directory, "stdout.txt").read_text().split("\n")
    assert out[:4] == [str(UID_BASE), str(UID_BASE), str(UID_BASE), f"{directory}/wd"]
    assert "NoNewPrivs:\t1" in out
    assert "CapEff:\t0000000000000000" in out
    assert "CapBnd:\t0000000000000000" in out
    for name in ("", "wd", "stdout.txt", "stderr.txt", "wd/made"):
        assert os.stat(f"{directory}/{name}").st_uid == UID_BASE


@pytest.mark.parametrize("level", ["nonadmin", "admin"])
def test_a_task_inherits_no_descriptor_but_its_three_streams(world, level):
    world.start()
    identity = {"autoUser": {"scope": "pool", "elevationLevel": level}}
    directory = world.sh("ls /proc/self/fd", userIdentity=identity)

    assert world.ended() == (0, None)
    assert Path(directory, "stdout.txt").read_text().split() == ["0", "1", "2", "3"]  # 3: the directory that ls reads


def test_an_elevated_task_is_root_but_may_not_trace_mount_or_touch_the_network(world):
    world.start()
    directory = world.sh(
        "id -u; mount -t tmpfs x /mnt && echo mounted; grep CapBnd /proc/self/status; ls /proc | grep -c '^[0-9]'",
        userIdentity=ADMIN,
    )

    world.ended()
    out = Path(directory, "stdout.txt").read_text()
    bounding = int(out.split("CapBnd:\t")[1].split()[0], 16)
    assert out.startswith("0\n")
    assert "mounted" not in out
    for capability in (12, 13, 16, 17, 19, 21, 27):  # NET_ADMIN NET_RAW MODULE RAWIO PTRACE ADMIN MKNOD
        assert not bounding >> capability & 1
    assert int(out.split()[-1]) < 10  # its own PID namespace: the agent is not to be seen


def test_the_agents_secrets_are_out_of_a_root_tasks_reach(world):
    world.start()
    directory = world.sh(
        f"cat /proc/1/environ /proc/1/mem; kill -9 1; kill -9 {world.agent.pid}; cat /proc/*/environ | tr '\\0' '\\n'",
        userIdentity=ADMIN,
    )

    world.ended()
    assert "tok" not in Path(directory, "stdout.txt").read_text().split()
    assert world.agent.poll() is None
    world.run("/bin/true", task=2)
    assert world.ended(2) == (0, None)


def test_the_environment_is_the_services_and_the_users_and_nothing_else(world):
    world.start(reserved_disk_bytes=77, env={"AGENT_SECRET": "x"})
    directory = world.run(
        "/usr/bin/env -0",
        job_body={"commonEnvironmentSettings": [{"name": "A", "value": "job"}, {"name": "B", "value": "job"}]},
        environmentSettings=[{"name": "A", "value": "é\n="}, {"name": "AZ_BATCH_TASK_ID", "value": "forged"}],
    )

    assert world.ended() == (0, None)
    lines = Path(directory, "stdout.txt").read_text().rstrip("\0").split("\0")
    found = dict(line.split("=", 1) for line in lines)
    assert (found["A"], found["B"], found["AZ_BATCH_TASK_ID"]) == ("é\n=", "job", "t1")
    assert found["AZ_BATCH_TASK_WORKING_DIR"] == f"{directory}/wd"
    assert found["AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES"] == "77"
    assert found["HOME"] == f"{directory}/wd"
    assert "AGENT_SECRET" not in found


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("no-such-program-at-all x", "CommandProgramNotFound"),
        ("/no/such/program", "CommandProgramNotFound"),
        ("./missing", "CommandProgramNotFound"),
        ("/etc/passwd", "CommandLaunchFailed"),
        ("/etc", "CommandLaunchFailed"),
        ("'unclosed", "CommandLaunchFailed"),
    ],
)
def test_a_command_that_cannot_be_started_fails_before_the_run(world, command, code):
    world.start()
    world.run(command)

    exit_code, fail = world.ended()

    assert exit_code is None
    assert fail[:3] == ["pre", "UserError", code]
    assert json.loads(fail[4])[0]["name"] == "Message"


def test_the_program_is_not_looked_up_in_a_users_path(world):
    world.start()
    world.run("mine", environmentSettings=[{"name": "PATH", "value": f"{world.root}/shared"}])
    Path(world.root, "shared", "mine").write_text("#!/bin/sh\n")
    os.chmod(f"{world.root}/shared/mine", 0o755)

    assert world.ended()[1][2] == "CommandProgramNotFound"


def test_a_script_without_its_interpreter_is_a_failed_launch(world):
    world.start()
    script = Path(world.root, "shared", "script")
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    world.run(str(script))

    assert world.ended()[1][2] == "CommandLaunchFailed"


def test_tasks_start_with_default_signals_even_on_a_farm_started_in_the_background(world):
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)  # as a shell does for what it starts with `&`
    try:
        world.start()
    finally:
        signal.signal(signal.SIGQUIT, before)
    directory = world.sh("grep -E 'Sig(Ign|Blk)' /proc/self/status")

    assert world.ended() == (0, None)
    out = Path(directory, "stdout.txt").read_text().split()
    own_to_glibc = 3 << 31  # signals 32 and 33
    assert {int(mask, 16) & ~own_to_glibc for mask in (out[1], out[3])} == {0}


def _text(directory, name):
    try:
        return Path(directory, name).read_text()
    except FileNotFoundError:
        return ""
