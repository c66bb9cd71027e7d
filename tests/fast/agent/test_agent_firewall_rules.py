"""The text of a node's firewall; what it does to real packets, tests/container shows."""

from agent import firewall
from agent.contract.boot import Boot

NETWORK = {
    "subnet": "10.193.0.0/22",
    "gateway": "10.193.0.1",
    "open": [["10.192.0.1", 8480]],
    "closed": ["10.192.0.1", "172.17.0.1"],
    "pools": "10.192.0.0/12",
}


def chains(**boot):
    """Rules of the two chains, in their order."""
    text = firewall.ruleset(
        Boot(
            account="a", pool_id="p", pool=7, node_id="n", node=1, boot=1, redis_url="redis://u:p@10.192.0.1:7000/0",
            api_url="http://10.192.0.1:8480", token="t", root="/r", ip="10.193.0.2", slots=1,
            **{"network": NETWORK, **boot},
        )
    )  # fmt: skip
    parts = text.split("chain ")[1:]
    return [[line.strip() for line in part.splitlines()[2:] if line.strip() not in ("}", "")] for part in parts]


def an_endpoint(port=80, protocol="tcp", rules=()):
    return {"name": "e", "protocol": protocol, "backend": port, "frontend": 60_000, "address": "x", "rules": rules}


def a_rule(access, source="*", ports=()):
    return {"access": access, "source": source, "ports": list(ports)}


def test_redis_is_for_sockets_with_the_agents_mark_and_the_api_for_all():
    outgoing, _ = chains()
    marked = "meta mark 0x4e46 ip daddr 10.192.0.1 tcp dport 7000 accept"
    refused = "ip daddr 10.192.0.1 tcp dport 7000 reject with tcp reset"
    api, host = (
        "ip daddr 10.192.0.1 tcp dport 8480 accept",
        "ip daddr { 10.192.0.1/32, 10.193.0.1/32, 172.17.0.1/32 } reject",
    )
    assert [outgoing.index(rule) for rule in (marked, refused, api, host)] == [3, 4, 5, 6]


def test_neighbours_are_let_in_with_inter_node_communication_only():
    outgoing, incoming = chains()
    assert "ip daddr 10.193.0.0/22 reject" in outgoing
    assert not any("10.193.0.0/22" in rule and rule.endswith("accept") for rule in incoming)
    outgoing, incoming = chains(inter_node=True)
    assert "ip daddr 10.193.0.0/22 accept" in outgoing
    assert "ip saddr 10.193.0.0/22 ip saddr != 10.193.0.1 accept" in incoming


def test_on_a_network_of_the_users_own_only_nodes_of_the_same_pool_are_neighbours():
    shared = {**NETWORK, "mac": "0a:00:00:07"}
    _, incoming = chains(inter_node=True, subnet="lab", network=shared)
    same = "ether saddr & ff:ff:ff:ff:00:00 == 0a:00:00:07:00:00"
    assert f"{same} ip saddr 10.193.0.0/22 ip saddr != 10.193.0.1 accept" in incoming
    assert "ip daddr 10.193.0.0/22 accept" in chains(subnet="lab", network=shared)[0]
    assert "ip saddr 10.193.0.0/22 ip saddr != 10.193.0.1 drop" in chains(subnet="lab", network=shared)[1]


def test_security_rules_come_in_their_order_and_what_none_matches_is_open():
    rules = [
        a_rule("allow", "192.0.2.7", ["1-99", "7", "100"]),
        a_rule("deny", "192.0.2.0/24"),
        a_rule("deny", "127.0.0.1"),
    ]
    _, incoming = chains(endpoints=[an_endpoint(rules=rules), an_endpoint(53, "udp")])
    assert incoming[-5:] == [
        "tcp dport 80 ip saddr { 192.0.2.7/32 } tcp sport { 1-100 } accept",
        "tcp dport 80 ip saddr { 192.0.2.0/24 } drop",
        "tcp dport 80 ip saddr { 10.193.0.1/32, 127.0.0.1/32 } drop",
        "tcp dport 80 accept",
        "udp dport 53 accept",
    ]
