"""A node's files, as the API asks for them."""

import json
import os
from pathlib import Path

import pytest
from agent_world import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="nodes switch users only as root")

TASK = "workitems/job/job-1/t1"


@pytest.fixture
def node(world):
    world.start()
    world.sh(
        "echo hello; echo 12345 > f; mkdir -p d/e; echo x > d/e/g; ln -s /etc/shadow link; mkfifo pipe; ln -s / up"
    )
    world.ended()
    return world


def names(answer):
    return [entry["name"] for entry in json.loads(answer[2])]


def test_a_listing_has_one_level_or_all_and_no_links(node):
    assert names(node.ask("list", TASK)) == ["stderr.txt", "stdout.txt", "wd"]
    assert names(node.ask("list", f"{TASK}/wd", recursive=True)) == ["d", "d/e", "d/e/g", "f"]
    entry = json.loads(node.ask("list", TASK)[2])[1]
    assert (entry["size"], entry["isDirectory"], oct(entry["mode"])) == (6, False, "0o100644")
    assert entry["modifiedUs"] > 1_000_000_000_000_000


def test_the_root_can_be_listed(node):
    assert set(names(node.ask("list", ""))) >= {"shared", "startup", "workitems"} - {"startup"}


def test_a_file_is_sent_whole_or_in_part(node):
    status, meta, body = node.ask("get", f"{TASK}/wd/f")
    assert (status, meta["size"], body) == (200, 6, b"12345\n")
    assert node.ask("get", f"{TASK}/wd/f", offset=2, length=2)[2] == b"34"
    assert node.ask("get", f"{TASK}/wd/f", offset=4, length=100)[2] == b"5\n"
    assert node.ask("get", f"{TASK}/wd/f", offset=6)[0] == 416
    assert node.ask("stat", f"{TASK}/wd/f")[1]["isDirectory"] is False
    assert node.ask("stat", f"{TASK}/wd")[1]["isDirectory"] is True


def test_an_empty_file_is_sent(node):
    status, meta, body = node.ask("get", f"{TASK}/stderr.txt", offset=0)
    assert (status, meta["size"], body) == (200, 0, b"")


def test_output_can_be_read_while_it_grows(world):
    world.start()
    world.sh("i=0; while :; do echo line $i; i=$((i+1)); done")
    path = Path(world.root, TASK, "stdout.txt")
    until(lambda: path.exists() and path.stat().st_size > 1_000_000)

    status, meta, body = world.ask("get", f"{TASK}/stdout.txt")

    assert status == 200
    assert len(body) == meta["size"]
    assert body.startswith(b"line 0\nline 1\n")
    world.kill()
    world.ended()


@pytest.mark.parametrize(
    "path",
    [
        f"{TASK}/wd/link", f"{TASK}/wd/up/etc/passwd", f"{TASK}/wd/pipe", "../boot.json", f"{TASK}/../../../../../x",
        "/etc/passwd", "no/such", f"{TASK}/wd/f/x", f"{TASK}/wd/d", "a\0b",
    ],
)  # fmt: skip
def test_nothing_outside_the_root_and_nothing_that_is_no_file_is_sent(node, path):
    status, meta, body = node.ask("get", path)

    assert (status, meta["code"], body) == (404, "FileNotFound", b"")


def test_files_and_directories_are_deleted(node):
    assert node.ask("delete", f"{TASK}/wd/f")[0] == 200
    assert node.ask("delete", f"{TASK}/wd/f")[0] == 404
    assert node.ask("delete", f"{TASK}/wd/d")[0] == 409
    assert node.ask("delete", f"{TASK}/wd/d", recursive=True)[0] == 200
    assert names(node.ask("list", f"{TASK}/wd", recursive=True)) == []


def test_deleting_a_link_deletes_the_link(node):
    assert node.ask("delete", f"{TASK}/wd/link")[0] == 200
    assert os.path.exists("/etc/shadow")


@pytest.mark.parametrize("path", ["volatile/agent/agent.log", "agent/agent.log", "workitems", "volatile", ""])
def test_the_nodes_own_files_stay(node, path):
    assert node.ask("delete", path, recursive=True)[0] == 409


def test_the_agents_own_log_is_readable_below_agent(node):
    assert names(node.ask("list", "agent")) == ["agent.log"]
    assert b"agent up" in node.ask("get", "agent/agent.log")[2]


def test_names_that_are_not_utf8_survive_the_way(node):
    os.close(os.open(os.fsencode(f"{node.root}/shared/") + b"\xff\xfe", os.O_CREAT | os.O_WRONLY, 0o644))

    (name,) = names(node.ask("list", "shared"))
    assert os.fsencode(name) == b"\xff\xfe"
    assert node.ask("get", f"shared/{name}")[0] == 200


def test_a_requester_that_is_gone_does_no_harm(node):
    node.push("file", req="x", op="get", path=f"{TASK}/wd/f", reply="http://127.0.0.1:1/x")
    until(lambda: "nobody took a file" in node.log())

    assert node.ask("get", f"{TASK}/wd/f")[0] == 200
