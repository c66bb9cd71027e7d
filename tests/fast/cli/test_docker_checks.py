"""What farm doctor says about a Docker engine, from what the engine tells about itself."""

import pytest

from orchestrator.cli import docker_checks
from orchestrator.settings import Settings

ABLE = {"MemoryLimit": True, "CpuCfsQuota": True, "PidsLimit": True, "CgroupVersion": "2", "CgroupDriver": "systemd"}


def network(subnet):
    return {"IPAM": {"Config": [{"Subnet": subnet}]}}


@pytest.mark.parametrize(
    ("version", "driver", "verdict"),
    [("20.10.24+dfsg1", "overlay2", "ok"), ("28.2.2", "overlay2", "ok"), ("28.2.2", "vfs", "note"),
     ("19.03.5", "overlay2", "bad")],
)  # fmt: skip
def test_an_engine_that_is_too_old_or_copies_images_is_named(version, driver, verdict):
    assert docker_checks.daemon(version, {"Driver": driver}).verdict == verdict


def test_a_limit_that_the_kernel_does_not_enforce_is_named():
    assert docker_checks.limits(ABLE).verdict == "ok"

    found = docker_checks.limits(ABLE | {"MemoryLimit": False})

    assert found.verdict == "bad"
    assert "memory" in found.says and "cpu" not in found.says


def test_free_networks_of_the_range_are_counted_whatever_the_size_of_those_taken():
    settings = Settings(network_range="10.192.0.0/18", network_prefix=22)
    others = [network("172.17.0.0/16"), network("fd00::/64"), {"IPAM": {"Config": None}}]

    few = docker_checks.subnets(settings, [*others, network("10.192.0.0/22"), network("10.192.4.0/29")])
    none = docker_checks.subnets(settings, [network("10.192.0.0/18")])

    assert few.says.startswith("14 of 16 ")
    assert (few.verdict, none.verdict) == ("ok", "bad")


def test_without_an_engine_there_is_one_finding_and_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    (found,) = docker_checks.every(Settings())

    assert (found.name, found.verdict) == ("docker", "note")
    assert "make engine" in found.advice
