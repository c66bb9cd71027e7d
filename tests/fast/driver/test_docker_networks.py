"""What the Docker driver makes of networks, addresses and ports, without an engine."""

from types import SimpleNamespace

from docker.errors import APIError

from agent.contract.boot import Boot
from orchestrator.drivers.docker import ports
from orchestrator.drivers.docker.driver import hardware_address
from orchestrator.drivers.docker.host import free_addresses, local_addresses
from orchestrator.drivers.docker.networks import Seen

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.192.0.0/22 2 0 2
        |-- 10.192.0.0
           /22 link UNICAST
        |-- 10.192.0.1
           /32 host LOCAL
        |-- 10.192.3.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
Local:
        |-- 10.192.0.1
           /32 host LOCAL
        |-- 192.168.1.7
           /32 host LOCAL
"""


def a_boot(*frontends):
    ends = [
        {"name": f"e{n}", "protocol": "tcp", "backend": 22 + n, "frontend": port, "address": "127.0.0.1", "rules": []}
        for n, port in enumerate(frontends)
    ]
    return Boot(
        account="a", pool_id="p", pool=7, node_id="n", node=1, boot=1, redis_url="", api_url="", token="", root="",
        ip="", slots=1, endpoints=ends,
    )  # fmt: skip


def test_the_hosts_own_addresses_are_those_that_the_kernel_calls_local():
    assert local_addresses(FIB_TRIE) == ("10.192.0.1", "192.168.1.7")


def test_addresses_of_a_network_are_counted_without_its_own_and_the_gateways():
    def network(used=(), **config):
        return {"IPAM": {"Config": [config]}, "Containers": dict.fromkeys(used)}

    assert free_addresses(network(Subnet="10.0.0.0/29", Gateway="10.0.0.1")) == 5
    assert free_addresses(network("ab", Subnet="10.0.0.0/29", Gateway="10.0.0.1")) == 3
    assert free_addresses(network("a", Subnet="10.0.0.0/24", IPRange="10.0.0.128/25", Gateway="10.0.0.1")) == 127
    assert free_addresses(network(Subnet="fd00::/64")) == 0


def test_a_taken_port_is_told_from_other_refusals():
    boot = a_boot(50_000, 61_000)
    already = (
        "driver failed programming external connectivity: Bind for 127.0.0.1:61000 failed: port is already allocated"
    )
    proxy = "Error starting userland proxy: listen tcp4 127.0.0.1:50000: bind: address already in use"
    for text, port in ((already, 61_000), (proxy, 50_000)):
        found = ports.taken(APIError("500", SimpleNamespace(status_code=500), text), boot)
        assert found is not None and found.port == port
    for text in ("no such network", proxy.replace("50000", "4711")):
        assert ports.taken(APIError("500", SimpleNamespace(status_code=500), text), boot) is None


def test_ports_are_bound_where_the_boot_says_and_a_container_with_others_is_another():
    assert ports.bindings(a_boot(50_000)) == {"22/tcp": ("127.0.0.1", 50_000)}
    assert ports.label(a_boot(50_000)) == ports.label(a_boot(50_000)) != ports.label(a_boot(50_001))


def test_a_hardware_address_is_local_tells_the_pool_and_differs_by_node():
    assert hardware_address(7, 1) == "0a:00:00:07:00:01"
    assert hardware_address(7, 2)[:11] == hardware_address(7, 1)[:11] != hardware_address(8, 1)[:11]


def test_names_of_services_in_urls_become_addresses_and_credentials_stay():
    seen = Seen("10.0.0.0/24", "10.0.0.1", {"redis": "10.0.0.2", "api": "10.0.0.3"})
    assert seen.named("redis://u:p@redis:6379/0") == "redis://u:p@10.0.0.2:6379/0"
    assert seen.named("http://api:8480") == "http://10.0.0.3:8480"
    assert seen.named("http://elsewhere/x") == "http://elsewhere/x"
    assert seen.address("https://api/") == ["10.0.0.3", 443]
    assert seen.address("http://192.0.2.7:9000") == ["192.0.2.7", 9000]
    assert seen.address("http://elsewhere/x") is None
