"""File systems that a pool mounts on its nodes (spec/behaviour.md, 21)."""

from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from container_support import DockerFarm
from farm_support import RunningFarm, wait_until

SHELL = "/bin/sh -ec '{}'"
WORK = """cd $AZ_BATCH_NODE_MOUNTS_DIR/box/in
test $(cat given) = 1 && echo 2 > new && echo 3 >> new && mkdir sub && mv new sub/moved && rm given
head -c 9000000 /dev/zero > sub/big && cat sub/moved && id -u && ! touch ../../fixed/x"""

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
