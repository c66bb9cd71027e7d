"""What `farm doctor` looks at for nodes that are containers: the engine, what it can do, and what it has."""

import os
import shutil
from ipaddress import IPv4Network
from typing import Any

import httpx

from orchestrator.cli.finding import ENOUGH_DISK, Finding
from orchestrator.settings import Settings

OLDEST_ENGINE = (20, 10)
FEW_SUBNETS = 10
REGISTRY_TIMEOUT_S = 10.0
PROBE = "hello-world"
"""An image that every public registry has; only its description is asked for."""


def every(settings: Settings) -> list[Finding]:
    """One finding where no engine answers, else one for each part."""
    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    if not path.startswith("/"):
        return [Finding("docker", "note", f"remote: {path}", "")]
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://docker", timeout=5) as engine:
            info, version = _get(engine, "/info"), _get(engine, "/version")["Version"]
            return [
                daemon(version, info),
                limits(info),
                subnets(settings, _get(engine, "/networks")),
                room(info),
                images(settings, engine),
                registry(info, engine),
            ]
    except httpx.ConnectError as error:
        advice = "the process driver needs none; for nodes that are containers: make engine, or systemctl start docker"
        if os.path.exists(path) and not os.access(path, os.W_OK):
            advice = f"no right to use {path}: join its group (usermod -aG docker NAME) and log in again"
        elif "FARM_SECRETS_DIR" in os.environ:
            advice = "this service of the cluster has none: docker compose exec workers farm doctor"
        return [Finding("docker", "note", f"no engine answers: {error}", advice)]
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return [Finding("docker", "note", f"the engine's answers make no sense: {error}", "use Docker 20.10 or newer")]


def daemon(version: str, info: dict[str, Any]) -> Finding:
    """Its version and storage driver."""
    driver = info["Driver"]
    said = f"engine {version}, storage driver {driver}"
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST_ENGINE:
        return Finding("docker", "bad", said, "install Docker Engine 20.10 or newer")
    if driver == "vfs":
        return Finding("docker", "note", said, "it copies an image for every node: put /var/lib/docker on ext4 or xfs")
    return Finding("docker", "ok", said)


def limits(info: dict[str, Any]) -> Finding:
    """Which generation of cgroups, and whether the limits of a node's size can hold."""
    said = f"version {info.get('CgroupVersion', '1')} ({info.get('CgroupDriver', '?')})"
    wanted = {"MemoryLimit": "memory", "CpuCfsQuota": "cpu", "PidsLimit": "processes"}
    missing = [what for name, what in wanted.items() if not info.get(name)]
    if missing:
        advice = "enable these cgroup controllers in the kernel's command line"
        return Finding("cgroups", "bad", f"{said}, no limits on {', '.join(missing)}", advice)
    return Finding("cgroups", "ok", said)


def subnets(settings: Settings, networks: list[dict[str, Any]]) -> Finding:
    """Each pool needs a network of its own out of the configured range."""
    advice = "FARM_NETWORK_RANGE with another private range, or remove networks: docker network prune"
    try:
        space = IPv4Network(settings.network_range)
        count = 1 << (settings.network_prefix - space.prefixlen)
    except ValueError as error:
        return Finding("subnets", "bad", f"{settings.network_range}/{settings.network_prefix}: {error}", advice)
    configs = [config for network in networks for config in network["IPAM"]["Config"] or ()]
    taken = [IPv4Network(c["Subnet"], strict=False) for c in configs if ":" not in c.get("Subnet", ":")]
    size = 1 << (32 - settings.network_prefix)
    used = sum(max(1, network.num_addresses // size) for network in taken if network.overlaps(space))
    free = max(0, count - used)
    said = f"{free} of {count} networks of {space} are free"
    verdict = "bad" if not free else "note" if free < FEW_SUBNETS else "ok"
    return Finding("subnets", verdict, said, "" if verdict == "ok" else advice)


def room(info: dict[str, Any]) -> Finding:
    """Images, nodes and their files lie below the engine's folder."""
    place = info["DockerRootDir"]
    try:
        space = shutil.disk_usage(place).free
    except OSError:
        return Finding("room", "note", f"{place} cannot be seen from here", "look there with df -h")
    said = f"{space / 1024**3:.1f} GiB free in {place}"
    if space < ENOUGH_DISK:
        return Finding("room", "bad", said, "docker system prune, or move the engine's data-root to a larger disk")
    return Finding("room", "ok", said)


def images(settings: Settings, engine: httpx.Client) -> Finding:
    """The two that nodes of the stock images are made of."""
    wanted = (settings.node_image, settings.agent_image)
    missing = [name for name in wanted if engine.get(f"/images/{name}/json").status_code == 404]
    if missing:
        return Finding("images", "note", f"missing: {', '.join(missing)}", "make images")
    return Finding("images", "ok", ", ".join(wanted))


def registry(info: dict[str, Any], engine: httpx.Client) -> Finding:
    """Whether the engine itself can ask the registry that names without a host mean."""
    name = info.get("IndexServerAddress", "the registry")
    try:
        answer = engine.get(f"/distribution/{PROBE}/json", timeout=REGISTRY_TIMEOUT_S)
        why = "" if answer.is_success else str(answer.json().get("message", answer.status_code))
    except (httpx.HTTPError, ValueError) as error:
        why = str(error) or "no answer"
    if why:
        advice = "images must be on this host already: make bases makes the public ones that ours begin with"
        return Finding("registry", "note", f"{name} cannot be reached: {why}", advice)
    return Finding("registry", "ok", f"{name} answers")


def _get(engine: httpx.Client, path: str) -> Any:
    return engine.get(path).raise_for_status().json()
