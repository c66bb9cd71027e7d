"""Commands on a real node: words, users, directories, environment, ends."""

import json
import os
import signal
import stat
from pathlib import Path

import psutil
import pytest
from agent_world import UID_BASE, until

ROOT = os.geteuid() == 0
TASK_USER = {"autoUser": {"scope": "task", "elevationLevel": "nonadmin"}}
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


def test_a_task_that_dies_of_a_signal_has_exit_code_128_plus(world):
    world.start()
    world.sh("kill -SEGV $$")

    assert world.ended() == (139, None)


def test_a_daemon_that_left_the_session_dies_with_its_task_and_no_other(world):
    world.start()
    other = world.sh("setsid sh -c 'sleep 600 & sleep 601' & sleep 0.1; echo up; sleep 600", task=2)
    until(lambda: "up" in _text(other, "stdout.txt"))
    directory = world.sh("setsid sh -c 'setsid sleep 602 & sleep 603 &' ; sleep 0.1; echo started")

    assert world.ended() == (0, None)
    assert _text(directory, "stdout.txt") == "started\n"
    assert sorted(_sleepers()) == ["600", "600", "601"]
    world.kill(task=2)
    assert world.ended(2)[0] == 137
    assert _sleepers() == []


def test_a_terminated_task_gets_time_to_say_goodbye_and_ends_with_137(world):
    world.start()
    directory = world.sh("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    until(lambda: "up" in _text(directory, "stdout.txt"))
    world.kill()

    exit_code, fail = world.ended()

    assert exit_code == 137
    assert fail[:3] == ["run", "UserError", "TaskEnded"]
    assert "bye" in _text(directory, "stdout.txt")


def test_a_task_that_ignores_the_goodbye_is_killed(world):
    world.start()
    directory = world.sh("trap '' TERM; echo up; sleep 600")
    until(lambda: "up" in _text(directory, "stdout.txt"))
    world.kill()

    assert world.ended()[0] == 137
    assert _sleepers() == []


def test_a_task_that_exceeds_its_time_is_killed_and_says_so(world):
    world.start()
    world.sh("sleep 600", constraints={"maxWallClockTime": "PT0.3S"})

    exit_code, fail = world.ended()

    assert exit_code == 137
    assert fail[:3] == ["time", "UserError", "TaskEnded"]
    assert "execution time limit" in json.loads(fail[4])[0]["value"]
    assert _sleepers() == []


def test_a_kill_is_reported_exactly_once(world):
    world.start()
    world.sh("sleep 600")
    for _ in range(3):
        world.kill(why="requeue")
    world.run("/bin/true", task=2)
    world.ended(2)
    world.ended(1)
    world.run("/bin/true", task=3)
    world.ended(3)

    assert len([item for item in world.events() if item[0] == "end" and item[2] == 1]) == 1


def test_a_later_attempt_waits_for_the_older_one_and_finds_a_clean_directory(world):
    world.start()
    directory = world.sh("touch left; echo up; sleep 600")
    until(lambda: "up" in _text(directory, "stdout.txt"))
    world.sh("ls; echo second", attempt=2)

    assert world.ended(attempt=2) == (0, None)
    assert _text(directory, "stdout.txt") == "second\n"
    kinds = [item[:4] for item in world.events() if item[0] in ("back", "end")]
    assert kinds == [["back", 1, 1, 1], ["end", 1, 1, 2]]


def test_a_new_job_of_an_old_name_sees_nothing_of_it(world):
    world.start()
    old = world.sh("echo secret > file", task=7)
    world.ended(7)
    world.run("/bin/true", job=2)
    world.ended(job=2)

    assert not os.path.exists(old)


def test_cleaning_up_after_a_deleted_job_spares_its_successor(world):
    world.start()
    world.run("/bin/true")
    world.ended()
    directory = world.run("/bin/true", job=2)
    world.ended(job=2)
    world.push("clean", dirs=[[1, "job", None, None], [1, "job", 1, "t1"]])
    world.run("/bin/true", task=2, job=2)
    world.ended(2, job=2)
    assert os.path.isdir(directory)

    world.push("clean", dirs=[[2, "job", 1, "t1"]])
    until(lambda: not os.path.exists(directory))
    world.push("clean", dirs=[[2, "job", None, None]])
    until(lambda: not os.path.exists(f"{world.root}/workitems/job/job-1"))


def test_task_users_differ_and_cannot_read_each_other(world):
    world.start()
    first = world.sh("id -u; echo mine > secret; chmod 777 secret .; echo up; sleep 600", userIdentity=TASK_USER)
    until(lambda: "up" in _text(first, "stdout.txt"))
    second = world.sh(f"id -u; cat {first}/wd/secret; ls {first}; touch {first}/x", task=2, userIdentity=TASK_USER)

    assert world.ended(2)[0] != 0
    out, err = _text(second, "stdout.txt").split(), _text(second, "stderr.txt")
    uid = int(_text(first, "stdout.txt").split()[0])
    assert len(out) == 1
    assert int(out[0]) != uid
    assert err.count("ermission denied") == 3
    world.kill()
    assert world.ended()[0] == 137


def test_a_task_user_leaves_no_process_and_a_closed_directory(world):
    world.start()
    directory = world.sh("setsid sleep 600 & echo x", userIdentity=TASK_USER)

    assert world.ended() == (0, None)
    until(lambda: os.stat(directory).st_uid == 0)
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert _sleepers() == []
    assert world.ask("get", "workitems/job/job-1/t1/stdout.txt")[2] == b"x\n"


def test_named_users_run_under_a_number_of_their_own(world):
    world.start(user_accounts=[{"name": "ann"}, {"name": "bob"}])
    directory = world.sh("id -u; echo $USER", userIdentity={"username": "bob"})
    world.run("/bin/true", task=2, userIdentity={"username": "eve"})

    assert world.ended() == (0, None)
    assert _text(directory, "stdout.txt") == f"{UID_BASE + 2}\nbob\n"
    assert world.ended(2)[1][:3] == ["pre", "UserError", "TaskSchedulingConstraintFailed"]


def test_a_farm_started_under_a_closed_umask_runs_tasks_of_other_users_all_the_same(world):
    before = os.umask(0o077)
    try:
        world.start()
    finally:
        os.umask(before)
    directory = world.sh("umask; touch made", userIdentity=TASK_USER)

    assert world.ended() == (0, None)
    assert _text(directory, "stdout.txt") == "0022\n"


def test_shared_is_for_everybody(world):
    world.start()
    world.sh("echo hello > $AZ_BATCH_NODE_SHARED_DIR/a")
    world.ended()
    directory = world.sh("cat $AZ_BATCH_NODE_SHARED_DIR/a", task=2, userIdentity=TASK_USER)

    assert world.ended(2) == (0, None)
    assert _text(directory, "stdout.txt") == "hello\n"
    assert stat.S_IMODE(os.stat(f"{world.root}/shared").st_mode) == 0o1777


def test_a_file_that_reaches_the_disk_share_is_a_full_disk(world):
    world.start(disk_bytes=1 << 20)
    world.run("/bin/dd if=/dev/zero of=big bs=65536 count=100")

    exit_code, fail = world.ended()

    assert exit_code == 128 + 25
    assert fail[:3] == ["run", "ServerError", "DiskFull"]


def test_many_files_that_fill_the_disk_share_end_the_task_that_wrote_most(world):
    world.start(disk_bytes=8 << 20)
    small = world.sh("dd if=/dev/zero of=small bs=65536 count=4; echo up; sleep 600")
    until(lambda: "up" in _text(small, "stdout.txt"))
    world.sh(
        "i=0; while :; do i=$((i+1)); dd if=/dev/zero of=f$i bs=65536 count=8 2>/dev/null; sleep 0.02; done", task=2
    )

    exit_code, fail = world.ended(2)

    assert exit_code == 137
    assert fail[:3] == ["run", "ServerError", "DiskFull"]
    assert [item for item in world.events() if item[0] == "end" and item[2] == 1] == []
    world.kill()
    world.ended(1)


def test_a_task_that_takes_what_the_host_shall_keep_free_is_ended_and_a_small_one_is_not(world):
    world.start(reserved_disk_bytes=1 << 60)  # more than there is
    small = world.sh("echo up; sleep 600")
    until(lambda: "up" in _text(small, "stdout.txt"))
    world.run("/usr/bin/yes runaway", task=2)

    exit_code, fail = world.ended(2)

    assert exit_code == 137
    assert fail[:3] == ["run", "ServerError", "DiskFull"]
    assert "host" in fail[4]
    assert [item for item in world.events() if item[0] == "end" and item[2] == 1] == []
    world.kill()
    world.ended(1)


def test_directories_go_when_their_retention_time_is_over_and_the_api_can_tell(world):
    world.start()
    directory = world.sh("echo x", constraints={"retentionTime": "PT0.2S"})
    kept = world.sh("echo x", task=2)
    world.ended(1)
    world.ended(2)

    until(lambda: not os.path.exists(directory))
    status, meta, _ = world.ask("get", "workitems/job/job-1/t1/stdout.txt")
    assert (status, meta["code"]) == (409, "TaskFilesCleanedup")
    assert os.path.exists(kept)
    assert world.ask("get", "workitems/job/job-1/t3/stdout.txt")[0] == 404


def test_a_changed_retention_time_counts_and_deadlines_survive_a_reboot(world):
    world.start()
    longer = world.sh("echo x", constraints={"retentionTime": "PT2S"})
    shorter = world.sh("echo x", task=2, constraints={"retentionTime": "PT2S"})
    world.ended(1)
    world.ended(2)
    world.push("keep", J=1, T=1, retention_us=3_600_000_000)
    world.run("/bin/true", task=3)
    world.ended(3)
    world.agent.terminate()
    world.agent.wait(10)
    world.start(fresh=False)

    until(lambda: not os.path.exists(shorter))
    assert os.path.exists(longer)


def test_a_node_says_so_when_no_tasks_data_is_left_on_it(world):
    """What ends by its retention time and what somebody deletes; tasks that run count too."""
    world.start()
    world.sh("echo x", constraints={"retentionTime": "PT0.2S"})
    kept = world.sh("echo x", task=2)
    world.ended(1)
    world.ended(2)
    world.sh("sleep 60", task=3)
    world.push("drain", on=True, retained=True)
    until(lambda: not os.path.exists(f"{os.path.dirname(kept)}/t1"))
    world.push("clean", dirs=[[1, "job", 2, "t2"]])
    until(lambda: not os.path.exists(kept))
    assert ["bare"] not in world.events()

    world.push("kill", tasks=[[1, 3, 1, "delete"]])
    world.ended(3)
    world.push("clean", dirs=[[1, "job", 3, "t3"]])

    world.until_item("bare")
    assert world.items.count(["bare"]) == 1


def test_one_million_times_the_same_task_id_never_shares_a_spawned_tag(world):
    """Tasks that run at once end alone: ending one leaves the processes of others be."""
    world.start()
    for task in range(1, 4):
        world.sh("setsid sleep 60 & echo up; sleep 60", task=task)
    for task in range(1, 4):
        until(lambda task=task: "up" in _text(f"{world.root}/workitems/job/job-1/t{task}", "stdout.txt"))
    world.kill(task=2)
    world.ended(2)

    assert len(_sleepers()) == 4
    world.kill(task=1)
    world.kill(task=3)
    world.ended(1)
    world.ended(3)
    assert _sleepers() == []


def _text(directory, name):
    try:
        return Path(directory, name).read_text()
    except FileNotFoundError:
        return ""


def _sleepers():
    """What sleeps under this node's users."""
    found = []
    for process in psutil.process_iter(["uids", "cmdline", "status"]):
        info = process.info
        if info["uids"] and UID_BASE <= info["uids"].real < UID_BASE + 100 and info["cmdline"][:1] == ["sleep"]:
            found.append(info["cmdline"][1])
    return found
