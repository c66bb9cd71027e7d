"""Tasks in containers of their own, beside their node (spec/behaviour.md, 19)."""

import base64
import hashlib
from typing import Any

import pytest
from container_support import DockerFarm
from farm_support import RunningFarm, wait_until

from orchestrator.domain import durations
from tests.certificates import made

IMAGE = "busybox:1.36"
POOL = "boxes"
PASSWORD = "of the pfx, 4711"
SHOWN = {"pfx": made("in a box", PASSWORD), "cer": made("beside it")}
ADMIN = {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
MACHINE = {
    "imageReference": {"publisher": "debian", "offer": "debian-12", "sku": "12"},
    "nodeAgentSKUId": "batch.node.debian 12",
}


@pytest.fixture(scope="module")
def boxes(shared_docker: DockerFarm) -> RunningFarm:
    """The shared farm with a pool for container tasks, whose start task ran in a container too."""
    for kind in ("pfx", "cer"):
        body = {"thumbprint": SHOWN[kind].thumbprint, "thumbprintAlgorithm": "sha1", "certificateFormat": kind}
        data = SHOWN[kind].pfx if kind == "pfx" else SHOWN[kind].der
        secret = {"password": PASSWORD} if kind == "pfx" else {}
        assert shared_docker.farm.raw("POST", "/certificates", body | {"data": data} | secret).status_code == 201
    shown = [
        {"thumbprint": one.thumbprint, "thumbprintAlgorithm": "sha1", "visibility": ["task"]} for one in SHOWN.values()
    ]
    configuration = {"type": "dockerCompatible", "containerImageNames": [IMAGE]}
    start = shell("echo started > $AZ_BATCH_NODE_SHARED_DIR/start", "") | {"userIdentity": ADMIN}
    del start["id"]
    farm = shared_docker.farm
    farm.add_pool(
        POOL, 1, slots=4, startTask=start, certificateReferences=shown, vmSize="farm_1c_0.25g",
        virtualMachineConfiguration=MACHINE | {"containerConfiguration": configuration},
    )  # fmt: skip
    return farm


def shell(script: str, id: str, **settings: Any) -> dict[str, Any]:
    return {
        "id": id, "commandLine": f"/bin/sh -c {script!r}",
        "containerSettings": {"imageName": IMAGE, **settings},
    }  # fmt: skip


def run(farm: RunningFarm, job: str, *tasks: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    """Run tasks to their ends; by id what became of them."""
    farm.add_job(job, POOL, list(tasks), **more)
    wait_until(lambda: all(task["state"] == "completed" for task in farm.tasks(job)), 60)
    return {task["id"]: task["executionInfo"] for task in farm.tasks(job)}


def said(farm: RunningFarm, job: str, task: str, name: str = "stdout.txt") -> str:
    return farm.raw("GET", f"/jobs/{job}/tasks/{task}/files/{name}").text


def test_a_task_runs_in_its_own_image_with_its_nodes_folders_and_its_users_rights(boxes: RunningFarm) -> None:
    script = (
        'id -u; pwd; cat $AZ_BATCH_NODE_SHARED_DIR/start; echo "$MINE $PATH"; echo made > made; echo bad >&2; exit 3'
    )
    task = shell(script, "t") | {"environmentSettings": [{"name": "MINE", "value": "yes"}]}

    info = run(boxes, "inside", task)["t"]

    user, directory, start, mine = said(boxes, "inside", "t").splitlines()
    assert (info["exitCode"], info["failureInfo"]["code"]) == (3, "FailureExitCode")
    assert info["containerInfo"]["state"] == "exited" and len(info["containerInfo"]["containerId"]) == 64
    assert int(user) > 0 and start == "started" and mine.startswith("yes /")
    assert directory.endswith("workitems/inside/job-1/t/wd")
    assert said(boxes, "inside", "t", "stderr.txt") == "bad\n"
    assert said(boxes, "inside", "t", "wd/made") == "made\n"


def test_a_container_has_what_its_settings_say_and_no_more(boxes: RunningFarm) -> None:
    listed = shell(
        "ls $AZ_BATCH_NODE_ROOT_DIR; touch $AZ_BATCH_NODE_SHARED_DIR/x; echo [$AZ_BATCH_NODE_STARTUP_DIR]",
        "listed",
        containerHostBatchBindMounts=[{"source": "Task"}, {"source": "Shared", "isReadOnly": True}],
    )
    nothing = shell(
        "ls -d $AZ_BATCH_NODE_ROOT_DIR || pwd", "nothing",
        containerHostBatchBindMounts=[], workingDirectory="containerImageDefault",
    )  # fmt: skip
    root = shell("grep Cap /proc/self/status; id -u", "root") | {"userIdentity": ADMIN}
    options = shell("hostname; cat /proc/net/dev | grep -c :; ulimit -n; pwd", "options",
                    containerRunOptions="--network none --hostname box --ulimit nofile=99 --workdir /tmp")  # fmt: skip

    ended = run(boxes, "settings", listed, nothing, root, options)

    assert said(boxes, "settings", "listed").split() == ["shared", "workitems", "[]"]
    assert "Read-only" in said(boxes, "settings", "listed", "stderr.txt")
    assert said(boxes, "settings", "nothing") == "/\n"
    held = [int(line.split()[1], 16) for line in said(boxes, "settings", "root").splitlines()[:-1]]
    refused = {"NET_ADMIN": 12, "NET_RAW": 13, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "MKNOD": 27}
    assert all(not held_one >> bit & 1 for held_one in held for bit in refused.values())
    assert said(boxes, "settings", "root").endswith("\n0\n")
    assert said(boxes, "settings", "options").split() == ["box", "1", "99", "/tmp"]
    assert {info["result"] for info in ended.values()} == {"success"}


def test_certificates_lie_in_a_closed_directory_that_the_container_sees_with_its_task(boxes: RunningFarm) -> None:
    look = 'cd "$AZ_BATCH_CERTIFICATES_DIR" && stat -c "%n %a %u" . * && cat *.pw && sha256sum *.pfx *.cer'
    task = shell(look, "whole")
    only = shell(look, "only", containerHostBatchBindMounts=[{"source": "Task"}])
    without = shell(
        "echo [$AZ_BATCH_CERTIFICATES_DIR]", "without",
        containerHostBatchBindMounts=[], workingDirectory="containerImageDefault",
    )  # fmt: skip

    run(boxes, "certified", task, only, without, shell("id -u", "who"))

    user = said(boxes, "certified", "who").strip()
    pfx, cer = f"sha1-{SHOWN['pfx'].thumbprint}.pfx", f"sha1-{SHOWN['cer'].thumbprint}.cer"
    for name in ("whole", "only"):
        *rights, last = said(boxes, "certified", name).split(PASSWORD)
        assert sorted(rights[0].splitlines()) == sorted(
            [f". 700 {user}", f"{pfx} 600 {user}", f"{pfx}.pw 600 {user}", f"{cer} 600 {user}"]
        )
        assert dict(reversed(line.split()) for line in last.splitlines()) == {
            file: hashlib.sha256(base64.b64decode(content)).hexdigest()
            for file, content in ((pfx, SHOWN["pfx"].pfx), (cer, SHOWN["cer"].der))
        }
    assert said(boxes, "certified", "without") == "[]\n"


def test_what_a_container_used_is_in_the_statistics_of_its_task_and_job(boxes: RunningFarm) -> None:
    run(boxes, "used", shell("sh -c 'ulimit -t 1; while :; do :; done'; echo over", "busy"))

    with boxes.api as api:
        task = api.get("/jobs/used/tasks/busy", **{"$expand": "stats"})["stats"]
        job = api.get("/jobs/used", **{"$expand": "stats"})["stats"]

    processor = durations.to_us(task["userCPUTime"]) + durations.to_us(task["kernelCPUTime"])
    assert 0.5e6 <= processor <= 1.5e6, "the kernel ended it after one second of the processor"
    assert durations.to_us(task["wallClockTime"]) >= processor / 2, "of two cores, say"
    assert [job[name] for name in ("userCPUTime", "kernelCPUTime")] == [
        task[name] for name in ("userCPUTime", "kernelCPUTime")
    ]


def test_preparation_and_release_run_in_containers_too(boxes: RunningFarm) -> None:
    preparation = shell("echo ready > $AZ_BATCH_NODE_SHARED_DIR/prepared; echo prepared", "jobpreparation")
    release = shell("cat $AZ_BATCH_JOB_PREP_DIR/stdout.txt > $AZ_BATCH_NODE_SHARED_DIR/released; exit 3", "jobrelease")
    task = shell("cat $AZ_BATCH_NODE_SHARED_DIR/prepared", "t")

    run(boxes, "around", task, jobPreparationTask=preparation, jobReleaseTask=release)
    with boxes.api as api:
        api.post("/jobs/around/terminate", {})
        wait_until(lambda: api.get("/jobs/around")["state"] == "completed", 60)
        (told,) = api.get("/jobs/around/jobpreparationandreleasetaskstatus")["value"]

    before, after = told["jobPreparationTaskExecutionInfo"], told["jobReleaseTaskExecutionInfo"]
    assert said(boxes, "around", "t") == "ready\n"
    assert (before["result"], before["containerInfo"]["state"]) == ("success", "exited")
    assert (after["exitCode"], after["failureInfo"]["code"]) == (3, "FailureExitCode")
    assert len(after["containerInfo"]["containerId"]) == 64
    run(boxes, "afterwards", shell("cat $AZ_BATCH_NODE_SHARED_DIR/released", "t"))
    assert said(boxes, "afterwards", "t") == "prepared\n"


def test_what_cannot_run_says_why_and_the_node_survives(boxes: RunningFarm) -> None:
    absent = shell("true", "absent", imageName="nodefarm.invalid/none:1")
    program = shell("true", "program") | {"commandLine": "/no/such/program"}
    hungry = shell("head -c 200m /dev/zero | tail > /dev/null; echo still here", "hungry")
    forever = shell("sleep 1000 & sleep 1000", "forever") | {"constraints": {"maxWallClockTime": "PT2S"}}

    ended = run(boxes, "failures", absent, program, hungry, forever)

    assert ended["absent"]["failureInfo"]["code"] == "ContainerInvalidImage"
    assert "nodefarm.invalid" in str(ended["absent"]["failureInfo"]["details"])
    assert ended["program"]["failureInfo"]["code"] == "ContainerLaunchFailed"
    assert said(boxes, "failures", "hungry") == "still here\n"
    assert (ended["forever"]["exitCode"], ended["forever"]["failureInfo"]["code"]) == (137, "TaskEnded")
    assert [node["state"] for node in boxes.nodes(POOL)] == ["idle"]


def test_a_link_that_an_elevated_task_laid_leads_nowhere(boxes: RunningFarm) -> None:
    run(boxes, "lay", shell("ln -s / $AZ_BATCH_NODE_SHARED_DIR/host", "t") | {"userIdentity": ADMIN})
    follow = shell("ls /host", "t", containerRunOptions="-v $AZ_BATCH_NODE_SHARED_DIR/host:/host")

    info = run(boxes, "follow", follow | {"userIdentity": ADMIN})["t"]

    assert info["failureInfo"]["code"] == "ContainerLaunchFailed"
    assert "link" in str(info["failureInfo"]["details"])


def test_a_terminated_task_leaves_no_container(boxes: RunningFarm, shared_docker: DockerFarm) -> None:
    boxes.add_job("ended", POOL, [shell("echo up; sleep 1000", "t")])
    wait_until(lambda: said(boxes, "ended", "t") == "up\n", 30)
    running = {"label": [f"nodefarm={boxes.account}", "nodefarm.task"]}
    assert len(shared_docker.client.api.containers(filters=running)) == 1

    assert boxes.raw("POST", "/jobs/ended/tasks/t/terminate").status_code == 204

    wait_until(lambda: not shared_docker.client.api.containers(all=True, filters=running), 30)
    assert boxes.tasks("ended")[0]["executionInfo"]["failureInfo"]["code"] == "TaskEnded"


def test_a_size_with_gpus_asks_the_engine_for_them_and_a_node_without_says_so(
    boxes: RunningFarm, shared_docker: DockerFarm
) -> None:
    boxes.add_pool("graphics", 1, vmSize="standard_nc6", wait=False)
    able = "nvidia" in shared_docker.client.info()["Runtimes"]
    wanted = "idle" if able else "unusable"
    wait_until(lambda: [node["state"] for node in boxes.nodes("graphics")] == [wanted], 60)

    (node,) = boxes.nodes("graphics")

    requests = shared_docker.container(node["id"]).attrs["HostConfig"]["DeviceRequests"]
    assert [(one["Count"], one["Capabilities"]) for one in requests] == [(1, [["gpu"]])]
    assert able or "gpu" in str(node["errors"])


def test_a_pool_with_containers_takes_no_plain_task_and_another_none_with_settings(boxes: RunningFarm) -> None:
    boxes.add_job("plain", POOL, [])
    refused = boxes.raw("POST", "/jobs/plain/tasks", {"id": "t", "commandLine": "/bin/true"})
    assert refused.status_code == 400
    assert refused.json()["code"] == "InvalidPropertyValue"
    assert "containerSettings" in str(refused.json()["values"])
    job = {"id": "bare", "poolInfo": {"poolId": POOL}, "jobManagerTask": {"id": "m", "commandLine": "/bin/true"}}
    refused = boxes.raw("POST", "/jobs", job)
    assert "jobManagerTask.containerSettings" in str(refused.json()["values"])
