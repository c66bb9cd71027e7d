"""A plain client: one keep-alive connection, its own shared-key signatures, JSON by orjson.

Not the SDK: the SDK's own cost per call is several times that of the whole farm, and it is not what is measured.
"""

import base64
import hashlib
import hmac
import http.client
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import orjson

VERSION = "2024-07-01.20.0"
_JSON = "application/json; odata=minimalmetadata"


class Client:
    """Calls of one account. Not for several threads."""

    def __init__(self, endpoint: str, account: str, key: str) -> None:
        place = urlsplit(endpoint)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        self._account, self._key = account, base64.b64decode(key)

    def get(self, path: str, query: str = "") -> dict[str, Any]:
        """GET; `query` already encoded, without `?`, its names in order and api-version left out."""
        return self.call("GET", path, None, query)

    def post(self, path: str, body: object) -> dict[str, Any]:
        return self.call("POST", path, orjson.dumps(body))

    def delete(self, path: str) -> dict[str, Any]:
        return self.call("DELETE", path)

    def call(self, method: str, path: str, body: bytes | None = None, query: str = "") -> dict[str, Any]:
        """One call.

        Raises:
            RuntimeError: the answer is not 2xx.
        """
        date = formatdate(usegmt=True)
        kind = _JSON if body is not None else ""
        parameters = dict(pair.split("=", 1) for pair in query.split("&") if pair) | {"api-version": VERSION}
        lines = [method, "", "", str(len(body)) if body else "", "", kind, "", "", "", "", "", ""]
        lines += [f"ocp-date:{date}", f"/{self._account}{path}"]
        lines += [f"{name}:{value}" for name, value in sorted(parameters.items())]
        signature = base64.b64encode(hmac.digest(self._key, "\n".join(lines).encode(), hashlib.sha256)).decode()
        headers = {"ocp-date": date, "Authorization": f"SharedKey {self._account}:{signature}"}
        if body is not None:
            headers["Content-Type"] = kind
        search = "&".join(f"{name}={value}" for name, value in parameters.items())
        self._connection.request(method, f"{path}?{search}", body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return orjson.loads(content) if content else {}

    def add_pool(self, pool: str, nodes: int, slots: int = 1, timeout: float = 60) -> None:
        """Make a pool and wait until its nodes are idle.

        Raises:
            TimeoutError: they are not, within `timeout` seconds.
        """
        self.post("/pools", {
            "id": pool, "vmSize": "standard_d2_v3", "targetDedicatedNodes": nodes, "taskSlotsPerNode": slots,
            "virtualMachineConfiguration": {
                "imageReference": {"publisher": "debian", "offer": "debian-12", "sku": "12", "version": "latest"},
                "nodeAgentSKUId": "batch.node.debian 12",
            },
        })  # fmt: skip
        until = time.monotonic() + timeout
        while [node["state"] for node in self.get(f"/pools/{pool}/nodes")["value"]] != ["idle"] * nodes:
            if time.monotonic() > until:
                raise TimeoutError(f"the nodes of {pool} are not idle")
            time.sleep(0.05)

    def add_job(self, job: str, pool: str) -> None:
        self.post("/jobs", {"id": job, "poolInfo": {"poolId": pool}})

    def add_tasks(self, job: str, first: int, count: int, command: str = "/bin/true") -> None:
        """One add-collection call of up to 100 tasks, all of which must be taken."""
        tasks = [{"id": f"t{n:07d}", "commandLine": command} for n in range(first, first + count)]
        outcomes = self.post(f"/jobs/{job}/addtaskcollection", {"value": tasks})["value"]
        refused = [one for one in outcomes if one["status"].lower() != "success"]
        if refused:
            raise RuntimeError(f"not added: {refused[0]}")

    def completed(self, job: str) -> tuple[int, int]:
        """Tasks of the job that succeeded, and that failed."""
        counts = self.get(f"/jobs/{job}/taskcounts")["taskCounts"]
        return counts["succeeded"], counts["failed"]
