"""File systems that a pool mounts on its nodes (spec/behaviour.md, 21)."""

from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from container_support import DockerFarm
from farm_support import RunningFarm, wait_until

SHELL = "/bin/sh -ec '{}'"
WORK = """cd $AZ_BATCH_NODE_MOUNTS_DIR/box/in
test $(cat given) = 1 && echo 2 > new && echo 3 >> new && mkdir sub && mv new sub/moved && rm given
head -c 9000000 /dev/zero > sub/big && cat sub/moved && id -u && ! touch ../../fixed/x"""

BOXES = {
    "imageReference": {"publisher": "debian", "offer": "debian-12", "sku": "12"},
    "nodeAgentSKUId": "batch.node.debian 12",
    "containerConfiguration": {"type": "dockerCompatible"},
}
ROOT = {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
ATTACK = """for one in /proc/[0-9]*; do cat $one/environ; done | tr "\\0" "\\n" | grep SAS_URL
mount -t tmpfs none /srv && echo mounted; umount $AZ_BATCH_NODE_MOUNTS_DIR/box && echo unmounted
for one in /proc/[0-9]*; do tr "\\0" " " < $one/cmdline | grep -q "[r]clone mount" && echo seen; done; id -u"""


def blob(farm: RunningFarm, path: str, **more: Any) -> dict[str, Any]:
    said = {"accountName": farm.account, "containerName": "mounted", "accountKey": farm.key, "relativeMountPath": path}
    return {"azureBlobFileSystemConfiguration": said | more}


@pytest.fixture(scope="module")
def box(shared_docker: DockerFarm) -> ContainerClient:
    with shared_docker.farm.api as api:
        api.call("PUT", "/nodefarm/v1/storage/containers/mounted")
        url = api.post(
            "/nodefarm/v1/storage/containers/mounted/url", {"permissions": "racwdl", "expiry": "P1D"}
        ).json()["url"]
    client = ContainerClient.from_container_url(url)
    client.upload_blob("in/given", b"1")
    return client


def test_a_container_of_files_is_mounted_read_and_written_and_only_read_where_that_is_asked(
    shared_docker: DockerFarm, box: ContainerClient
) -> None:
    farm = shared_docker.farm
    mounts = [blob(farm, "box"), blob(farm, "fixed", blobfuseOptions="-o ro -o attr_timeout=1")]
    farm.add_pool("mounting", 1, mountConfiguration=mounts)
    farm.add_job("mounting", "mounting", [{"id": "t", "commandLine": SHELL.format(WORK)}])
    wait_until(lambda: farm.tasks("mounting")[0]["state"] == "completed", 60)

    said = [farm.raw("GET", f"/jobs/mounting/tasks/t/files/std{kind}.txt").text for kind in ("out", "err")]
    assert farm.tasks("mounting")[0]["executionInfo"]["exitCode"] == 0, said
    assert said[0].split()[:2] == ["2", "3"] and int(said[0].split()[2]) > 0
    # what a task has written is there when it has ended
    assert {one.name: one.size for one in box.list_blobs()} == {"in/sub/moved": 4, "in/sub/big": 9_000_000}
    attack = {"id": "root", "commandLine": f"/bin/sh -c '{ATTACK}'", "userIdentity": ROOT}
    farm.add_job("attack", "mounting", [attack])
    wait_until(lambda: farm.tasks("attack")[0]["state"] == "completed", 60)
    lines = farm.raw("GET", "/jobs/attack/tasks/root/files/stdout.txt").text.split()
    assert lines == ["seen", "seen", "0"], "root sees what shows the mounts, and neither its secret nor a way to mount"

    with farm.api as api:
        shown = api.get("/pools/mounting")["mountConfiguration"][0]["azureBlobFileSystemConfiguration"]
    assert shown == {"accountName": farm.account, "containerName": "mounted", "relativeMountPath": "box"}


def test_a_pool_that_is_changed_mounts_on_nodes_that_boot_after_it(
    shared_docker: DockerFarm, box: ContainerClient
) -> None:
    farm = shared_docker.farm
    farm.add_pool("remounting", 1)
    (node,) = farm.nodes("remounting")
    shown = "ls $AZ_BATCH_NODE_MOUNTS_DIR; grep -c fuse /proc/mounts"

    def after(job: str, *mounts: dict[str, Any], reboot: bool = True) -> list[str]:
        assert farm.raw("PATCH", "/pools/remounting", {"mountConfiguration": mounts}).status_code == 200
        if reboot:
            assert farm.raw("POST", f"/pools/remounting/nodes/{node['id']}/reboot", {}).status_code == 202
            wait_until(lambda: [n["state"] for n in farm.nodes("remounting")] == ["idle"], 60)
        farm.add_job(job, "remounting", [{"id": "t", "commandLine": f"/bin/sh -c '{shown}'"}])
        wait_until(lambda: farm.tasks(job)[0]["state"] == "completed", 60)
        return farm.raw("GET", f"/jobs/{job}/tasks/t/files/stdout.txt").text.split()

    assert after("before", blob(farm, "one"), reboot=False) == ["0"], "a node that runs is left alone"
    assert after("first", blob(farm, "one"))[0::2] == ["one", "1"]
    there = after("second", blob(farm, "two"), blob(farm, "three/deep"))
    assert {"two", "three"} <= set(there) and "one" not in there and there[-1] == "2"
    assert [name for name in after("none") if not name.endswith(".log")] == ["0"]


def boxed(id: str, script: str, **settings: Any) -> dict[str, Any]:
    return {
        "id": id, "commandLine": f"/bin/sh -c '{script}'",
        "containerSettings": {"imageName": "busybox:1.36", **settings},
    }  # fmt: skip


def test_containers_of_tasks_see_what_their_node_has_mounted(shared_docker: DockerFarm, box: ContainerClient) -> None:
    farm = shared_docker.farm
    mounts = [blob(farm, "box"), blob(farm, "fixed", blobfuseOptions="-o ro")]
    farm.add_pool("seen", 2, mountConfiguration=mounts, virtualMachineConfiguration=BOXES)
    own = "cd $AZ_BATCH_NODE_MOUNTS_DIR/box && cat in/again && echo > seen-$AZ_BATCH_TASK_ID"
    box.upload_blob("in/again", b"given\n", overwrite=True)
    whole = boxed("whole", own + " && ! touch ../fixed/x")
    listed = boxed("listed", own, containerHostBatchBindMounts=[{"source": "Task"}, {"source": "VfsMounts"}])
    without = boxed("without", "ls $AZ_BATCH_NODE_ROOT_DIR", containerHostBatchBindMounts=[{"source": "Task"}])
    part = boxed("part", "true", containerRunOptions="-v $AZ_BATCH_NODE_MOUNTS_DIR/box:/box")
    root = boxed("root", "umount $AZ_BATCH_NODE_MOUNTS_DIR/box || echo no") | {"userIdentity": ROOT}
    farm.add_job("seen", "seen", [whole, listed, without, part, root])
    wait_until(lambda: all(task["state"] == "completed" for task in farm.tasks("seen")), 60)

    ended = {task["id"]: task["executionInfo"] for task in farm.tasks("seen")}
    said = {id: farm.raw("GET", f"/jobs/seen/tasks/{id}/files/stdout.txt").text for id in ended if id != "part"}
    assert said == {"whole": "given\n", "listed": "given\n", "without": "workitems\n", "root": "no\n"}, ended
    assert {one.name for one in box.list_blobs("seen-")} == {"seen-whole", "seen-listed"}
    assert "as a whole" in str(ended["part"]["failureInfo"])


TRAP = """mkdir $AZ_BATCH_NODE_SHARED_DIR/trap; cd $AZ_BATCH_NODE_MOUNTS_DIR
for one in /proc/[0-9]*; do tr "\\0" " " < $one/cmdline | grep -q "[r]clone mount" && kill -9 ${one#/proc/}; done
until rmdir box; do :; done; ln -s $AZ_BATCH_NODE_SHARED_DIR/trap box
until grep shared/trap /proc/mounts; do :; done"""


def test_a_link_of_roots_leads_no_mount_out_of_its_node(shared_docker: DockerFarm, box: ContainerClient) -> None:
    """What has ended the agent mounts anew, where root has put a link to a volume that may be shared with the host."""
    farm = shared_docker.farm
    start = {"commandLine": f"/bin/sh -c '{TRAP}'", "userIdentity": ROOT}
    mounts = [blob(farm, "box")]
    farm.add_pool("trap", 1, mountConfiguration=mounts, virtualMachineConfiguration=BOXES, startTask=start)

    assert "shared/trap" not in Path("/proc/self/mountinfo").read_text()


def test_what_cannot_be_mounted_makes_the_node_say_why(shared_docker: DockerFarm, box: ContainerClient) -> None:
    farm = shared_docker.farm
    wrong = blob(farm, "wrong", accountKey="d3Jvbmc=")
    absent = blob(farm, "absent", containerName="nothing")
    nfs = {"nfsMountConfiguration": {"source": "192.0.2.9:/x", "relativeMountPath": "data", "mountOptions": "-o ro"}}
    cifs = {"username": "u", "password": "p", "source": "//192.0.2.9/x", "relativeMountPath": "share"}
    expected = {"wrong": "not a key", "absent": "404", "data": "nfs|answer", "share": "cifs|answer"}
    pools = {"wrong": wrong, "absent": absent, "data": nfs, "share": {"cifsMountConfiguration": cifs}}
    for name, mount in pools.items():
        farm.add_pool(f"mount-{name}", 1, wait=False, mountConfiguration=[mount])
    for name in pools:
        wait_until(lambda pool=f"mount-{name}": [n["state"] for n in farm.nodes(pool)] == ["unusable"], 100)

        (error,) = farm.nodes(f"mount-{name}")[0]["errors"]
        assert error["code"] == "MountConfigurationError"
        assert name in error["message"] and any(word in error["message"] for word in expected[name].split("|")), error
