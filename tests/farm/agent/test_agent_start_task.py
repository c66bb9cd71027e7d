"""How a node becomes ready."""

import json
import os
from pathlib import Path

import psutil
import pytest
from agent_world import UID_BASE, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="nodes switch users only as root")


def progress(world):
    return [json.loads(item[1]) for item in world.events() if item[0] == "start"]


def final(world):
    return until(lambda: [info for info in progress(world) if info["state"] == "completed"])[0]


def sh(script, **more):
    return {"commandLine": "/bin/sh -c '" + script + "'", **more}


def test_a_start_task_runs_before_the_node_is_ready(world):
    world.start(
        start_task=sh("id -u; pwd; env | grep -c TASK_ID; exit 0", environmentSettings=[{"name": "A", "value": "1"}])
    )

    kinds = [item[0] for item in world.events()]
    assert kinds == ["up", "start", "start", "ready"]
    running, completed = progress(world)
    assert (running["state"], running["waitForSuccess"]) == ("running", True)
    assert (completed["result"], completed["exitCode"], completed["retryCount"]) == ("success", 0, 0)
    assert completed["startAgeUs"] > 0
    assert world.text("startup", "stdout.txt") == f"{UID_BASE}\n{world.root}/startup/wd\n0\n"


def test_a_start_task_that_fails_for_good_leaves_the_node_not_ready(world):
    world.start(ready=False, start_task=sh("echo x >> $AZ_BATCH_NODE_SHARED_DIR/tries; exit 4", maxTaskRetryCount=2))

    info = final(world)
    assert (info["result"], info["exitCode"], info["retryCount"]) == ("failure", 4, 2)
    assert info["failureInfo"]["code"] == "FailureExitCode"
    assert world.text("shared", "tries") == "x\n" * 3
    assert ["ready"] not in world.events()


def test_a_start_task_that_nobody_waits_for_does_not_keep_the_node(world):
    world.start(start_task=sh("exit 4", waitForSuccess=False))

    info = final(world)
    assert (info["result"], info["waitForSuccess"]) == ("failure", False)
    assert world.events().index(["ready"]) < len(world.events()) - 1
    world.run("/bin/true")
    assert world.ended() == (0, None)


def test_a_start_tasks_resource_files_come_first(world):
    world.api.files["/a"] = b"echo from a file\n"
    world.api.plans["start"] = {"inputs": [{"kind": "http", "url": world.api.url + "/a", "path": "run.sh"}]}
    world.start(start_task={"commandLine": "/bin/sh run.sh", "resourceFiles": [{}]})

    assert world.text("startup", "stdout.txt") == "from a file\n"


def test_a_missing_resource_file_fails_the_start_task_without_an_exit_code(world):
    world.api.plans["start"] = {"inputs": [{"kind": "http", "url": world.api.url + "/missing", "path": "x"}]}
    world.start(ready=False, start_task={"commandLine": "/bin/true", "resourceFiles": [{}], "maxTaskRetryCount": 5})

    info = final(world)
    assert info["failureInfo"]["code"] == "BlobNotFound"
    assert "exitCode" not in info


def test_a_start_task_whose_command_is_missing_says_so(world):
    world.start(ready=False, start_task={"commandLine": "no-such-program"})

    assert final(world)["failureInfo"]["code"] == "CommandProgramNotFound"


def test_services_of_the_start_task_stay_and_leftovers_of_tasks_go(world):
    world.start(start_task=sh("setsid sleep 700 & true"))
    for task in range(1, 4):
        world.sh("setsid sleep 701 & true", task=task)
        assert world.ended(task) == (0, None)

    commands = [process.info["cmdline"] or [""] for process in psutil.process_iter(["cmdline"])]
    sleeping = [command[1] for command in commands if command[0] == "sleep"]
    assert "700" in sleeping
    assert "701" not in sleeping


def test_an_elevated_start_task_prepares_what_tasks_only_read(world):
    world.start(
        start_task=sh(
            "id -u; echo ready > file", userIdentity={"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
        )
    )
    directory = world.sh(
        "cat $AZ_BATCH_NODE_STARTUP_WORKING_DIR/file; touch $AZ_BATCH_NODE_STARTUP_DIR/x && echo written"
    )

    world.ended()
    assert world.text("startup", "stdout.txt") == "0\n"
    assert Path(directory, "stdout.txt").read_text() == "ready\n"


def test_what_an_elevated_start_task_shares_can_be_used_by_tasks(world):
    """The most common start task of all: copy a resource file to the shared directory."""
    world.api.files["/tool"] = b"#!/bin/sh\necho used\n"
    entry = {"kind": "http", "url": world.api.url + "/tool", "path": "tool", "mode": "0770"}
    world.api.plans["start"] = {"inputs": [entry]}
    admin = {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
    world.start(start_task=sh("cp tool $AZ_BATCH_NODE_SHARED_DIR", userIdentity=admin, resourceFiles=[{}]))
    for task, scope in enumerate(("pool", "task"), 1):
        directory = world.sh("$AZ_BATCH_NODE_SHARED_DIR/tool", task=task, userIdentity={"autoUser": {"scope": scope}})

        assert world.ended(task) == (0, None)
        assert Path(directory, "stdout.txt").read_text() == "used\n"
