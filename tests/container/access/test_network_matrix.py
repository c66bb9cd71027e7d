"""Who reaches whom, tried with real packets (spec/behaviour.md, 20; DESIGN, Network)."""

import socket
import urllib.request
from urllib.parse import urlsplit

import pytest
from farm_support import wait_until
from probing import ADMIN, PoolNodes, as_command, listening
from tables import note

pytestmark = pytest.mark.timeout(300)  # the first test waits for the nodes of all pools

LISTEN = """
import http.server, threading
for port in (7777, 8080, 8081):
    server = http.server.ThreadingHTTPServer(("", port), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever).start()
"""


@pytest.fixture(scope="module")
def listeners(pools: dict[str, PoolNodes]) -> None:
    """Each second node answers at 7777, 8080 and 8081."""
    for name in ("apart", "together"):
        pools[name].start(as_command(LISTEN), 1)
    for name in ("apart", "together"):
        wait_until(lambda: _answers(pools[name]), 30)  # noqa: B023


def _answers(pool: PoolNodes) -> bool:
    """Seen from the node itself: nothing but a test of the network may depend on the network."""
    return pool.reach({"self": ("127.0.0.1", 8081)}, 1)["self"]


@pytest.mark.parametrize("identity", [None, ADMIN], ids=["task", "elevated task"])
@pytest.mark.parametrize("name", ["apart", "together"])
def test_a_task_reaches_what_it_may_and_nothing_else(pools, listeners, redis, name, identity) -> None:
    pool, other = pools[name], pools["together" if name == "apart" else "apart"]
    home = redis[0]
    with listening("0.0.0.0") as service:
        port = urlsplit(pool.farm.endpoint).port
        seen = pool.reach(
            {
                "the API, which is storage too": (home, port),
                "Redis": redis,
                "a service of the host": (home, service),
                "the same at its bridge": ("172.17.0.1", service),
                "a published port of the host": (home, other.frontend(22, 1)[1]),
                "a node of the pool": (pool.address(1), 7777),
                "its sshd": (pool.address(1), 22),
                "a node of another pool": (other.address(1), 7777),
                "its published port": (other.address(1), 8081),
                "a cloud's credentials": ("169.254.169.254", 80),
            },
            identity=identity,
        )
        socket.create_connection((home, service), 5).close()  # it was there

    reached = {what for what, open in seen.items() if open}
    neighbours = {"a node of the pool", "its sshd"} if name == "together" else set()
    assert reached == {"the API, which is storage too"} | neighbours
    who = f"{'elevated task' if identity else 'task'}, nodes {name}"
    for what, open in seen.items():
        note("from a node", what, who, "reached" if open else "refused")


def test_from_outside_only_published_ports_answer_by_their_rules(pools: dict[str, PoolNodes], listeners: None) -> None:
    apart = pools["apart"]
    assert _get(*apart.frontend(8081, 1))  # allowed for the host's loopback
    assert not _get(*apart.frontend(8080, 1))  # denied for it
    assert not _get(apart.address(1), 7777)  # not published
    for what, seen in (("allowed", "reached"), ("denied", "refused"), ("not published", "refused")):
        note("from the host", f"a port {what} for its address", "client", seen)
    names = [end["name"] for end in apart.nodes[1]["endpointConfiguration"]["inboundEndpoints"]]
    assert sorted(name.split(".")[0] for name in names) == ["SSHRule", "api", "web"]


def test_ports_of_the_host_are_never_given_out_twice(pools: dict[str, PoolNodes]) -> None:
    ends = [
        (end["publicIPAddress"], end["frontendPort"])
        for pool in pools.values()
        for node in pool.nodes
        for end in node["endpointConfiguration"]["inboundEndpoints"]
    ]
    assert len(ends) == len(set(ends)) >= 8


def _get(host: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
