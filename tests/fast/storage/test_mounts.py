"""What a node is told about the file systems of its pool."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.domain.vault import Vault
from orchestrator.storage.containers import Containers
from orchestrator.storage.mounts import kinds, resolve_mounts

SECRET = b"s" * 32
KEY = base64.b64encode(b"k" * 64).decode()
AZURE = "https://{account}.blob.example"
VAULT = Vault(SECRET)


@pytest.fixture
def containers() -> Containers:
    return Containers(None, "farm", SECRET, "http://outside:1", node_url="http://10.0.0.1:2")


def resolved(containers, kind, **settings):
    sealed = {name: VAULT.seal(settings[name]) for name in ("accountKey", "sasKey", "password") if name in settings}
    pool = {"mountConfiguration": [{kind: {"relativeMountPath": "data"} | settings | sealed}]}
    (entry,) = resolve_mounts(pool, VAULT, containers, {"primary": KEY}, AZURE)
    assert (entry["kind"], entry["path"]) == (kinds(pool)[0], "data")
    return entry


def blob(containers, **settings):
    return resolved(containers, "azureBlobFileSystemConfiguration", containerName="box", **settings)


def test_a_container_of_the_farm_is_opened_by_its_key_at_the_address_that_nodes_know(containers):
    entry = blob(containers, accountName="farm", accountKey=KEY, blobfuseOptions="-o ro")
    assert entry["url"].startswith("http://10.0.0.1:2/storage-farm/box?") and entry["readOnly"]
    container, _, grant = containers.own(entry["url"])
    assert (container, grant.permissions) == ("box", "rl")
    assert set(containers.own(blob(containers, accountName="farm", accountKey=KEY)["url"])[2].permissions) == set(
        "racwdl"
    )
    assert "not a key" in blob(containers, accountName="farm", accountKey="eA==")["error"]


def test_a_signature_of_the_farm_is_looked_at_before_the_node_uses_it(containers):
    signature = containers.url("box", "rwl", 60).partition("?")[2]
    assert containers.own(blob(containers, accountName="farm", sasKey=f"?{signature}")["url"])
    other = containers.url("other", "rwl", 60).partition("?")[2]
    assert "no valid signature" in blob(containers, accountName="farm", sasKey=other)["error"]


def test_a_container_elsewhere_is_opened_by_a_signature_for_it_alone(containers):
    url = urlsplit(blob(containers, accountName="lab", accountKey=KEY)["url"])
    said = parse_qs(url.query)
    assert (url.netloc, url.path, said["sr"]) == ("lab.blob.example", "/box", ["c"])
    assert set(said["sp"][0]) == set("racwdl")
    assert blob(containers, accountName="lab", sasKey="?sv=1&sig=x")["url"] == "https://lab.blob.example/box?sv=1&sig=x"
    assert "base64" in blob(containers, accountName="lab", accountKey="abc")["error"]


def test_shares_and_exports_are_told_as_the_kernel_wants_them(containers):
    nfs = resolved(containers, "nfsMountConfiguration", source="filer:/x", mountOptions="vers=4.1,ro")
    assert (nfs["host"], nfs["source"], nfs["flags"], nfs["data"]) == ("filer", "filer:/x", ["ro"], ["vers=4.1"])
    cifs = resolved(containers, "cifsMountConfiguration", source="//h/s", username="u", password="p")
    assert (cifs["source"], cifs["username"], cifs["password"], cifs["data"]) == ("//h/s", "u", "p", [])
    azure = resolved(
        containers, "azureFileShareConfiguration",
        accountName="lab", accountKey=KEY, azureFileUrl="https://lab.file.core.windows.net/s",
    )  # fmt: skip
    assert (azure["source"], azure["username"], azure["password"]) == ("//lab.file.core.windows.net/s", "lab", KEY)
    assert azure["data"] == ["vers=3.0"]
