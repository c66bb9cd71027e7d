"""Files of tasks and nodes, brought by a real agent."""

import asyncio
import hashlib
import os
import signal
from email.utils import formatdate

import httpx
import pytest
from served_api import NEWEST, error, sign
from served_node import until

from orchestrator.api import relay as relays

TASK = "/jobs/j1/tasks/t1/files"


async def test_a_file_of_a_task_is_read_whole_in_part_and_looked_at(node):
    await node.run('printf 0123456789; mkdir sub; printf x > "sub/a b+c.bin"')
    read = await node.api("GET", f"{TASK}/stdout.txt")
    assert (read.status_code, read.content) == (200, b"0123456789")
    expected = {
        "content-length": "10",
        "content-type": "text/plain",
        "ocp-batch-file-isdirectory": "False",
        "ocp-batch-file-url": f"{node.api.url}{TASK}/stdout.txt",
    }
    looked = await node.api("HEAD", f"{TASK}/stdout.txt")
    for answer in (read, looked):
        assert expected.items() <= dict(answer.headers).items()
        assert answer.headers["ocp-batch-file-mode"].startswith("0o100")
        assert answer.headers["last-modified"].endswith("GMT")
        assert answer.headers["etag"].startswith("0x")
        assert "ocp-creation-time" not in answer.headers
    assert (looked.status_code, looked.content) == (200, b"")
    for path in ("wd%2Fsub%2Fa%20b%2Bc.bin", "wd/sub/a%20b+c.bin", "wd%5Csub%5Ca%20b%2Bc.bin"):
        answer = await node.api("GET", f"{TASK}/{path}")
        assert (answer.status_code, answer.content) == (200, b"x")
        assert answer.headers["ocp-batch-file-url"] == f"{node.api.url}{TASK}/wd/sub/a%20b%2Bc.bin"


async def test_a_range_is_answered_with_200_and_the_bytes_of_it(node):
    await node.run("printf 0123456789")
    for asked, content in (
        ("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=7-99", b"789"), ("bytes=-3", b"789"),
    ):  # fmt: skip
        answer = await node.api("GET", f"{TASK}/stdout.txt", headers={"ocp-range": asked})
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["content-length"] == str(len(content))


async def test_a_range_that_cannot_be_is_416(node):
    await node.run("printf 0123456789")
    for asked in ("bytes=10-", "bytes=11-12", "bytes=4-2", "bytes=-", "lines=1-2", "bytes=0-1,3-4"):
        error(await node.api("GET", f"{TASK}/stdout.txt", headers={"ocp-range": asked}), 416, "InvalidRange")


async def test_only_the_times_of_a_file_are_conditions(node):
    await node.run("true")
    date = (await node.api("HEAD", f"{TASK}/stdout.txt")).headers["last-modified"]
    old = formatdate(0, usegmt=True)
    for method in ("GET", "HEAD"):
        cached = await node.api(method, f"{TASK}/stdout.txt", headers={"if-modified-since": date})
        assert (cached.status_code, cached.content) == (304, b"")
        assert (await node.api(method, f"{TASK}/stdout.txt", headers={"if-unmodified-since": old})).status_code == 412
        assert (await node.api(method, f"{TASK}/stdout.txt", headers={"if-modified-since": old})).status_code == 200
    error(await node.api("GET", f"{TASK}/stdout.txt", headers={"if-match": "*"}), 400, "UnsupportedHeader")


async def test_files_are_listed_by_level_or_all_and_in_pages(node):
    await node.run("mkdir a; touch a/1 a/2 b")
    first = (await node.api("GET", TASK)).json()["value"]
    names = [entry["name"] for entry in first]
    assert {"stderr.txt", "stdout.txt", "wd"} <= set(names) and names == sorted(names)
    (wd,) = [entry for entry in first if entry["name"] == "wd"]
    assert wd == {"name": "wd", "url": f"{node.api.url}{TASK}/wd", "isDirectory": True}
    (out,) = [entry for entry in first if entry["name"] == "stdout.txt"]
    assert out["properties"]["contentLength"] == "0" and out["properties"]["fileMode"].startswith("0o100")
    path, found = f"{TASK}?recursive=true&maxresults=2&$filter=startswith(name,%27wd%27)&api-version=2025-06-01", []
    while path:
        page = (await node.api("GET", path, version=None)).json()
        assert len(page["value"]) <= 2
        found += [entry["name"] for entry in page["value"]]
        path = page.get("odata.nextLink", "").removeprefix(node.api.url)
    assert found == ["wd", "wd/a", "wd/a/1", "wd/a/2", "wd/b"]


async def test_files_are_deleted_directories_only_when_empty_or_recursively(node):
    await node.run("mkdir a; touch a/1 b")
    assert (await node.api("DELETE", f"{TASK}/wd%2Fb")).status_code == 200
    error(await node.api("DELETE", f"{TASK}/wd%2Fb"), 404, "FileNotFound")
    error(await node.api("DELETE", f"{TASK}/wd%2Fa"), 409, "OperationInvalidForCurrentState")
    assert (await node.api("DELETE", f"{TASK}/wd%2Fa?recursive=true")).status_code == 200
    error(await node.api("GET", f"{TASK}/wd%2Fa%2F1"), 404, "FileNotFound")


async def test_the_files_of_a_task_that_never_ran_are_unavailable(node):
    await node.api("POST", "/jobs/j1/disable", {"disableTasks": "wait"})
    await node.start("true")
    for method, path in (("GET", TASK), ("GET", f"{TASK}/stdout.txt"), ("DELETE", f"{TASK}/stdout.txt")):
        error(await node.api(method, path), 409, "TaskFilesUnavailable")
    assert (await node.api("HEAD", f"{TASK}/stdout.txt")).status_code == 409


async def test_stdout_can_be_read_while_the_task_runs(node):
    await node.start("echo early; sleep 60")
    assert await until(lambda: early(node)) == b"early\n"
    assert (await node.api("GET", "/jobs/j1/tasks/t1")).json()["state"] == "running"
    await node.api("POST", "/jobs/j1/tasks/t1/terminate")


async def early(node):
    answer = await node.api("GET", f"{TASK}/stdout.txt")
    return answer.content if answer.status_code == 200 and answer.content else None


async def test_node_files_are_named_from_the_root_and_need_the_nodes_pool(node):
    await node.run("echo hello")
    task = (await node.api("GET", "/jobs/j1/tasks/t1")).json()
    url = task["nodeInfo"]["taskRootDirectoryUrl"].removeprefix(node.api.url)
    answer = await node.api("GET", f"{url}/stdout.txt")
    assert (answer.status_code, answer.content) == (200, b"hello\n")
    listed = (await node.api("GET", f"/pools/p1/nodes/{node.id}/files")).json()["value"]
    assert {"applications", "shared", "workitems"} <= {entry["name"] for entry in listed}
    error(await node.api("GET", "/pools/p1/nodes/none/files/x"), 404, "NodeNotFound")


async def test_nothing_outside_the_tasks_directory_can_be_named(node):
    await node.run("ln -s / root")
    for path in ("..%2Ft1%2Fstdout.txt", "wd%2F..%2F..%2Fx", "..%5Cx", "%2e%2e%2Fx", "a%00b"):
        error(await node.api("GET", f"{TASK}/{path}"), 400, "InvalidUri")
    error(await node.api("GET", f"{TASK}/wd%2Froot%2Fetc%2Fpasswd"), 404, "FileNotFound")
    for path in ("%ff", "wd%2F%80%81"):
        error(await node.api("GET", f"{TASK}/{path}"), 404, "FileNotFound")


async def test_a_name_that_is_not_utf8_is_listed_and_can_be_read_by_its_url(node):
    await node.run("true")
    (directory,) = node.root.glob("workitems/j1/job-1/t1/wd")
    with open(os.fsencode(directory) + b"/\xff\xfe", "wb") as out:
        out.write(b"odd")
    listed = (await node.api("GET", f"{TASK}?recursive=true")).json()["value"]
    (odd,) = [entry for entry in listed if "\ufffd" in entry["name"]]
    answer = await node.api("GET", odd["url"].removeprefix(node.api.url))
    assert (answer.status_code, answer.content) == (200, b"odd")


async def test_a_big_file_flows_through_without_being_held(node):
    await node.run("true")
    (directory,) = node.root.glob("workitems/j1/job-1/t1/wd")
    size = 300 * 1024 * 1024
    with open(directory / "big", "wb") as out:
        out.truncate(size)
        out.seek(size - 3)
        out.write(b"end")
    before, digest, peak = resident(), hashlib.sha256(), 0
    request = await signed_stream(node, f"{TASK}/wd%2Fbig")
    async with request as answer:
        assert (answer.status_code, answer.headers["content-length"]) == (200, str(size))
        async for chunk in answer.aiter_bytes():
            digest.update(chunk)
            peak = max(peak, resident())
    assert digest.digest() == hashlib.sha256((directory / "big").read_bytes()).digest()
    assert peak - before < 100 * 1024 * 1024


async def signed_stream(node, path):
    """A signed GET whose answer is read piece by piece."""
    api = node.api
    request = api.http.build_request("GET", f"{api.url}{path}?api-version={NEWEST}")
    request.headers["ocp-date"] = formatdate(usegmt=True)
    request.headers["authorization"] = sign(request, "farm", api.key)

    class Stream:
        async def __aenter__(self):
            self.answer = await api.http.send(request, stream=True)
            return self.answer

        async def __aexit__(self, *_):
            await self.answer.aclose()

    return Stream()


def resident() -> int:
    """Resident bytes of this process, which serves the API too."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


async def test_a_reader_who_leaves_ends_the_agents_sending(node):
    await node.run("true")
    (directory,) = node.root.glob("workitems/j1/job-1/t1/wd")
    with open(directory / "big", "wb") as out:
        out.truncate(2 * 1024**3)
    async with await signed_stream(node, f"{TASK}/wd%2Fbig") as answer:
        async for _ in answer.aiter_bytes():
            break
    await until(lambda: nobody_reads(node))
    assert not node.api.app.state.relay._open
    await node.run("echo fine", id="t2")
    assert (await node.api("GET", "/jobs/j1/tasks/t2/files/stdout.txt")).content == b"fine\n"


async def nobody_reads(node) -> bool:
    """The agent has closed the big file."""
    folder = f"/proc/{node.agent.pid}/fd"
    links = [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder) if os.path.islink(f"{folder}/{fd}")]
    return not any(link.endswith("/big") for link in links)


async def test_a_node_that_does_not_answer_is_503_and_one_that_is_gone_is_unavailable(node, monkeypatch):
    await node.run("echo x")
    monkeypatch.setattr(relays, "ANSWER_S", 0.3)
    node.agent.send_signal(signal.SIGSTOP)
    try:
        answer = await node.api("GET", f"{TASK}/stdout.txt")
        error(answer, 503, "ServerBusy")
        assert int(answer.headers["retry-after"]) > 0
    finally:
        node.agent.send_signal(signal.SIGCONT)
    await node.api.farm.store.nodes.forget(node.number)
    error(await node.api("GET", f"{TASK}/stdout.txt"), 409, "TaskFilesUnavailable")


async def test_an_agent_that_dies_while_it_sends_breaks_the_answer_off(node):
    await node.run("true")
    (directory,) = node.root.glob("workitems/j1/job-1/t1/wd")
    with open(directory / "big", "wb") as out:
        out.truncate(2 * 1024**3)
    with pytest.raises(httpx.RemoteProtocolError):
        async with await signed_stream(node, f"{TASK}/wd%2Fbig") as answer:
            async for _ in answer.aiter_bytes():
                if node.agent.returncode is None:
                    node.agent.kill()
                    await node.agent.wait()


async def test_answers_are_taken_only_from_the_node_that_was_asked_and_once(node):
    relay = node.api.app.state.relay
    bearer = {"authorization": f"Bearer {node.token}"}
    url = f"{node.api.url}/nodefarm/v1/node/replies/"
    assert (await node.api.http.put(url + "00", headers=bearer, content=b"x")).status_code == 409
    async with asyncio.timeout(5):
        asked = asyncio.ensure_future(_ask(relay, node.number + 1))
        await until(lambda: _open(relay))
        (request,) = relay._open
        assert (await node.api.http.put(url + request, headers=bearer, content=b"x")).status_code == 409
        asked.cancel()


async def _open(relay) -> bool:
    return bool(relay._open)


async def _ask(relay, number: int) -> None:
    async def nothing(*_):
        return 0

    class Store:
        class nodes:
            send = nothing

    relay._store = Store
    async with relay.ask(number, "stat", "x"):
        pass
