"""Canonical models of pools' networks and their rules (spec/behaviour.md, 20; limits: spec/api.md, 6 and 8)."""

import ipaddress
import re
from typing import Annotated, Any, Required

from pydantic import AfterValidator, Field, StringConstraints, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.errors import Path, invalid
from orchestrator.api.wire.parts import STRICT
from orchestrator.api.wire.types import Count, Name, one_of, refuse

HERE: Path = ("networkConfiguration",)
NAT_POOLS, RULES, FEWEST_PORTS = 5, 25, 40
RESERVED_BACKEND = {3389, 29876, 29877}
RESERVED_FRONTEND = range(50_000, 55_001)

_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)


def _prefix(text: str) -> str:
    if text == "*":
        return text
    try:
        return str(ipaddress.IPv4Network(text, strict=False)) if "/" in text else str(ipaddress.IPv4Address(text))
    except ValueError:
        raise refuse("an IPv4 address, a CIDR block or * is needed; service tags mean nothing here") from None


def _port_range(text: str) -> str:
    """`*`, `n` or `n-m`, as the service takes them."""
    if text == "*":
        return text
    found = _RANGE.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not 0 <= first <= last <= 65_535:
        raise refuse("*, a port or a range of ports n-m is needed")
    return text


def last_segment(text: str) -> str:
    """The name at the end of a resource id: that of a Docker network, or an address of the host."""
    return text.rstrip("/").rpartition("/")[2]


def _network_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", last_segment(text), re.ASCII):
        raise refuse("its last segment has to be the name of a Docker network")
    return text


@with_config(STRICT)
class NetworkSecurityGroupRule(TypedDict, total=False):
    priority: Required[Annotated[Count, Field(ge=150, le=4096)]]
    access: Required[one_of("allow", "deny")]
    sourceAddressPrefix: Required[Annotated[str, AfterValidator(_prefix)]]
    sourcePortRanges: list[Annotated[str, AfterValidator(_port_range)]]


@with_config(STRICT)
class InboundNATPool(TypedDict, total=False):
    name: Required[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$", max_length=77)]
    ]
    protocol: Required[one_of("tcp", "udp")]
    backendPort: Required[Annotated[Count, Field(ge=1, le=65_535)]]
    frontendPortRangeStart: Required[Annotated[Count, Field(ge=1, le=65_534)]]
    frontendPortRangeEnd: Required[Annotated[Count, Field(ge=1, le=65_534)]]
    networkSecurityGroupRules: list[NetworkSecurityGroupRule]


@with_config(STRICT)
class PoolEndpointConfiguration(TypedDict, total=False):
    inboundNATPools: Required[list[InboundNATPool]]


@with_config(STRICT)
class PublicIPAddressConfiguration(TypedDict, total=False):
    provision: one_of("batchmanaged", "usermanaged", "nopublicipaddresses")
    ipAddressIds: list[Name]
    ipFamilies: list[one_of("IPv4")]


@with_config(STRICT)
class NetworkConfiguration(TypedDict, total=False):
    subnetId: Annotated[str, AfterValidator(_network_name)]
    endpointConfiguration: PoolEndpointConfiguration
    dynamicVNetAssignmentScope: one_of("none")
    publicIPAddressConfiguration: PublicIPAddressConfiguration
    enableAcceleratedNetworking: bool


def check(pool: dict[str, Any]) -> None:
    """What no single member can tell.

    Raises:
        WireError: `InvalidPropertyValue`, naming the member.
    """
    network = pool.get("networkConfiguration", {})
    pools = network.get("endpointConfiguration", {}).get("inboundNATPools", [])
    _check_public(network.get("publicIPAddressConfiguration", {}), pools)
    here = (*HERE, "endpointConfiguration", "inboundNATPools")
    if len(pools) > NAT_POOLS:
        raise invalid(here, "", f"at most {NAT_POOLS} are allowed")
    if sum(len(nat.get("networkSecurityGroupRules", ())) for nat in pools) > RULES:
        raise invalid(here, "", f"at most {RULES} rules are allowed in all")
    for index, nat in enumerate(pools):
        _check_nat(nat, (*here, index))
        _check_apart(nat, pools[:index], (*here, index))


def _check_public(public: dict[str, Any], pools: list[dict[str, Any]]) -> None:
    here = (*HERE, "publicIPAddressConfiguration")
    provision, ids = public.get("provision", "batchmanaged"), public.get("ipAddressIds", [])
    if provision == "usermanaged" and not ids:
        raise invalid((*here, "ipAddressIds"), "", "usermanaged needs an address")
    if provision != "usermanaged" and ids:
        raise invalid((*here, "ipAddressIds"), "", "only usermanaged has addresses")
    if len(ids) > 1:
        raise invalid((*here, "ipAddressIds"), "", "one address carries all nodes of a pool here")
    if provision == "nopublicipaddresses" and pools:
        raise invalid((*here, "provision"), provision, "inbound NAT pools need public addresses")


def _check_nat(nat: dict[str, Any], here: Path) -> None:
    first, last = nat["frontendPortRangeStart"], nat["frontendPortRangeEnd"]
    if nat["backendPort"] in RESERVED_BACKEND:
        raise invalid((*here, "backendPort"), nat["backendPort"], "the service needs this port itself")
    if last - first + 1 < FEWEST_PORTS:
        raise invalid((*here, "frontendPortRangeEnd"), last, f"a range of at least {FEWEST_PORTS} ports is needed")
    if first in RESERVED_FRONTEND or last in RESERVED_FRONTEND or first < RESERVED_FRONTEND[0] <= last:
        raise invalid((*here, "frontendPortRangeStart"), first, "50000 to 55000 belong to the service")
    priorities = [rule["priority"] for rule in nat.get("networkSecurityGroupRules", ())]
    if len(set(priorities)) != len(priorities):
        raise invalid((*here, "networkSecurityGroupRules"), "", "each rule has a priority of its own")


def _check_apart(nat: dict[str, Any], others: list[dict[str, Any]], here: Path) -> None:
    for other in others:
        if nat["name"].lower() == other["name"].lower():
            raise invalid((*here, "name"), nat["name"], "another inbound NAT pool has this name")
        if nat["backendPort"] == other["backendPort"]:
            raise invalid((*here, "backendPort"), nat["backendPort"], "another inbound NAT pool has this port")
        if (
            nat["frontendPortRangeStart"] <= other["frontendPortRangeEnd"]
            and other["frontendPortRangeStart"] <= nat["frontendPortRangeEnd"]
        ):
            reason = f"the range overlaps with that of {other['name']}"
            raise invalid((*here, "frontendPortRangeStart"), nat["frontendPortRangeStart"], reason)
