"""The small pure parts of the command: durations, inputs, job files, zip files, logs, the configuration of Redis."""

import asyncio
import json
import os
import zipfile
from pathlib import Path

import pytest

from orchestrator.cli import durations, embedded_redis, folder, inputs, jobfile
from orchestrator.cli.archive import zipped
from orchestrator.cli.commands import status
from orchestrator.cli.errors import CliError, UsageError
from orchestrator.cli.journal import Journal, as_record
from orchestrator.cli.logbook import Logbook
from orchestrator.cli.runner import put_in_place

DURATIONS = [("90s", 90), ("1d12h", 129600), ("1.5h", 5400), ("30", 30), ("2w", 1209600)]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_durations_are_read_as_people_type_them(text, seconds):
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5x", "-1h", "1h x"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError):
        durations.seconds(text)


def test_files_keep_their_relative_paths_and_words_stay_words(tmp_path, monkeypatch):
    (tmp_path / "here/sub").mkdir(parents=True)
    (tmp_path / "here/sub/a.txt").touch()
    (tmp_path / "up.txt").touch()
    monkeypatch.chdir(tmp_path / "here")

    read = inputs.read(["sub/a.txt", "./sub/../sub/a.txt", "../up.txt", str(tmp_path / "up.txt"), "no-file", ""])

    outside = f"{inputs.OUTSIDE}{tmp_path}/up.txt"
    assert [one.value for one in read] == ["sub/a.txt", "sub/a.txt", outside, outside, "no-file", ""]
    assert [one.local is None for one in read] == [False, False, False, False, True, True]


def test_a_folder_brings_all_its_files(tmp_path, monkeypatch):
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/a").touch()
    (tmp_path / "d/e/b").touch()
    monkeypatch.chdir(tmp_path)

    (folder_input,) = inputs.read(["d/"])

    assert folder_input.value == "d"
    assert [name for _, name in folder_input.files()] == ["d/a", "d/e/b"]


@pytest.mark.parametrize(
    ("name", "out", "place"),
    [
        ("a/b.png", None, "a/b.png"),
        ("a/b.png", "o", "o/a/b.png"),
        ("_outside/data/x.png", None, "/data/x.png"),
        ("_outside/data/x.png", "o", "o/data/x.png"),
    ],
)
def test_results_go_beside_their_inputs_or_below_out(name, out, place):
    assert inputs.home(name, out and Path(out)) == Path(place)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", ""])
def test_a_result_whose_name_climbs_out_is_refused(name):
    with pytest.raises(CliError):
        inputs.home(name, Path("o"))
    with pytest.raises(CliError):
        inputs.safe_join(Path("o"), name)


def test_names_that_are_no_text_are_refused():
    with pytest.raises(UsageError):
        inputs.read([os.fsdecode(b"\xff.txt")])


def test_a_file_that_is_there_is_overwritten_by_force_only(tmp_path):
    part, target = tmp_path / "part", tmp_path / "deep/er/target"

    part.write_text("1")
    assert put_in_place(part, target, force=False)
    part.write_text("2")
    assert not put_in_place(part, target, force=False)
    assert target.read_text() == "1"
    part.write_text("3")
    assert put_in_place(part, target, force=True)
    assert target.read_text() == "3"
    assert os.listdir(target.parent) == ["target"]


def test_a_job_file_is_a_job_plus_numbered_tasks(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text("id: j\npoolInfo: {poolId: p}\ntasks:\n- commandLine: a\n- {id: own, commandLine: b}\n")

    found = jobfile.read(file)

    assert found.job == {"id": "j", "poolInfo": {"poolId": "p"}}
    assert found.tasks == [{"id": "task-1", "commandLine": "a"}, {"id": "own", "commandLine": "b"}]


@pytest.mark.parametrize("text", ["[1]", "tasks: 3", "tasks: [x]", "a: [", "just text"])
def test_a_job_file_of_another_shape_is_refused_by_name(tmp_path, text):
    file = tmp_path / "odd.yaml"
    file.write_text(text)

    with pytest.raises(UsageError, match=r"odd\.yaml"):
        jobfile.read(file)


def test_a_folder_becomes_the_same_zip_each_time_and_keeps_what_may_be_run(tmp_path):
    (tmp_path / "src/bin").mkdir(parents=True)
    (tmp_path / "src/bin/tool").write_text("#!/bin/sh\n")
    (tmp_path / "src/bin/tool").chmod(0o755)
    (tmp_path / "src/data").write_text("x")

    first, second = (zipped(tmp_path / "src", tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))

    assert first == second
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        modes = {entry.filename: oct(entry.external_attr >> 16) for entry in archive.infolist()}
    assert modes == {"bin/tool": "0o100755", "data": oct(0o100000 | (tmp_path / "src/data").stat().st_mode & 0o777)}


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "x").write_text("x")

    with pytest.raises(UsageError):
        zipped(tmp_path / "x", tmp_path / "y")


def test_lines_that_are_not_json_become_events(tmp_path):
    journal = Journal(tmp_path / "api.log", "api")

    journal.line('{"event": "asked", "job": "j", "timestamp": "2026-01-01T00:00:00Z"}\n')
    journal.line("Traceback 100% {odd\n")

    records = [json.loads(line) for line in (tmp_path / "api.log").read_text().splitlines()]
    assert [(one["process"], one["event"]) for one in records] == [("api", "asked"), ("api", "Traceback 100% {odd")]
    assert as_record("[1]") == {"event": "[1]"}


async def test_a_process_s_lines_are_taken_down_whole_to_the_last(tmp_path):
    reading, writing = os.pipe()
    journal = Journal(tmp_path / "api.log", "api")
    copying = asyncio.create_task(journal.copy(reading))

    for piece in (b"one\nt", b"wo\n" + b"l" * 40_000 + b"\n", b"unfinished"):
        os.write(writing, piece)
        await asyncio.sleep(0)
    os.close(writing)
    await copying

    events = [json.loads(line)["event"] for line in (tmp_path / "api.log").read_text().splitlines()]
    assert events == ["one", "two", "l" * 40_000, "unfinished"]


def test_the_logbook_merges_by_time_filters_and_goes_on(tmp_path):
    def write(name, *records):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with (tmp_path / name).open("a") as out:
            out.writelines(json.dumps(record) + "\n" for record in records)

    write("logs/api.log", {"timestamp": "1", "event": "a", "path": "/jobs/j/tasks"}, {"timestamp": "3", "event": "c"})
    write("logs/engine.log", {"timestamp": "4", "event": "d", "job_id": "j"})
    write("nodes/7/agent.out", {"time": "2", "event": "b", "job": "j"})
    book = Logbook(tmp_path, [], {"job": "j"})

    assert [(one["process"], one["event"]) for one in book.last(10)] == [("api", "a"), ("node-7", "b"), ("engine", "d")]
    write("logs/engine.log", {"timestamp": "5", "event": "e", "jobId": "j"})
    assert [(one["process"], one["event"]) for one in book.new()] == [("engine", "e")]
    assert book.new() == []
    assert list(Logbook(tmp_path, ["engine", "node"], {}).files().values()) == ["engine", "node-7"]


def test_the_logbook_begins_a_file_anew_that_was_cut(tmp_path):
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs/api.log"
    path.write_text('{"timestamp": "1", "event": "long enough"}\n')
    book = Logbook(tmp_path, [], {})
    book.last(1)

    path.write_text('{"event": "x"}\nhalf')

    assert [one["event"] for one in book.new()] == ["x"]


def test_redis_is_told_its_password_by_a_file_that_only_its_owner_reads(tmp_path):
    server = embedded_redis.Server(Path("/bin/redis-server"), (7, 0, 15))

    place = embedded_redis.prepare(tmp_path / "redis", server, "always", 4321)
    again = embedded_redis.prepare(tmp_path / "redis", server, "everysec", 4321)

    assert place.password == again.password
    assert place.config.stat().st_mode & 0o777 == 0o600
    text = embedded_redis.configuration(place, "always")
    wanted = {f"requirepass {place.password}", "appendonly yes", "appendfsync always", "maxmemory-policy noeviction"}
    assert wanted <= set(text.splitlines())


def test_a_folder_whose_path_is_too_long_for_a_socket_gets_a_loopback_port(tmp_path):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()

    place = embedded_redis.prepare(deep / "redis", embedded_redis.Server(Path("/x"), (7, 0, 0)), "always", 4321)

    assert place.url.endswith("@127.0.0.1:4321/0")
    assert "port 4321" in place.config.read_text().splitlines()


def test_an_older_redis_may_not_open_the_folder_of_a_newer_one(tmp_path):
    embedded_redis.prepare(tmp_path, embedded_redis.Server(Path("/new"), (7, 0, 15)), "everysec", 1)
    embedded_redis.prepare(tmp_path, embedded_redis.Server(Path("/same"), (7, 0, 2)), "everysec", 1)

    with pytest.raises(CliError, match=r"written by Redis 7\.0"):
        embedded_redis.prepare(tmp_path, embedded_redis.Server(Path("/old"), (6, 2, 14)), "everysec", 1)


def test_credentials_are_for_their_owner_only(tmp_path):
    folder.Credentials("http://x", "a", "k").write(tmp_path)

    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert folder.Credentials.read(tmp_path) == folder.Credentials("http://x", "a", "k")
    assert folder.Credentials.read(tmp_path / "none") is None


def test_one_farm_per_folder_and_a_dead_one_holds_nothing(tmp_path):
    lock = folder.Lock(tmp_path, {})

    assert lock.take()
    assert not folder.Lock(tmp_path, {}).take()
    assert folder.holder(tmp_path).process.pid == os.getpid()
    lock.free()
    assert folder.holder(tmp_path) is None
    (tmp_path / "farm.lock").write_text(json.dumps({"pid": os.getpid(), "start": 1, "state": "ready"}))
    assert folder.holder(tmp_path) is None


def test_status_says_by_how_much_nodes_overcommit_the_host():
    gib = 2**30
    host, some = {"cores": 2, "memory": 8 * gib}, {"cores": 6, "memory": 12 * gib}

    said = status.capacity({"host": host, "limit": None, "nodes": some})
    within = status.capacity({"host": host, "limit": None, "nodes": {"cores": 2, "memory": gib}})
    limited = status.capacity({"host": host, "limit": {"cores": 4, "memory": None}, "nodes": some})

    assert said == (
        "nodes take 6 cores and 12.0 GiB, the host has 2 cores and 8.0 GiB: "
        "overcommitted by 4 cores and 4.0 GiB (3.0 times the host)"
    )
    assert within.endswith("no overcommitment")
    assert limited == "nodes take 6 cores and 12.0 GiB of 4 cores and any memory"
