"""What a pool may say about the file systems that it mounts (spec/api.md, MountConfiguration)."""

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST
from orchestrator.api.wire.errors import WireError
from orchestrator.api.wire.rules import Rules
from orchestrator.api.wire.secrets import seal_body
from orchestrator.domain.vault import Vault
from tests.fast.wire.test_refusals import V19

MACHINE = {
    "imageReference": {"publisher": "debian", "offer": "debian-12", "sku": "12"},
    "nodeAgentSKUId": "batch.node.debian 12",
}
BLOB = {"accountName": "a", "containerName": "c", "accountKey": "secret", "relativeMountPath": "x"}
NFS = {"source": "h:/x", "relativeMountPath": "y"}


def parsed(*mounts, **more):
    pool = {"id": "p", "vmSize": "standard_a1", "targetDedicatedNodes": 1, "virtualMachineConfiguration": MACHINE}
    return wire.parse("pool_add", pool | {"mountConfiguration": list(mounts)} | more, NEWEST, Rules())


def blob(**more):
    return {"azureBlobFileSystemConfiguration": BLOB | more}


def test_keys_are_sealed_and_never_shown():
    sealed = seal_body("pool_add", parsed(blob(), {"nfsMountConfiguration": NFS}), Vault(b"s" * 32))
    assert "secret" not in str(sealed)
    shown = wire.render("pool", sealed, NEWEST)["mountConfiguration"]
    assert shown[0]["azureBlobFileSystemConfiguration"].keys() == BLOB.keys() - {"accountKey"}
    assert shown[1]["nfsMountConfiguration"] == NFS


@pytest.mark.parametrize(
    ("mounts", "more"),
    [
        ([{}], {}),
        ([blob() | {"nfsMountConfiguration": NFS}], {}),
        ([blob(sasKey="x")], {}),
        ([{"azureBlobFileSystemConfiguration": {k: v for k, v in BLOB.items() if k != "accountKey"}}], {}),
        ([blob(relativeMountPath="../x")], {}),
        ([blob(blobfuseOptions="--foreground")], {}),
        ([blob(), blob(relativeMountPath="x/y")], {}),
        ([blob(relativeMountPath=f"m{n}") for n in range(11)], {}),
    ],
)
def test_what_cannot_be_mounted_is_refused(mounts, more):
    with pytest.raises(WireError) as refusal:
        parsed(*mounts, **more)
    assert refusal.value.values["PropertyName"].startswith("mountConfiguration")


def test_changes_of_a_pool_take_mounts_since_version_20_and_an_empty_list_takes_them_away():
    mounts = [blob(), {"nfsMountConfiguration": NFS}]
    sealed = seal_body("pool_patch", changes(mounts), Vault(b"s" * 32))
    assert "secret" not in str(sealed) and len(sealed["mountConfiguration"]) == 2
    assert changes([]) == {"mountConfiguration": None}
    with pytest.raises(WireError) as refusal:
        changes(mounts, V19)
    assert (refusal.value.code, refusal.value.values["PropertyName"]) == ("UnsupportedProperty", "mountConfiguration")
    with pytest.raises(WireError, match="another mount"):
        changes([blob(), blob(relativeMountPath="x/y")])
    with pytest.raises(WireError, match="process"):
        changes(mounts, rules=Rules(driver="process", capabilities=frozenset()))


def changes(mounts, at=NEWEST, rules=None):
    return wire.parse("pool_patch", {"mountConfiguration": mounts}, at, rules or Rules())
