"""Networks of pools and users of nodes: limits of spec/behaviour.md 17 and 20, each naming its member."""

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST
from orchestrator.api.wire.errors import WireError
from orchestrator.api.wire.secrets import seal_body
from orchestrator.domain import endpoints
from orchestrator.domain.endpoints import Wanted
from orchestrator.domain.vault import Vault
from tests.fast.wire.wire_bodies import loaded, small_pool

HERE = "networkConfiguration"
POOLS = f"{HERE}.endpointConfiguration.inboundNATPools"
RULE = {"priority": 200, "access": "allow", "sourceAddressPrefix": "*"}


def nat(**members):
    web = {"name": "web", "protocol": "tcp", "backendPort": 8080}
    return web | {"frontendPortRangeStart": 60_000, "frontendPortRangeEnd": 60_039} | members


def a_pool(*nat_pools, **network):
    inbound = {"endpointConfiguration": {"inboundNATPools": list(nat_pools)}} if nat_pools else {}
    return small_pool(networkConfiguration=inbound | network)


def refusal(kind, body):
    with pytest.raises(WireError) as refused:
        wire.parse(kind, body, NEWEST)
    assert refused.value.code == "InvalidPropertyValue"
    return refused.value.values["PropertyName"]


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"backendPort": 3389}, "backendPort"),
        ({"backendPort": 29876}, "backendPort"),
        ({"backendPort": 29877}, "backendPort"),
        ({"backendPort": 0}, "backendPort"),
        ({"backendPort": 65536}, "backendPort"),
        ({"frontendPortRangeStart": 60_001}, "frontendPortRangeEnd"),
        ({"frontendPortRangeStart": 50_000, "frontendPortRangeEnd": 50_100}, "frontendPortRangeStart"),
        ({"frontendPortRangeStart": 49_000, "frontendPortRangeEnd": 50_000}, "frontendPortRangeStart"),
        ({"frontendPortRangeStart": 49_000, "frontendPortRangeEnd": 60_000}, "frontendPortRangeStart"),
        ({"frontendPortRangeStart": 55_000, "frontendPortRangeEnd": 56_000}, "frontendPortRangeStart"),
        ({"frontendPortRangeEnd": 65_535}, "frontendPortRangeEnd"),
        ({"name": "-x"}, "name"),
        ({"name": "x" * 78}, "name"),
        ({"name": "x-"}, "name"),
        ({"protocol": "icmp"}, "protocol"),
        ({"networkSecurityGroupRules": [RULE, RULE]}, "networkSecurityGroupRules"),
        ({"networkSecurityGroupRules": [RULE | {"priority": 149}]}, "networkSecurityGroupRules[0].priority"),
        ({"networkSecurityGroupRules": [RULE | {"priority": 4097}]}, "networkSecurityGroupRules[0].priority"),
        ({"networkSecurityGroupRules": [RULE | {"access": "log"}]}, "networkSecurityGroupRules[0].access"),
        (
            {"networkSecurityGroupRules": [RULE | {"sourceAddressPrefix": "Internet"}]},
            "networkSecurityGroupRules[0].sourceAddressPrefix",
        ),
        (
            {"networkSecurityGroupRules": [RULE | {"sourceAddressPrefix": "::1"}]},
            "networkSecurityGroupRules[0].sourceAddressPrefix",
        ),
        (
            {"networkSecurityGroupRules": [RULE | {"sourcePortRanges": ["9-1"]}]},
            "networkSecurityGroupRules[0].sourcePortRanges[0]",
        ),
    ],
)
def test_a_nat_pool_that_the_service_would_refuse_is_refused(wrong, name):
    assert refusal("pool_add", a_pool(nat(**wrong))) == f"{POOLS}[0].{name}"


@pytest.mark.parametrize(
    ("second", "name"),
    [
        ({"name": "WEB", "backendPort": 81, "frontendPortRangeStart": 61_000, "frontendPortRangeEnd": 62_000}, "name"),
        ({"name": "b", "frontendPortRangeStart": 61_000, "frontendPortRangeEnd": 62_000}, "backendPort"),
        (
            {"name": "b", "backendPort": 81, "frontendPortRangeStart": 60_039, "frontendPortRangeEnd": 62_000},
            "frontendPortRangeStart",
        ),
    ],
)
def test_nat_pools_of_one_pool_have_names_ports_and_ranges_of_their_own(second, name):
    assert refusal("pool_add", a_pool(nat(), nat(**second))) == f"{POOLS}[1].{name}"


def test_there_are_five_nat_pools_and_twenty_five_rules_at_most():
    def numbered(index, **members):
        first = 60_000 + 50 * index
        ports = {"frontendPortRangeStart": first, "frontendPortRangeEnd": first + 39}
        return nat(name=f"n{index}", backendPort=80 + index, **ports, **members)

    wire.parse("pool_add", a_pool(*map(numbered, range(5))), NEWEST)
    assert refusal("pool_add", a_pool(*map(numbered, range(6)))) == POOLS
    rules = [RULE | {"priority": 150 + index} for index in range(13)]
    two = [numbered(0, networkSecurityGroupRules=rules), numbered(1, networkSecurityGroupRules=rules)]
    assert refusal("pool_add", a_pool(*two)) == POOLS
    two[1]["networkSecurityGroupRules"] = rules[:12]
    wire.parse("pool_add", a_pool(*two), NEWEST)


@pytest.mark.parametrize(
    ("network", "name"),
    [
        ({"subnetId": "/x/-y"}, "subnetId"),
        ({"subnetId": ""}, "subnetId"),
        ({"dynamicVNetAssignmentScope": "job"}, "dynamicVNetAssignmentScope"),
        ({"enableAcceleratedNetworking": True}, "enableAcceleratedNetworking"),
        (
            {"publicIPAddressConfiguration": {"provision": "usermanaged"}},
            "publicIPAddressConfiguration.ipAddressIds",
        ),
        (
            {"publicIPAddressConfiguration": {"ipAddressIds": ["10.0.0.1"]}},
            "publicIPAddressConfiguration.ipAddressIds",
        ),
        (
            {"publicIPAddressConfiguration": {"ipFamilies": ["IPv6"]}},
            "publicIPAddressConfiguration.ipFamilies[0]",
        ),
        (
            {"publicIPAddressConfiguration": {"ipTags": [{"ipTagType": "a", "tag": "b"}]}},
            "publicIPAddressConfiguration.ipTags",
        ),
    ],
)
def test_a_network_that_cannot_be_had_is_refused(network, name):
    assert refusal("pool_add", a_pool(**network)) == f"{HERE}.{name}"


def test_inbound_nat_pools_need_public_addresses():
    closed = a_pool(nat(), publicIPAddressConfiguration={"provision": "noPublicIPAddresses"})
    assert refusal("pool_add", closed) == f"{HERE}.publicIPAddressConfiguration.provision"


def test_ssh_is_published_unless_the_pool_has_a_nat_pool_for_it_or_no_public_address():
    def of(body):
        return endpoints.wanted(wire.parse("pool_add", body, NEWEST), "tvm-7_3-20260101t000000z")

    ssh = Wanted("SSHRule.2", "tcp", 22, 50_000, 55_000)
    assert of(small_pool()) == [ssh]
    assert of(a_pool(nat())) == [Wanted("web.2", "tcp", 8080, 60_000, 60_039), ssh]
    assert of(a_pool(nat(backendPort=22))) == [Wanted("web.2", "tcp", 22, 60_000, 60_039)]
    assert of(a_pool(publicIPAddressConfiguration={"provision": "nopublicipaddresses"})) == []


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"name": "root", "password": "p"}, "name"),
        ({"name": "_azbatch", "password": "p"}, "name"),
        ({"name": "a b", "password": "p"}, "name"),
        ({"name": "a:b", "password": "p"}, "name"),
        ({"name": "ann"}, "password"),
        ({"name": "ann", "password": "a\nroot::0:0"}, "password"),
        ({"name": "ann", "sshPublicKey": "ssh-rsa nonsense"}, "sshPublicKey"),
        ({"name": "ann", "sshPublicKey": "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA"}, "sshPublicKey"),
        ({"name": "ann", "sshPublicKey": 'command="x" ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA'}, "sshPublicKey"),
        ({"name": "ann", "password": "p", "expiryTime": "tomorrow"}, "expiryTime"),
    ],
)
def test_a_user_that_a_node_cannot_have_is_refused(user, name):
    assert refusal("node_user_add", user) == name


def test_passwords_and_keys_of_accounts_are_sealed_and_never_shown():
    body = loaded("pool_add")
    sealed = seal_body("pool_add", wire.parse("pool_add", body, NEWEST), Vault(b"k" * 32))
    account = sealed["userAccounts"][0]
    assert account["password"].startswith("sealed:")
    assert account["linuxUserConfiguration"]["sshPrivateKey"].startswith("sealed:")
    assert wire.render("pool", sealed, NEWEST)["userAccounts"] == [
        {"name": "me", "elevationLevel": "admin", "linuxUserConfiguration": {"uid": 1005, "gid": 1005}}
    ]
