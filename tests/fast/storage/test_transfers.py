"""What an agent is told to bring and send: which URLs, for whom, with which fence."""

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.domain.errors import Refused
from orchestrator.domain.vault import Vault
from orchestrator.storage.base import Container, Fence, StorageError
from orchestrator.storage.containers import PACKAGES, Containers
from orchestrator.storage.transfers import resolve

SECRET = b"s" * 32
NOW = 1_700_000_000.0
FOREIGN = "https://acct.blob.core.windows.net/results?sv=2021&sp=rwl&sig=abc%2B"


class Tasks:
    def __init__(self, body):
        self.body = body

    async def current(self, job, task, attempt, node=None):
        return (job, task, attempt, node) == (7, 3, 2, 5)

    async def body_of(self, job, task):
        return self.body if (job, task) == (7, 3) else None


class Applications:
    """Knows `render` with the versions 1 and 2; 2 is the default."""

    async def resolve(self, id, version):
        if id.lower() != "render" or version not in (None, "1", "2"):
            return None
        name = version or "2"
        return SimpleNamespace(id="Render"), SimpleNamespace(name=name, key=f"packages/{name}", sha256="abc")


class Boxes:
    direct = None

    async def container(self, name):
        if name not in ("inputs", PACKAGES):
            raise StorageError("ContainerNotFound")
        return Container(name, "etag", 0)


@pytest.fixture
def containers():
    return Containers(Boxes(), "farm", SECRET, "http://127.0.0.1:8480", clock=lambda: NOW)


@pytest.fixture
def ask(containers):
    async def ask(request, body=None, start_task=None):
        store = SimpleNamespace(tasks=Tasks(body or {}), applications=Applications())
        node = SimpleNamespace(number=5, start_task=start_task)
        return await resolve(store, Vault(SECRET), containers, node, request)

    return ask


TASK = {"job": 7, "task": 3, "attempt": 2}


async def test_a_sealed_http_url_is_opened_for_the_node(ask):
    sealed = Vault(SECRET).seal_url(FOREIGN)
    answer = await ask(TASK, {"resourceFiles": [{"httpUrl": sealed, "filePath": "a/b", "fileMode": "0644"}]})
    assert answer["inputs"] == [{"kind": "http", "url": FOREIGN, "path": "a/b", "mode": "0644", "prefix": ""}]


async def test_a_file_mode_that_is_not_given_is_0770(ask):
    answer = await ask(TASK, {"resourceFiles": [{"httpUrl": "http://x/y", "filePath": "y"}]})
    assert answer["inputs"][0]["mode"] == "0770"


async def test_a_foreign_container_is_passed_on_with_its_prefix_and_target(ask):
    file = {"storageContainerUrl": FOREIGN, "blobPrefix": "in/", "filePath": "data"}
    answer = await ask(TASK, {"resourceFiles": [file]})
    assert answer["inputs"] == [{"kind": "container", "url": FOREIGN, "path": "data", "mode": "0770", "prefix": "in/"}]


async def test_a_container_of_the_farm_is_signed_now_for_reading_only(ask, containers):
    (entry,) = (await ask(TASK, {"resourceFiles": [{"autoStorageContainerName": "inputs"}]}))["inputs"]
    container, blob, grant = containers.own(entry["url"])
    assert (container, blob, grant.permissions, grant.fence) == ("inputs", "", "rl", None)


@pytest.mark.parametrize(("name", "code"), [("absent", "BlobNotFound"), (PACKAGES, "BlobAccessDenied")])
async def test_a_container_that_cannot_be_used_is_an_entry_with_an_error(ask, name, code):
    (entry,) = (await ask(TASK, {"resourceFiles": [{"autoStorageContainerName": name}]}))["inputs"]
    assert entry["error"]["code"] == code
    assert "url" not in entry


async def test_a_url_sealed_with_another_key_is_an_entry_with_an_error(ask):
    sealed = Vault(b"x" * 32).seal_url(FOREIGN)
    body = {
        "resourceFiles": [{"httpUrl": sealed, "filePath": "a"}],
        "outputFiles": [{"filePattern": "*", "destination": {"container": {"containerUrl": sealed}}}],
    }
    answer = await ask(TASK, body)
    assert [e["error"]["code"] for e in answer["inputs"] + answer["outputs"]] == [
        "BlobAccessDenied",
        "FileUploadAccessDenied",
    ]
    assert "abc" not in str(answer)


def output(url, **more):
    return {"filePattern": "*.txt", "destination": {"container": {"containerUrl": url, **more}}}


async def test_an_output_to_a_foreign_container_keeps_its_url_and_what_was_said_about_it(ask):
    file = output(FOREIGN, path="p", uploadHeaders=[{"name": "x-ms-meta-a", "value": "1"}])
    file["uploadOptions"] = {"uploadCondition": "taskSuccess"}
    assert (await ask(TASK, {"outputFiles": [file]}))["outputs"] == [
        {
            "pattern": "*.txt",
            "path": "p",
            "condition": "tasksuccess",
            "headers": {"x-ms-meta-a": "1"},
            "url": FOREIGN,
        }
    ]


async def test_an_output_to_the_farm_is_signed_anew_with_the_attempt_as_fence(ask, containers):
    given = Vault(SECRET).seal_url(containers.url("results", "rwdl", 60))
    (entry,) = (await ask(TASK, {"outputFiles": [output(given)]}))["outputs"]
    container, _, grant = containers.own(entry["url"])
    assert (container, grant.permissions, grant.fence) == ("results", "w", Fence(7, 3, 2))
    assert entry["condition"] == "taskcompletion"


async def test_an_output_to_the_farm_under_another_host_name_is_recognised(ask, containers):
    given = containers.url("results", "cw", 60).replace("127.0.0.1:8480", "farm.example")
    (entry,) = (await ask(TASK, {"outputFiles": [output(given)]}))["outputs"]
    assert containers.own(entry["url"])[2].fence == Fence(7, 3, 2)
    assert urlsplit(entry["url"]).netloc == "127.0.0.1:8480"


@pytest.mark.parametrize("spoil", [("sig=", "sig=A"), ("sp=cw", "sp=rcw"), ("results", "others")])
async def test_a_farm_url_that_was_not_signed_by_the_farm_gains_nothing(ask, containers, spoil):
    given = containers.url("results", "cw", 60).replace(*spoil)
    (entry,) = (await ask(TASK, {"outputFiles": [output(given)]}))["outputs"]
    assert entry["url"] == given


@pytest.mark.parametrize(("permissions", "seconds"), [("rl", 60), ("cw", -1)])
async def test_a_farm_url_that_may_not_write_or_has_expired_gains_nothing(ask, containers, permissions, seconds):
    given = containers.url("results", permissions, seconds)
    (entry,) = (await ask(TASK, {"outputFiles": [output(given)]}))["outputs"]
    assert entry["url"] == given


async def test_packages_come_with_a_url_for_their_one_blob(ask, containers):
    references = [{"applicationId": "render", "version": "1"}, {"applicationId": "/sub/x/applications/RENDER"}]
    first, second = (await ask({"packages": references}))["packages"]
    assert (first["id"], first["version"], first["default"], first["sha256"]) == ("Render", "1", False, "abc")
    assert (second["version"], second["default"]) == ("2", True)
    container, blob, grant = containers.own(second["url"])
    assert (container, blob, grant.permissions) == (PACKAGES, "packages/2", "r")


async def test_a_package_url_opens_no_other_package(ask, containers):
    (entry,) = (await ask({"packages": [{"applicationId": "render", "version": "1"}]}))["packages"]
    assert containers.own(entry["url"].replace("packages/1", "packages/2")) is None
    query = {name: values[0] for name, values in parse_qs(urlsplit(entry["url"]).query).items()}
    with pytest.raises(StorageError):
        containers.verify(PACKAGES, "", query)


async def test_a_package_that_cannot_be_had_is_an_entry_with_an_error(ask):
    body = {"applicationPackageReferences": [{"applicationId": "absent"}, {"applicationId": "render", "version": "9"}]}
    found = (await ask(TASK, body))["packages"]
    assert [(e["id"], e["version"], e["default"], e["error"]["code"]) for e in found] == [
        ("absent", "", True, "ApplicationPackageError"),
        ("render", "9", False, "ApplicationPackageError"),
    ]


async def test_a_start_task_is_that_of_the_asking_node(ask):
    answer = await ask({"start": True}, start_task={"resourceFiles": [{"httpUrl": "http://x", "filePath": "f"}]})
    assert [e["path"] for e in answer["inputs"]] == ["f"]
    with pytest.raises(Refused, match="OperationInvalidForCurrentState"):
        await ask({"start": True})


@pytest.mark.parametrize("change", [{"attempt": 1}, {"task": 4}, {"job": 8}])
async def test_what_is_not_the_current_attempt_on_this_node_is_told_nothing(ask, change):
    with pytest.raises(Refused, match="OperationInvalidForCurrentState"):
        await ask(TASK | change, {"resourceFiles": []})


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"job": 7},
        {"job": "7", "task": 3, "attempt": 2},
        {**TASK, "attempt": True},
        {"start": False},
        {"packages": [1]},
        {"packages": {}},
    ],
)
async def test_a_request_of_another_shape_is_refused(ask, request_):
    with pytest.raises(Refused, match="InvalidRequestBody"):
        await ask(request_)


async def test_where_the_store_exchanges_bytes_itself_the_farms_own_blobs_are_marked_and_foreign_ones_are_not(
    ask, containers
):
    containers.storage.direct = object()
    own = containers.url("inputs", "rl", 60)
    blob = containers.url("inputs", "r", 60, blob="a b")
    files = [
        {"autoStorageContainerName": "inputs"},
        {"storageContainerUrl": Vault(SECRET).seal_url(own)},
        {"httpUrl": Vault(SECRET).seal_url(blob), "filePath": "a"},
        {"storageContainerUrl": FOREIGN},
        {"httpUrl": FOREIGN, "filePath": "b"},
    ]
    outputs = [output(containers.url("results", "rwdl", 60)), output(FOREIGN)]
    packages = [{"applicationId": "render"}]
    answer = await ask(TASK, {"resourceFiles": files, "outputFiles": outputs, "applicationPackageReferences": packages})
    assert [entry.get("direct", False) for entry in answer["inputs"]] == [True, True, True, False, False]
    assert [entry.get("direct", False) for entry in answer["outputs"]] == [True, False]
    assert [entry.get("direct", False) for entry in answer["packages"]] == [True]
