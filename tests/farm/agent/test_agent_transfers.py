"""Resource files, packages and output files, over real sockets."""

import json
import os
import stat
from pathlib import Path

import pytest
from agent_world import UID_BASE, until, zipped

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="nodes switch users only as root")

TASK_USER = {"autoUser": {"scope": "task", "elevationLevel": "nonadmin"}}


def inputs(world, *entries, task=1):
    world.api.plans[1, task] = {"inputs": list(entries)}


def http(world, source, path, **more):
    return {"kind": "http", "url": world.api.url + source + "?sig=hidden", "path": path, "mode": None, **more}


def with_inputs(world, command="/bin/sh -c 'find . -type f | sort'", **more):
    return world.run(command, resourceFiles=[{}], **more)


def outputs(world, *entries, task=1):
    world.api.plans[1, task] = {"outputs": list(entries)}


def output(world, pattern, container="out", **more):
    return {"pattern": pattern, "url": f"{world.api.url}/storage/{container}?sig=hidden", **more}


def details(fail):
    return {pair["name"]: pair["value"] for pair in json.loads(fail[4])}


def text(directory, name="stdout.txt"):
    return Path(directory, name).read_text()


def test_files_come_to_their_paths_with_their_modes_and_belong_to_the_tasks_user(world):
    world.start()
    world.api.files |= {"/a": b"A" * 100, "/b": b""}
    inputs(world, http(world, "/a", "deep/er/a.txt", mode="0640"), http(world, "/b", "b"))
    directory = with_inputs(world)

    assert world.ended() == (0, None)
    assert text(directory) == "./b\n./deep/er/a.txt\n"
    about = os.stat(f"{directory}/wd/deep/er/a.txt")
    assert (about.st_uid, about.st_size, stat.S_IMODE(about.st_mode)) == (UID_BASE, 100, 0o640)
    assert stat.S_IMODE(os.stat(f"{directory}/wd/b").st_mode) == 0o770
    assert os.stat(f"{directory}/wd/deep").st_uid == UID_BASE


def test_a_large_file_comes_in_parallel_parts(world):
    world.start(env={"NODEFARM_AGENT_PARALLEL_ABOVE_BYTES": "100000", "NODEFARM_AGENT_PART_BYTES": "65536"})
    world.api.files["/big"] = os.urandom(1_000_003)
    inputs(world, http(world, "/big", "big"))
    directory = with_inputs(world)

    assert world.ended() == (0, None)
    assert Path(directory, "wd/big").read_bytes() == world.api.files["/big"]
    assert world.api.paths().count("/big") == 1 + 16


def test_200_mib_come_whole_with_default_parts(world):
    world.start()
    block = os.urandom(1 << 20)
    world.api.files["/big"] = block * 200
    inputs(world, http(world, "/big", "big"))
    directory = with_inputs(world)

    assert world.ended() == (0, None)
    assert os.path.getsize(f"{directory}/wd/big") == 200 << 20
    with open(f"{directory}/wd/big", "rb") as file:
        assert all(file.read(1 << 20) == block for _ in range(200))


def test_a_server_in_passing_trouble_is_asked_again(world):
    world.start()
    world.api.files["/a"] = b"x"
    world.api.trouble = {"/a": [500, 503], "/nodefarm/v1/node/transfers": [503]}
    inputs(world, http(world, "/a", "a"))
    with_inputs(world)

    assert world.ended() == (0, None)


@pytest.mark.parametrize(
    ("status", "category", "code"),
    [
        (404, "UserError", "BlobNotFound"),
        (403, "UserError", "BlobAccessDenied"),
        (401, "UserError", "BlobAccessDenied"),
        (500, "ServerError", "BlobDownloadMiscError"),
        (418, "ServerError", "BlobDownloadMiscError"),
    ],
)
def test_a_refused_file_fails_the_task_before_the_run_and_names_the_file_without_secrets(world, status, category, code):
    world.start()
    world.api.trouble = {"/a": [status] * 3}
    inputs(world, http(world, "/a", "sub/a"))
    with_inputs(world)

    exit_code, fail = world.ended()

    assert exit_code is None
    assert fail[:3] == ["pre", category, code]
    assert details(fail)["FilePath"] == "sub/a"
    assert details(fail)["HttpUrl"] == f"{world.api.url}/a"
    assert "hidden" not in str(fail) + world.log()


def test_a_server_that_nobody_reaches_times_out(world):
    world.start()
    entry = {"kind": "http", "url": "http://127.0.0.1:1/a", "path": "a"}
    inputs(world, entry)
    with_inputs(world)

    assert world.ended()[1][2] == "BlobDownloadTimedOut"


def test_a_reference_that_could_not_be_resolved_fails_with_its_code(world):
    world.start()
    inputs(world, {"kind": "http", "path": "a", "error": {"code": "BlobAccessDenied", "message": "sealed elsewhere"}})
    with_inputs(world)

    fail = world.ended()[1]
    assert fail[2] == "BlobAccessDenied"
    assert details(fail) == {"Message": "sealed elsewhere", "FilePath": "a"}


@pytest.mark.parametrize("path", ["../out", "a/../../out", ".."])
def test_no_file_leaves_the_working_directory(world, path):
    world.start()
    world.api.files["/a"] = b"x"
    inputs(world, http(world, "/a", path))
    directory = with_inputs(world)

    assert world.ended()[1][2] == "ResourceFileCreateFailed"
    assert not os.path.exists(f"{directory}/out")


def test_no_file_is_written_through_a_link_that_another_task_planted(world):
    """A concurrent task of the same user swaps the directory for a link to a place of root's."""
    world.start()
    world.api.files |= {"/slow/a": b"x", "/b": b"y"}
    world.api.hold_back.clear()
    inputs(world, http(world, "/slow/a", "first"), http(world, "/b", "sub/b"), task=1)
    directory = with_inputs(world)
    until(lambda: "/slow/a" in world.api.paths())
    world.sh(f"ln -s {world.root}/applications {directory}/wd/sub", task=2)
    assert world.ended(2) == (0, None)
    world.api.hold_back.set()

    assert world.ended()[1][2] == "ResourceDirectoryCreateFailed"
    assert os.listdir(f"{world.root}/applications") == []


def test_a_container_comes_whole_below_the_path_by_prefix(world):
    world.start()
    world.api.blobs |= {("in", "data/1"): b"one", ("in", "data/x/2"): b"two" * 50_000, ("in", "other"): b"no"}
    url = f"{world.api.url}/storage/in?sig=hidden"
    inputs(world, {"kind": "container", "url": url, "path": "got", "prefix": "data/", "mode": "0600"})
    directory = with_inputs(world)

    assert world.ended() == (0, None)
    assert text(directory) == "./got/data/1\n./got/data/x/2\n"
    assert Path(directory, "wd/got/data/x/2").read_bytes() == b"two" * 50_000
    assert stat.S_IMODE(os.stat(f"{directory}/wd/got/data/1").st_mode) == 0o600


@pytest.mark.parametrize(("container", "code"), [("closed", "BlobAccessDenied"), ("nowhere", "BlobNotFound")])
def test_a_container_that_is_refused_or_missing_fails_before_the_run(world, container, code):
    world.start()
    inputs(world, {"kind": "container", "url": f"{world.api.url}/storage/{container}?sig=hidden", "path": ""})
    with_inputs(world)

    fail = world.ended()[1]
    assert fail[2] == code
    assert "hidden" not in str(fail)


def test_a_superseded_attempt_is_given_back_without_a_run(world):
    world.start()
    world.api.plans[1, 1] = 409
    with_inputs(world)

    assert "superseded" in world.until_item("back", 1, 1, 1)[4]


def test_an_api_that_stays_away_gives_the_task_back(world):
    world.start()
    world.api.trouble = {"/nodefarm/v1/node/transfers": [503] * 1000}
    with_inputs(world)

    assert "503" in world.until_item("back", 1, 1, 1)[4]


def test_a_kill_stops_a_download(world):
    world.start()
    world.api.files["/slow/a"] = b"x"
    world.api.hold_back.clear()
    inputs(world, http(world, "/slow/a", "a"))
    with_inputs(world)
    until(lambda: "/slow/a" in world.api.paths())
    world.kill()

    exit_code, fail = world.ended()
    assert exit_code is None
    assert fail[2] == "TaskEnded"


def package(world, name, version="1", default=False, data=None, **files):
    made, sha = zipped(**files)
    path = f"/packages/{name}-{version}"
    world.api.files[path] = made if data is None else data
    return {"id": name, "version": version, "url": world.api.url + path, "sha256": sha, "default": default}


def test_pool_packages_are_there_before_the_start_task_and_seen_by_every_task(world):
    world.api.plans["packages"] = {"packages": [package(world, "App", "1.0", True, bin__run="#!/bin/sh\necho ran\n")]}
    world.start(
        packages=[{"applicationId": "App"}],
        start_task={"commandLine": "/bin/sh -c '$AZ_BATCH_APP_PACKAGE_App/bin/run > $AZ_BATCH_NODE_SHARED_DIR/x'"},
    )
    directory = world.sh("$AZ_BATCH_APP_PACKAGE_app_1_0/bin/run")

    assert world.ended() == (0, None)
    assert text(directory) == "ran\n"
    assert world.text("shared", "x") == "ran\n"
    assert os.stat(f"{world.root}/applications/App/1.0/bin/run").st_uid == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sha256": "0" * 64}, "checksum"),
        ({"url": "http://127.0.0.1:1/x"}, "BlobDownloadTimedOut"),
        ({"error": {"code": "ApplicationPackageError", "message": "no default version"}}, "no default version"),
        ({"id": "../evil"}, "directory name"),
    ],
)
def test_a_pool_package_that_cannot_be_installed_makes_the_node_unusable(world, change, why):
    world.api.plans["packages"] = {"packages": [package(world, "app", a="x") | change]}
    world.start(ready=False, packages=[{"applicationId": "app"}])

    item = world.until_item("bad")
    assert item[1] == "ApplicationPackageError"
    assert why in item[2]
    assert ["ready"] not in world.events()
    assert not os.path.exists(f"{world.root}/applications/app")


def test_a_task_package_is_installed_once_for_tasks_that_start_together(world):
    world.start()
    entry = package(world, "tool", bin="x")
    for task in range(1, 5):
        world.api.plans[1, task] = {"packages": [entry]}
        world.run("/bin/sh -c 'cat $AZ_BATCH_APP_PACKAGE_tool_1/bin'", task=task,
                  applicationPackageReferences=[{"applicationId": "tool", "version": "1"}])  # fmt: skip

    for task in range(1, 5):
        assert world.ended(task) == (0, None)
    assert world.api.paths().count("/packages/tool-1") == 1
    directory = world.sh("env | grep -c tool || true", task=5)
    world.ended(5)
    assert text(directory) == "0\n"


def test_a_task_package_that_would_leave_its_folder_fails_the_task(world):
    world.start()
    world.api.plans[1, 1] = {"packages": [package(world, "evil", **{"..__..__x": "y"})]}
    world.run("/bin/true", applicationPackageReferences=[{}])

    exit_code, fail = world.ended()
    assert (exit_code, fail[0], fail[2]) == (None, "pre", "ApplicationPackageError")
    assert "leave the folder" in details(fail)["Message"]


def test_outputs_are_found_staged_and_named_by_the_rules(world):
    world.start(env={"NODEFARM_AGENT_PART_BYTES": "65536"})
    outputs(
        world,
        output(world, "*.txt", path="res"),
        output(world, "sub/**/*.bin", path="bins"),
        output(world, "../stdout.txt", path="log/out.txt"),
        output(world, "$AZ_BATCH_TASK_DIR/stderr.txt"),
        output(world, "nothing*", path="x"),
        output(world, "only-on-failure", condition="taskfailure"),
        output(world, "a.txt", path="typed", condition="tasksuccess", headers={"x-ms-blob-content-type": "text/plain"}),
    )
    directory = world.sh(
        "echo a > a.txt; echo h > .h.txt; mkdir -p sub/x; head -c 200000 /dev/zero > sub/x/b.bin; echo o; "
        "touch only-on-failure empty",
        outputFiles=[{}],
    )

    assert world.ended() == (0, None)
    sizes = {name: len(data) for (_, name), data in world.api.blobs.items()}
    assert sizes == {"res/a.txt": 2, "bins/x/b.bin": 200_000, "log/out.txt": 2, "stderr.txt": 0, "typed": 2}
    assert world.api.headers["out", "typed"]["x-ms-blob-content-type"] == "text/plain"
    assert "uploaded" in text(directory, "fileuploadout.txt")
    assert os.stat(f"{directory}/fileuploadout.txt").st_uid == UID_BASE
    calls = world.api.paths()
    assert calls.index("/nodefarm/v1/node/publish") < next(
        i for i, (kind, _) in enumerate(world.api.calls) if kind == "blocks"
    )


def test_outputs_of_a_failed_command_follow_its_condition_and_keep_its_exit_code(world):
    world.start()
    outputs(
        world,
        output(world, "f", path="f", condition="taskfailure"),
        output(world, "f", path="s", condition="tasksuccess"),
    )
    world.sh("echo x > f; exit 9", outputFiles=[{}])

    assert world.ended() == (9, None)
    assert list(world.api.blobs) == [("out", "f")]


@pytest.mark.parametrize(
    ("container", "code"), [("closed", "FileUploadAccessDenied"), ("missing", "FileUploadContainerNotFound")]
)
def test_a_container_that_takes_nothing_fails_the_upload_and_keeps_the_exit_code(world, container, code):
    world.start()
    outputs(world, output(world, "../std*.txt", container))
    directory = world.sh("echo x", outputFiles=[{}])

    exit_code, fail = world.ended()
    assert exit_code == 0
    assert fail[:3] == ["upload", "UserError", code]
    assert "hidden" not in str(fail)
    assert code in text(directory, "fileuploaderr.txt")


def test_a_superseded_attempt_publishes_nothing(world):
    world.start()
    outputs(world, output(world, "f"))
    world.api.superseded.add((1, 1))
    world.sh("echo x > f", outputFiles=[{}])

    assert "superseded" in world.until_item("back", 1, 1, 1)[4]
    assert world.api.blobs == {}


def test_a_command_that_never_ran_uploads_nothing(world):
    world.start()
    outputs(world, output(world, "../std*.txt"))
    world.run("no-such-program", outputFiles=[{}])

    assert world.ended()[1][2] == "CommandProgramNotFound"
    assert world.api.calls == []


@pytest.mark.parametrize(
    "pattern", ["link", "*nk", "$HOME/link", "../../../../../../../../../../etc/shadow", "/etc/shadow"]
)
def test_a_task_cannot_send_what_it_cannot_read(world, pattern):
    world.start()
    outputs(world, output(world, pattern, path="stolen"))
    world.sh("ln -s /etc/shadow link", outputFiles=[{}])

    fail = world.ended()[1]
    assert fail[:3] == ["upload", "UserError", "FileUploadMiscError"]
    assert world.api.blobs == {}


def test_a_link_does_not_lead_an_upload_out_of_the_nodes_root_though_the_file_is_public(world):
    world.start()
    outputs(world, output(world, "link", path="stolen"), output(world, "inside", path="fine"))
    world.sh("ln -s /etc/hostname link; echo x > real; ln -s real inside", outputFiles=[{}])

    assert world.ended()[1][2] == "FileUploadMiscError"
    assert world.api.blobs == {("out", "fine"): b"x\n"}


def test_task_users_cannot_send_each_others_files(world):
    world.start()
    other = world.sh("echo mine > secret; chmod 777 . secret; sleep 600", task=2, userIdentity=TASK_USER)
    until(lambda: os.path.exists(f"{other}/wd/secret"))
    outputs(world, output(world, f"{other}/wd/secret", path="a"), output(world, f"{other}/**/*", path="b"))
    world.sh("true", outputFiles=[{}], userIdentity=TASK_USER)

    world.ended()
    assert world.api.blobs == {}
    world.kill(task=2)
    world.ended(2)


def test_a_fifo_does_not_hang_an_upload(world):
    world.start()
    outputs(world, output(world, "f*"))
    world.sh("mkfifo fifo; echo x > file", outputFiles=[{}])

    assert world.ended() == (0, None)
    assert list(world.api.blobs) == [("out", "file")]


def test_a_kill_stops_an_upload_and_the_exit_code_stays(world):
    world.start()
    outputs(world, output(world, "f"))
    world.api.trouble = {"/nodefarm/v1/node/publish": [503] * 1000}
    world.sh("echo x > f", outputFiles=[{}])
    until(lambda: "/nodefarm/v1/node/publish" in world.api.paths())
    world.kill()

    exit_code, fail = world.ended()
    assert exit_code == 0
    assert fail[2] == "TaskEnded"
    assert world.api.blobs == {}
