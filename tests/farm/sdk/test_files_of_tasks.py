"""Files that tasks get and give, seen through azure-batch 14 and, from outside, azure-storage-blob."""

import hashlib
import json
import re
import secrets
import tempfile
from pathlib import Path

import psutil
import pytest
from azure.storage.blob import ContainerClient

from tests import azurite

MIB = 1 << 20


def conventional(job_id):
    """The container of a job by the service's file conventions: its id if it can be a name, else part of it and a hash.

    https://learn.microsoft.com/azure/batch/batch-task-output-file-conventions: what .NET and other tools reckon.
    """
    lowered = job_id.lower()
    if len(lowered) <= 59 and re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", lowered):
        return f"job-{lowered}"
    start = re.sub("[:_-]+", "-", lowered).strip("-")[:15].strip("-") or "job"
    return f"job-{start}-{hashlib.sha1(lowered.encode(), usedforsecurity=False).hexdigest()}"


@pytest.fixture(scope="module")
def foreign():
    with tempfile.TemporaryDirectory() as folder, azurite.running(Path(folder)) as service:
        yield service


@pytest.fixture(scope="module", params=["shared_farm", "s3_farm"])
def files_farm(request):
    """A farm that keeps files in its folder, and one that keeps them in a bucket."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def given(files_farm, foreign):
    def url(name, permissions):
        return files_farm.cli("storage", "url", name, "--perm", permissions).stdout.strip()

    for name in ("inputs-14", "results-14", conventional("Frames_of--14")):
        files_farm.cli("storage", "mb", name)
    with ContainerClient.from_container_url(url("inputs-14", "rwcl")) as inputs:
        for name in ("set/one", "set/a/two", "set/ab", "other", "otherwise/three"):
            inputs.upload_blob(name, name)
        inputs.upload_blob("big", secrets.token_bytes(MIB) * 200, max_concurrency=2)
    with ContainerClient.from_container_url(foreign.container_url("far")) as far:
        far.upload_blob("deep/er/file", "from afar", overwrite=True)  # one Azurite serves both farms
        far.upload_blob("elsewhere", "no", overwrite=True)
    readable, there = url("inputs-14", "r"), foreign.container_url("far", "r")
    return {
        "file": readable.replace("?", "/other?"),
        "big": readable.replace("?", "/big?"),
        "inputs": url("inputs-14", "rl"),
        "readonly": readable,
        "results": url("results-14", "rwcl"),
        "kept": "Frames_of--14",
        "kept_url": url(conventional("Frames_of--14"), "rwcl"),
        "nowhere": url("results-14", "rwcl").replace("results-14", "no-such-container"),
        "foreign": foreign.container_url("far"),
        "foreign_readonly": there,
        "foreign_nowhere": foreign.container_url("far").replace("/far?", "/no-such?"),
    }


@pytest.fixture(scope="module")
def seen(files_farm, given):
    before = bytes_through(files_farm, "api")
    said = files_farm.program("14.2.0", "files_14", json.dumps(given), timeout=200)
    said["through the API"] = bytes_through(files_farm, "api") - before
    return said


def bytes_through(farm, member):
    """What a process of the farm has read and written so far, from files and connections."""
    (process,) = (
        one for one in psutil.Process(farm.process.pid).children() if f"orchestrator.{member}" in str(one.cmdline())
    )
    counted = process.io_counters()
    return counted.read_chars + counted.write_chars


@pytest.fixture(scope="module")
def results(seen, given):
    with ContainerClient.from_container_url(given["results"]) as container:
        yield container


def below(results, prefix):
    return sorted(blob.name for blob in results.list_blobs(name_starts_with=prefix))


def test_resource_files_come_from_urls_and_containers_with_their_names_and_modes(seen):
    assert seen["listed"]["url"] == ["./plain.txt other", "./sub/dir/in.txt other", "640", "770"]
    assert seen["listed"]["container"] == [
        "./below/set/a/two set/a/two",
        "./below/set/ab set/ab",
        "./set/a/two set/a/two",
        "./set/ab set/ab",
        "./set/one set/one",
    ]
    assert seen["listed"]["auto"] == ["./x/other other", "./x/otherwise/three otherwise/three"]


def test_a_foreign_azure_container_is_read_and_written_with_its_sas(seen, foreign):
    with ContainerClient.from_container_url(foreign.container_url("far")) as far:
        assert far.download_blob("from/farm.txt").readall() == b"back\n"
    assert seen["listed"]["foreign"] == ["./far/deep/er/file from afar"]
    assert seen["outcomes"]["foreign"] == ["success", 0]


def test_output_files_are_found_by_patterns_and_named_by_path(seen, results):
    assert seen["outcomes"]["globs"] == ["success", 0]
    star = ["star/odd[1].txt", "star/one.txt", "star/two.txt"]
    assert below(results, "star") == star
    assert below(results, "deep") == sorted(
        ["deep/a/b/five.txt", "deep/a/four.txt", *(name.replace("star", "deep") for name in star)]
    )
    assert below(results, "one.txt") == ["one.txt"]
    assert below(results, "class") == ["class/three.log", "class/two.txt"]
    assert below(results, "escaped") == ["escaped/odd[1].txt"]  # a bracket is a wildcard
    assert below(results, "tree") == ["tree/b/five.txt", "tree/four.txt"]
    assert below(results, "logs") == ["logs/$AZ_BATCH_TASK_ID", "logs/out"]
    assert results.download_blob("renamed.log").readall() == b"three.log\n"
    assert results.get_blob_client("renamed.log").get_blob_properties().content_settings.content_type == "text/x-log"
    assert "renamed.log" in seen["logs"][0]


def test_outputs_lie_where_tools_look_that_follow_the_file_conventions(seen, given, files_farm):
    assert conventional("frames-14") == "job-frames-14"
    assert seen["kept"] == ["success", 0]
    with ContainerClient.from_container_url(given["kept_url"]) as container:
        assert container.container_name == "job-frames-of-14-" + hashlib.sha1(b"frames_of--14").hexdigest()
        assert below(container, "frame-1/$TaskOutput/") == [
            f"frame-1/$TaskOutput/{n}" for n in ("a.png", "small/a.png")
        ]
        assert below(container, "frame-1/$TaskPreview/") == ["frame-1/$TaskPreview/a.png"]
        assert below(container, "frame-1/$TaskLog/") == [f"frame-1/$TaskLog/std{n}.txt" for n in ("err", "out")]
        assert container.download_blob("frame-1/$TaskLog/stdout.txt").readall() == b"said\n"
    assert container.container_name in files_farm.cli("storage", "ls").stdout


def test_upload_conditions_look_at_the_exit_code(seen, results):
    assert below(results, "good/") == ["good/taskcompletion/r.txt", "good/tasksuccess/r.txt"]
    assert below(results, "bad/") == ["bad/taskcompletion/r.txt", "bad/taskfailure/r.txt"]
    assert below(results, "neverran/") == []
    assert not [name for name in seen["names"] if name.startswith("fileupload")]


def test_uploads_that_fail_say_why_and_keep_the_exit_code(seen):
    outcomes = seen["outcomes"]

    assert outcomes["refused"] == ["failure", 0, "usererror", "FileUploadAccessDenied"]
    assert outcomes["foreignrefused"] == ["failure", 0, "usererror", "FileUploadAccessDenied"]
    assert outcomes["nowhere"][:2] == ["failure", 4]
    assert outcomes["nowhere"][3] in ("FileUploadContainerNotFound", "FileUploadAccessDenied")
    assert outcomes["foreignnowhere"][3] in ("FileUploadContainerNotFound", "FileUploadAccessDenied")
    assert "r.txt" in seen["logs"][1]
    assert "sig=" not in str(seen["refused"]) + "".join(seen["logs"])


def test_a_file_of_200_mib_comes_and_goes_in_parts(seen, results, given):
    assert seen["outcomes"]["big"] == ["success", 0]
    blob = results.get_blob_client("big.bin")
    with ContainerClient.from_container_url(given["inputs"]) as inputs:
        sent = hashlib.sha256()
        for part in inputs.download_blob("big").chunks():
            sent.update(part)
    got = hashlib.sha256()
    for part in blob.download_blob().chunks():
        got.update(part)
    assert got.digest() == sent.digest()


def test_bytes_between_nodes_and_an_object_store_pass_the_api_by(seen, files_farm):
    """400 MiB went between node and store; through the API of a farm with a folder they all pass, twice."""
    if files_farm.storage == "folder":
        assert seen["through the API"] > 800 * MIB
    else:
        assert seen["through the API"] < 40 * MIB
