"""What surrounds an agent in these tests."""

import base64
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import psutil
import redis

from agent.contract import messages, queues
from agent.contract.boot import Boot

PATIENCE_S = 20
UID_BASE = 300_000 + 100 * (os.getpid() % 1000)  # several runs on one machine do not see each other's processes
REDIS = os.environ.get("NODEFARM_TEST_REDIS") or shutil.which("redis-server") or "redis-server"


def until(condition, what="the condition"):
    """Wait for something to become true, and answer it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.01)


def sleepers():
    """Seconds that each `sleep` of this node's users was told, sorted."""
    found = []
    for process in psutil.process_iter(["uids", "cmdline"]):
        info = process.info
        if info["uids"] and UID_BASE <= info["uids"].real < UID_BASE + 100 and info["cmdline"][:1] == ["sleep"]:
            found.append(info["cmdline"][1])
    return sorted(found)


@dataclass
class Api:
    """The API's node endpoints, plain files with ranges, and containers of blobs, all on one port."""

    files: dict = field(default_factory=dict)  # path -> bytes
    blobs: dict = field(default_factory=dict)  # (container, name) -> bytes
    headers: dict = field(default_factory=dict)  # (container, name) -> headers of the commit
    plans: dict = field(default_factory=dict)  # (job, task) | "start" | "packages" -> answer or status
    calls: list = field(default_factory=list)
    replies: dict = field(default_factory=dict)
    trouble: dict = field(default_factory=dict)  # path -> list of statuses to answer first
    superseded: set = field(default_factory=set)
    hold_back: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        self._blocks = {}
        api = self

        class Handler(_Handler):
            world = api

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def forget(self):
        for kept in (self.files, self.blobs, self.headers, self.plans, self.calls, self.replies, self.trouble,
                     self.superseded, self._blocks):  # fmt: skip
            kept.clear()
        self.hold_back.set()

    def paths(self):
        return [path for _, path in self.calls]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: Api

    def log_message(self, *_):
        return

    def do_GET(self):
        path, query = self._target()
        if path.startswith("/slow/"):
            self.world.hold_back.wait(PATIENCE_S)
        if path.startswith("/storage/"):
            return self._get_blob(path, query)
        content = self.world.files.get(path)
        if content is None:
            return self._answer(404)
        return self._send_ranged(content, {"etag": '"1"'})

    do_HEAD = do_GET

    def do_POST(self):
        path, _ = self._target()
        body = json.loads(self._body())
        if self.headers["authorization"] != "Bearer tok":
            return self._answer(401)
        key = (body.get("job"), body.get("task"))
        if path.endswith("/publish"):
            return self._answer(409 if key in self.world.superseded else 204)
        name = "start" if body.get("start") else "packages" if "packages" in body else key
        plan = self.world.plans.get(name, {})
        if isinstance(plan, int):
            return self._answer(plan)
        return self._answer(200, json.dumps(plan).encode())

    def do_PUT(self):
        path, query = self._target()
        body = self._body()
        if path.startswith("/storage/"):
            return self._put_blob(path, query, body)
        name = path.rpartition("/")[2]
        meta = json.loads(self.headers["x-farm-meta"])
        self.world.replies[name] = (int(self.headers["x-farm-status"]), meta, body)
        return self._answer(204)

    def _get_blob(self, path, query):
        _, _, container, *name = path.split("/", 3)
        if container == "closed":
            return self._answer(403)
        if not any(known == container for known, _ in self.world.blobs):
            return self._answer(404, headers={"x-ms-error-code": "ContainerNotFound"})
        if query.get("comp") == "list":
            return self._list(container, query.get("prefix", ""))
        content = self.world.blobs.get((container, name[0]))
        if content is None:
            return self._answer(404, headers={"x-ms-error-code": "BlobNotFound"})
        return self._send_ranged(content, {"etag": '"1"', "x-ms-blob-type": "BlockBlob"})

    def _list(self, container, prefix):
        names = sorted(name for known, name in self.world.blobs if known == container and name.startswith(prefix))
        rows = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name in names
        )
        body = f"<?xml version='1.0'?><EnumerationResults><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>"
        return self._answer(200, body.encode(), {"content-type": "application/xml"})

    def _put_blob(self, path, query, body):
        _, _, container, name = path.split("/", 3)
        if container in ("closed", "missing"):
            code = {"closed": 403, "missing": 404}[container]
            return self._answer(code, headers={"x-ms-error-code": "ContainerNotFound" if code == 404 else "Denied"})
        if query["comp"] == "block":
            self.world._blocks[container, name, query["blockid"]] = body
        else:
            ids = re.findall(r"<Latest>(.*?)</Latest>", body.decode())
            parts = [self.world._blocks[container, name, id] for id in ids]
            self.world.blobs[container, name] = b"".join(parts)
            self.world.headers[container, name] = dict(self.headers)
            self.world.calls.append(("blocks", [base64.b64decode(id).decode() for id in ids]))
        return self._answer(201, headers={"etag": '"1"', "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"})

    def _send_ranged(self, content, headers):
        headers = {**headers, "accept-ranges": "bytes", "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range") or self.headers.get("x-ms-range") or "")
        if wanted is None:
            return self._answer(200, content, headers)
        start, end = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
        if start >= len(content):
            return self._answer(416, headers={"x-ms-error-code": "InvalidRange"})
        headers["content-range"] = f"bytes {start}-{end}/{len(content)}"
        return self._answer(206, content[start : end + 1], headers)

    def _target(self):
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.world.calls.append((self.command, path))
        trouble = self.world.trouble.get(path)
        if trouble:
            self._body()
            self._answer(trouble.pop(0))
            raise ConnectionAbortedError
        return path, {name: values[0] for name, values in parse_qs(parts.query).items()}

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except ConnectionAbortedError:
            return
        except (ConnectionError, BrokenPipeError):
            self.close_connection = True

    def _body(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class World:
    """One node. `start` boots its agent; `run` assigns a task; `ended` waits for its report."""

    def __init__(self, api):
        self.api = api
        api.forget()
        self.folder = tempfile.mkdtemp(prefix="node-")
        os.chmod(self.folder, 0o755)
        self.root = f"{self.folder}/root"
        self.url = f"unix://{self.folder}/redis.sock"
        self.agent = None
        self.boot = None
        self.items = []
        self.seq = 0
        self.boots = 0
        self.start_redis()

    def start_redis(self, *options):
        self.redis_server = subprocess.Popen(
            [REDIS, "--port", "0", "--unixsocket", f"{self.folder}/redis.sock", "--save", "", "--dir", self.folder,
             "--appendonly", "yes", "--appendfsync", "always", *options],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.redis = redis.Redis.from_url(self.url)
        until(self._answers, "Redis")
        self.listen()

    def listen(self):
        """Be somebody who receives pulses."""
        self.pulses = self.redis.pubsub(ignore_subscribe_messages=True)
        self.pulses.psubscribe(queues.pulses("acc"))
        self.pulses.get_message(timeout=1)

    def stop_redis(self, signum=signal.SIGTERM):
        self.redis_server.send_signal(signum)
        self.redis_server.wait(10)

    def start(self, ready=True, env=None, **changes):
        """Boot the agent; wait until it is ready unless told otherwise."""
        self.boots += 1
        given = {
            "account": "acc", "pool_id": "pool", "pool": 1, "node_id": "tvm-1_1-x", "node": 5, "boot": self.boots,
            "redis_url": self.url, "api_url": self.api.url, "token": "tok", "root": self.root, "ip": "127.0.0.5",
            "slots": 4, "uid_base": UID_BASE, "heartbeat_s": 0.2, "lost_after_s": 30.0,
        }  # fmt: skip
        self.boot = Boot(**(given | changes))
        self.boot.write(Path(self.folder, "boot.json"))
        self.items, self.seq = [], 0
        quick = {
            "NODEFARM_AGENT_HTTP_BACKOFF_S": "0.05", "NODEFARM_AGENT_SWEEP_INTERVAL_S": "0.1",
            "NODEFARM_AGENT_SWEEP_BUCKET_S": "0.5", "NODEFARM_AGENT_USAGE_INTERVAL_S": "0.1",
            "NODEFARM_AGENT_HTTP_ATTEMPTS": "3", "NODEFARM_AGENT_API_PATIENCE_S": "1",
            "NODEFARM_AGENT_BACKOFF_MOST_S": "0.2", "NODEFARM_AGENT_FULL_RETRY_S": "0.1",
            "NODEFARM_AGENT_TERMINATE_GRACE_S": "0.3",
        }  # fmt: skip
        self.agent = subprocess.Popen(
            [sys.executable, "-m", "agent", f"{self.folder}/boot.json"],
            env={**os.environ, **quick, **(env or {})},
            stderr=open(f"{self.folder}/agent.err", "ab"),  # noqa: SIM115 - the child's
        )
        if ready:
            self.until_item("ready")

    def push(self, kind, **members):
        self.seq += 1
        message = messages.pack({"v": 1, "kind": kind, "seq": self.seq, **members})
        self.redis.rpush(queues.inbox("acc", 5, self.boot.boot), message)

    def run(self, command, task=1, attempt=1, job=1, job_id="job", job_body=None, **body):
        """Assign one task."""
        text = json.dumps({"id": f"t{task}", "commandLine": command, **body})
        self.push(
            "run", jobs=[[job, job_id, json.dumps(job_body or {})]], tasks=[[job, task, attempt, text, 0, 1, 0]]
        )  # fmt: skip
        return f"{self.root}/workitems/{job_id}/job-1/t{task}"

    def give(self, tasks, attempts=None):
        """Assign many in one message: (number, shell script or None for a program that is not there, ahead)."""
        bodies = [{"id": f"t{number}", "commandLine": f"/bin/sh -c '{script}'" if script else "/no/such/program"}
                  for number, script, _ in tasks]  # fmt: skip
        counts = attempts or [1] * len(tasks)
        rows = [
            [1, number, attempt, json.dumps(body), 0, 1, ahead]
            for (number, _, ahead), body, attempt in zip(tasks, bodies, counts, strict=True)
        ]
        self.push("run", jobs=[[1, "job", "{}"]], tasks=rows)

    def sh(self, script, **more):
        """Assign one task that is a shell script."""
        return self.run("/bin/sh -c '" + script.replace("'", "'\\''") + "'", **more)

    def kill(self, task=1, attempt=1, job=1, why="terminate"):
        self.push("kill", tasks=[[job, task, attempt, why]])

    def events(self):
        """Every item so far, read and kept."""
        key = queues.events("acc", 5, self.boot.boot)
        while (data := self.redis.lpop(key)) is not None:
            message = messages.unpack(data)
            assert message["v"] == 1
            self.items += message["items"]
            assert self.redis.zscore(queues.bell("acc"), f"5:{self.boot.boot}") == 0
        return self.items

    def until_item(self, kind, *start):
        """The first item of a kind whose next members are these."""

        def found():
            return [item for item in self.events() if item[0] == kind and tuple(item[1 : 1 + len(start)]) == start]

        return until(found, f"{kind} {start}, only {self.items}")[0]

    def ended(self, task=1, attempt=1, job=1):
        """The exit code and failure of an attempt."""
        item = self.until_item("end", job, task, attempt)
        return item[5], item[6]

    def ask(self, op, path, **more):
        """A file request, and its answer: status, meta, bytes."""
        name = f"r{self.seq + 1}"
        self.push("file", req=name, op=op, path=path, reply=f"/nodefarm/v1/node/replies/{name}", **more)
        return until(lambda: self.api.replies.get(name), "a reply")

    def text(self, *parts):
        return Path(self.root, *parts).read_text()

    def log(self):
        return Path(f"{self.folder}/agent.err").read_text()

    def close(self):
        if self.agent is not None and self.agent.poll() is None:
            self.agent.terminate()
            self.agent.wait(15)
        if self.redis_server.poll() is None:
            self.stop_redis()
        until(lambda: not self.survivors(), f"the end of {self.survivors()}")

    def survivors(self):
        """Processes of this node's users, or that carry its mark."""
        found = []
        for process in psutil.process_iter(["pid", "name", "uids", "cmdline", "status"]):
            info = process.info
            if info["status"] == psutil.STATUS_ZOMBIE or info["pid"] in (os.getpid(), self.redis_server.pid):
                continue
            ours = info["uids"] and UID_BASE <= info["uids"].real < UID_BASE + 100
            if ours or any(self.folder in word for word in info["cmdline"] or ()) or self._marked(process):
                found.append((info["pid"], info["cmdline"]))
        return found

    def _marked(self, process):
        try:
            return process.environ().get("AZ_BATCH_NODE_ROOT_DIR") == self.root
        except (psutil.Error, OSError):
            return False

    def _answers(self):
        try:
            return self.redis.ping()
        except redis.ConnectionError:
            return False


def zipped(**files):
    """A zip file's bytes and their checksum; underscores in names stand for slashes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    data = buffer.getvalue()
    return data, hashlib.sha256(data).hexdigest()
