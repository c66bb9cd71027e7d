"""A task that is root may ruin its node; it gets neither the agent's secrets nor past the firewall (DESIGN, Nodes)."""

import pytest
from container_support import DockerFarm
from farm_support import wait_until
from probing import ADMIN, PoolNodes

from orchestrator.domain.tokens import node_token
from orchestrator.store.access import Access

pytestmark = pytest.mark.timeout(300)  # the first test waits for the nodes of all pools

ATTACK = r"""
import ctypes, errno, glob, json, os, socket, subprocess
libc = ctypes.CDLL(None, use_errno=True)
got = []

def tries(what, attempt):
    try:
        if attempt() is not False:
            got.append(what)
    except OSError:
        pass

def call(function, *arguments):
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno(), "refused")

def sets_a_mark():
    socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x4e46)

agents = [int(p.split("/")[2]) for p in glob.glob("/proc/[0-9]*/cmdline") if b"-m\0agent" in open(p, "rb").read()]
own = os.getppid()  # the spawner that started us
for pid in [*agents, own]:
    for name in ("environ", "mem", "maps", "stack", "syscall"):
        tries(f"{name} of {pid}", lambda: open(f"/proc/{pid}/{name}", "rb").read(16))
    for name in ("cwd", "exe", "root"):
        tries(f"{name} of {pid}", lambda: os.readlink(f"/proc/{pid}/{name}"))
    for fd in range(32):
        tries(f"descriptor {fd} of {pid}", lambda: os.readlink(f"/proc/{pid}/fd/{fd}"))
    tries(f"tracing {pid}", lambda: call(libc.ptrace, 16, pid, None, None))
    tries(f"a descriptor of {pid}", lambda: call(lambda: min(0, libc.syscall(438, os.pidfd_open(pid), 3, 0))))
tries("the mark", sets_a_mark)
tries("a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
tries("a packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))
tries("a mount", lambda: call(libc.mount, b"none", b"/mnt", b"tmpfs", 0, None))
tries("writing on the agent's volume", lambda: open("/opt/nodefarm/x", "w"))
tries("remounting it", lambda: call(libc.mount, None, b"/opt/nodefarm", None, 32 | 4096, None))
tries("namespaces", lambda: call(libc.unshare, 0x40000000 | 0x10000000))
tries("the agent's namespace", lambda: call(libc.setns, os.open("/proc/1/ns/net", os.O_RDONLY), 0))
tries("a module", lambda: call(lambda: libc.syscall(313, 0, b"", 0)))
tries("the host's disk", lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)) or open("/tmp/disk", "rb").read(1))
tries("Docker", lambda: os.stat("/var/run/docker.sock"))
def nft(*words):
    return subprocess.run(["/opt/nodefarm/agent/bin/nft", *words], capture_output=True).returncode == 0
for words in (("flush", "ruleset"), ("list", "ruleset"), ("delete", "table", "inet", "nodefarm")):
    tries("nft " + words[0], lambda: nft(*words))
tries("Redis", lambda: socket.create_connection(redis, 2))

open("/tmp/canary", "w").write("canary")
found = []
for top in ("/etc", "/run", "/tmp", "/var", "/root", "/home", "/mnt", "/dev/shm", "/srv"):
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.path.getsize(path) < 1 << 24:
                data = open(path, "rb").read()
                found += [path for secret in secrets if secret[::-1].encode() in data]
bounding = [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapBnd")][0]
print(json.dumps({"uid": os.getuid(), "agents": len(agents), "got": got, "found": found, "bounding": bounding}))
"""

NET_ADMIN, NET_RAW, SYS_PTRACE, SYS_ADMIN = 12, 13, 19, 21

PLANT = r"""
import json, os
os.makedirs("/usr/lib/ssl", exist_ok=True)
files = {
    "/etc/ld.so.preload": "/tmp/evil.so\n",
    "/etc/nsswitch.conf": "passwd: evil\nhosts: evil\n",
    "/usr/lib/ssl/openssl.cnf": "openssl_conf = a\n[a]\nengines = b\n[b]\nc = d\n[d]\ndynamic_path = /tmp/evil.so\n",
    "/usr/lib/python3/dist-packages/evil.pth":
        "import sys; open('/tmp/ran-' + sys.executable.replace('/', '_'), 'w')\n",
}
for path, text in files.items():
    with open(path, "w") as out:
        out.write(text)
os.system("python3 -c pass")
print(json.dumps(sorted(files)))
"""


def secrets_of(docker_nodes: DockerFarm, node_id: str) -> list[str]:
    """What only the agent of the node's present boot knows, as the farm itself derives it."""
    farm = docker_nodes.farm
    container = docker_nodes.container(node_id)
    node, boot = int(container.labels["nodefarm.node.number"]), int(container.name.rpartition("-")[2])
    key = (farm.data_dir / "secret").read_bytes()
    return [
        Access(None, farm.account, key, farm.redis_url).password(node, boot),
        node_token(key, farm.account, node, boot),
    ]


def test_root_in_a_node_gets_none_of_the_agents_secrets_and_not_past_the_firewall(
    pools: dict[str, PoolNodes], shared_docker: DockerFarm, redis: tuple[str, int]
) -> None:
    apart = pools["apart"]
    wanted = ["canary", *secrets_of(shared_docker, apart.nodes[0]["id"])]
    backwards = [secret[::-1] for secret in wanted]  # so that the search does not find its own words

    seen = apart.python(f"redis = {redis!r}\nsecrets = {backwards!r}\n{ATTACK}", 0, ADMIN)

    assert seen["uid"] == 0 and seen["agents"] >= 1
    assert seen["got"] == []
    assert seen["found"] == ["/tmp/canary"]
    assert not int(seen["bounding"], 16) & sum(1 << number for number in (NET_ADMIN, NET_RAW, SYS_PTRACE, SYS_ADMIN))


def test_what_a_root_task_plants_does_not_run_in_the_agent_of_the_next_boot(
    pools: dict[str, PoolNodes], shared_docker: DockerFarm
) -> None:
    """Root may write the files that loaders and interpreters take code from; the agent's own look elsewhere."""
    spoiled = pools["spoiled"]
    spoiled.python(PLANT, 0, ADMIN)
    container = shared_docker.container(spoiled.nodes[0]["id"])
    before = spoiled.nodes[0]["lastBootTime"]
    assert "evil.so" in spoiled.run("/bin/sh -c '/bin/true 2>&1'")  # programs of the image do look there

    assert spoiled.farm.raw("POST", f"{spoiled.path()}/reboot").status_code == 202

    wait_until(lambda: (now := spoiled.nodes[0])["state"] == "idle" and now["lastBootTime"] != before, 60)
    spoiled.user("ann", password="p")
    spoiled.login("ann", password="p").close()
    assert b"evil.so" not in container.logs()
    ran = spoiled.run("/bin/sh -c 'ls /tmp 2>/dev/null'", 0, ADMIN)
    assert "ran-" in ran and "nodefarm" not in ran
