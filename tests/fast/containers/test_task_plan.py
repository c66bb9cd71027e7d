"""What a task's container is made of, and what it can never have (spec/behaviour.md, 19)."""

from dataclasses import replace

import pytest

from orchestrator.drivers.docker.task_plan import ROOT_CAPABILITIES, Bind, Claim, Host, Unfit, plan

ROOT = "/mnt/batch/tasks"
DIRECTORY = f"{ROOT}/workitems/j/job-1/t"
NODE = Host(
    "node-1", ROOT, "/var/volumes/7/_data", memory=1 << 30, nano_cpus=10**9, shm_size=64, cgroup="/docker/node-1"
)
CLAIM = Claim(
    ["tool", "-x"],
    {
        "AZ_BATCH_TASK_DIR": DIRECTORY,
        "AZ_BATCH_CERTIFICATES_DIR": f"{DIRECTORY}/certs",
        "AZ_BATCH_NODE_SHARED_DIR": f"{ROOT}/shared",
        "AZ_BATCH_APP_PACKAGE_a": f"{ROOT}/applications/a",
        "MINE": "1",
    },
    DIRECTORY,
    uid=2001,
    gid=2000,
)
ADMIN = replace(CLAIM, uid=0, admin=True)


def made(claim=CLAIM, options="", host=NODE, **settings):
    return plan({"imageName": "tool:1", "containerRunOptions": options} | settings, claim, host, {"nodefarm": "acct"})


def test_a_container_lives_inside_its_node():
    found = made()
    assert found.host["network_mode"] == found.host["pid_mode"] == "container:node-1"
    assert found.host["cgroup_parent"] == "/docker/node-1"
    assert found.binds == [Bind("", ROOT)]
    assert (found.user, found.working_dir) == ("2001:2000", f"{DIRECTORY}/wd")
    assert (found.entrypoint, found.command) == (["tool"], ["-x"])


def test_a_task_that_is_not_elevated_holds_no_capability_and_gains_none():
    found = made(options="--cap-drop CHOWN")
    assert found.host["cap_drop"] == ["ALL"] and found.host["cap_add"] == []
    assert found.host["security_opt"] == ["no-new-privileges"]


def test_an_elevated_task_cannot_touch_the_firewall_the_agent_or_devices():
    held = made(ADMIN, "--cap-drop CHOWN").host["cap_add"]
    assert set(held) == set(ROOT_CAPABILITIES) - {"CHOWN"}
    assert not {"NET_ADMIN", "NET_RAW", "SYS_PTRACE", "SYS_ADMIN", "MKNOD"} & set(ROOT_CAPABILITIES)
    assert made(ADMIN, "--cap-drop ALL").host["cap_add"] == []


@pytest.mark.parametrize("user", ["0", "root", "0:5", "someone", "1000:0", "1000:root"])
def test_only_elevated_tasks_choose_a_user_that_is_or_may_be_root(user):
    assert made(ADMIN, f"--user {user}").user == user
    with pytest.raises(Unfit, match="--user"):
        made(options=f"--user {user}")
    assert made(options="--user 1000:1000").user == "1000:1000"


def test_limits_stay_below_those_of_the_node():
    assert made(options="--memory 512m").host["mem_limit"] == 512 << 20
    assert made().host["mem_limit"] == NODE.memory
    for options in ("--memory 2g", "--cpus 1.5"):
        with pytest.raises(Unfit, match="node itself has less"):
            made(options=options)


def test_the_image_brings_its_own_command_when_the_task_has_none():
    found = made(replace(CLAIM, words=[]))
    assert (found.entrypoint, found.command) == (None, [])
    assert made(options="--entrypoint /bin/other").entrypoint == ["/bin/other"]


def test_unlisted_folders_are_not_there_and_their_variables_neither():
    mounts = [{"source": "Task"}, {"source": "Shared", "isReadOnly": True}]
    found = made(containerHostBatchBindMounts=mounts)
    assert found.binds == [
        Bind("shared", f"{ROOT}/shared", read_only=True),
        Bind("workitems/j/job-1/t", DIRECTORY),
    ]
    assert set(found.environment) == {
        "AZ_BATCH_TASK_DIR",
        "AZ_BATCH_CERTIFICATES_DIR",
        "AZ_BATCH_NODE_SHARED_DIR",
        "MINE",
    }
    nothing = made(containerHostBatchBindMounts=[], workingDirectory="containerImageDefault")
    assert (nothing.binds, nothing.working_dir) == ([], None)
    assert set(nothing.environment) == {"MINE"}


def test_volumes_lie_below_the_root_of_the_node():
    found = made(options="-v $AZ_BATCH_NODE_SHARED_DIR/in:/in:ro", containerHostBatchBindMounts=[])
    assert found.binds == [Bind("shared/in", "/in", read_only=True)]
    with pytest.raises(Unfit, match="AZ_BATCH_NODE_ROOT_DIR"):
        made(options="-v /etc:/etc")


def test_variables_of_the_task_win_over_those_of_the_options():
    assert made(options="-e MINE=2 -e MORE=3").environment["MINE"] == "1"
    assert made(options="-e MORE=3").environment["MORE"] == "3"


def test_labels_of_the_farm_cannot_be_taken_over():
    assert made(options="--label a=b").labels == {"a": "b", "nodefarm": "acct"}


def test_what_the_node_mounts_goes_in_as_a_whole_wherever_its_folder_goes():
    node = replace(NODE, mounts_source="/var/volumes/7-mounts/_data")
    seen = Bind("fsmounts", f"{ROOT}/fsmounts", source=node.mounts_source)
    assert made(host=node).binds == [Bind("", ROOT), seen]
    assert made(host=node, containerHostBatchBindMounts=[{"source": "Task"}, {"source": "VfsMounts"}]).binds == [
        seen, Bind(f"{DIRECTORY.removeprefix(ROOT)[1:]}", DIRECTORY),
    ]  # fmt: skip
    assert made(host=node, containerHostBatchBindMounts=[{"source": "Task"}]).binds[0].source == ""
    elsewhere = made(host=node, options=f"-v {ROOT}/fsmounts:/data -v {ROOT}:/all", containerHostBatchBindMounts=[
        {"source": "Task"}]).binds  # fmt: skip
    assert {bind.target: bind.source for bind in elsewhere if bind.source} == {
        "/data": node.mounts_source, "/all/fsmounts": node.mounts_source,
    }  # fmt: skip


@pytest.mark.parametrize("volume", [f"{ROOT}/fsmounts/box:/b", f"{ROOT}/fsmounts:/b:ro", f"{ROOT}:/b:ro"])
def test_what_the_node_mounts_does_not_go_in_by_parts_or_read_only(volume):
    node = replace(NODE, mounts_source="/var/volumes/7-mounts/_data")
    with pytest.raises(Unfit, match=r"as a whole|read-only"):
        made(host=node, options=f"-v {volume}")
    assert made(options=f"-v {volume}")
