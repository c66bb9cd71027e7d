"""How tests look out of a node: small programs run as its tasks, and logins over its sshd."""

import base64
import contextlib
import itertools
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import paramiko
from farm_support import RunningFarm, wait_until

ADMIN = {"autoUser": {"elevationLevel": "admin"}}
_serial = itertools.count(1)


@dataclass(frozen=True)
class PoolNodes:
    """A pool of idle nodes."""

    farm: RunningFarm
    pool: str

    @property
    def nodes(self) -> list[dict[str, Any]]:
        return self.farm.nodes(self.pool)

    def path(self, index: int = 0) -> str:
        return f"/pools/{self.pool}/nodes/{self.nodes[index]['id']}"

    def address(self, index: int = 0) -> str:
        return str(self.nodes[index]["ipAddress"])

    def frontend(self, backend: int, index: int = 0) -> tuple[str, int]:
        """Where a port of a node is published."""
        ends = self.nodes[index]["endpointConfiguration"]["inboundEndpoints"]
        (found,) = [end for end in ends if end["backendPort"] == backend]
        return found["publicIPAddress"], found["frontendPort"]

    def start(self, command: str, index: int = 0, identity: dict[str, Any] | None = None) -> tuple[str, str]:
        """Begin a task on one node; answers its job and id."""
        job = f"{self.pool}-job-{next(_serial)}"
        task = {"id": "t", "commandLine": command, "affinityInfo": {"affinityId": f"TVM:{self.nodes[index]['id']}"}}
        self.farm.add_job(job, self.pool, [task | ({"userIdentity": identity} if identity else {})])
        return job, "t"

    def run(self, command: str, index: int = 0, identity: dict[str, Any] | None = None) -> str:
        """What a command printed as a task on one node."""
        job, task = self.start(command, index, identity)
        (done,) = wait_until(lambda: [t for t in self.farm.tasks(job) if t["state"] == "completed"], 60)
        said = {
            name: self.farm.raw("GET", f"/jobs/{job}/tasks/{task}/files/{name}.txt").text
            for name in ("stdout", "stderr")
        }
        assert done["executionInfo"].get("exitCode") == 0, (done["executionInfo"], said)
        return said["stdout"]

    def python(self, program: str, index: int = 0, identity: dict[str, Any] | None = None) -> Any:
        """The JSON that a Python program printed last as a task on one node."""
        return json.loads(self.run(as_command(program), index, identity).splitlines()[-1])

    def reach(
        self, targets: dict[str, tuple[str, int]], index: int = 0, identity: dict[str, Any] | None = None
    ) -> dict[str, bool]:
        """Which addresses a task of the node can connect to."""
        return self.python(f"targets = {targets!r}\n{_CONNECT}", index, identity)

    def user(self, name: str, index: int = 0, **rights: Any) -> None:
        answer = self.farm.raw("POST", f"{self.path(index)}/users", {"name": name, **rights})
        assert answer.status_code == 201, answer.text

    def login(self, user: str, index: int = 0, **how: Any) -> paramiko.SSHClient:
        """A session on the node, at the address that its remote login settings tell."""
        settings = self.farm.raw("GET", f"{self.path(index)}/remoteloginsettings").json()
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        try:
            client.connect(
                settings["remoteLoginIPAddress"], settings["remoteLoginPort"], user,
                look_for_keys=False, allow_agent=False, timeout=10, banner_timeout=15, auth_timeout=15, **how,
            )  # fmt: skip
        except BaseException:
            client.close()
            raise
        return client


_CONNECT = """
import json, socket
def open_to(where):
    try:
        socket.create_connection(tuple(where), 2).close()
        return True
    except OSError:
        return False
print(json.dumps({name: open_to(where) for name, where in targets.items()}))
"""


def as_command(program: str) -> str:
    """A command line that runs a Python program."""
    text = base64.b64encode(program.encode()).decode()
    return f"python3 -c \"import base64; exec(base64.b64decode('{text}'))\""


def said(client: paramiko.SSHClient, command: str) -> str:
    """What a command printed in a session, errors too."""
    _, out, errors = client.exec_command(command, timeout=20)
    return (out.read() + errors.read()).decode()


@contextlib.contextmanager
def listening(host: str) -> Iterator[int]:
    """A service of the test's own at an address of this host; yields its port."""
    with socketserver.ThreadingTCPServer((host, 0), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
