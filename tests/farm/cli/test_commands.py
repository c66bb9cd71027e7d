"""Every noun of the farm command against a running farm."""

import json
import threading
import urllib.request
import zipfile

import pytest
from farm_support import wait_until
from redis import Redis

from orchestrator.cli import embedded_redis


@pytest.fixture(scope="session")
def pool(_running):
    """One pool for all tests that need nodes."""
    _running("pool", "create", "commands", "--nodes", "1", "--slots", "4", "--wait")
    return "commands"


def ids(text):
    return [one["id"] for one in json.loads(text)]


def test_a_pool_is_made_shown_resized_and_deleted(farm):
    farm("pool", "create", "made", "--nodes", "1", "--slots", "2", "--wait")
    farm("pool", "create", "made", code=5)
    assert "PoolExists" in farm.stderr

    farm("pool", "resize", "made", "--nodes", "2", "--wait")

    assert len(json.loads(farm("node", "list", "made", "--json"))) == 2
    line = next(line for line in farm("pool", "list").splitlines() if line.startswith("made "))
    assert line.split()[:5] == ["made", "steady", "2", "2", "2"]
    farm("pool", "delete", "made", "--yes")
    wait_until(lambda: "made" not in ids(farm("pool", "list", "--json")))
    farm("pool", "show", "made", code=4)


def test_a_node_that_is_rebooted_comes_back_under_its_id(farm, pool):
    (node,) = json.loads(farm("node", "list", pool, "--json"))

    farm("node", "reboot", pool, node["id"])

    def booted_again():
        now = json.loads(farm("node", "show", pool, node["id"], "--json"))
        return now["state"] == "idle" and now["lastBootTime"] != node["lastBootTime"]

    wait_until(booted_again)


def test_a_file_whose_only_task_is_refused_leaves_no_job_behind_and_can_be_submitted_corrected(farm, pool, tmp_path):
    wrong = {"id": "wrong", "poolInfo": {"poolId": pool}, "tasks": [{"id": "nothing"}]}
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))

    farm("job", "submit", "wrong.json", code=5)

    wait_until(lambda: "wrong" not in ids(farm("job", "list", "--json")))
    wrong["tasks"][0]["commandLine"] = "true"
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    farm("job", "submit", "wrong.json", "--wait")
    farm("job", "delete", "wrong", "--yes")


def test_a_job_from_a_file_with_more_than_one_collection_of_tasks(farm, pool, tmp_path):
    tasks = "\n".join(f"- {{id: t{number:03}, commandLine: 'true'}}" for number in range(130))
    (tmp_path / "job.yaml").write_text(f"id: filed\npoolInfo: {{poolId: {pool}}}\npriority: 3\ntasks:\n{tasks}\n")

    farm("job", "submit", "job.yaml", "--wait")

    shown = json.loads(farm("job", "show", "filed", "--json"))
    assert (shown["priority"], shown["taskCounts"]["succeeded"]) == (3, 130)
    assert ids(farm("task", "list", "filed", "--json"))[::43] == ["t000", "t043", "t086", "t129"]
    farm("job", "delete", "filed", "--yes")


def test_a_failed_task_is_listed_told_about_and_run_again(farm, pool):
    marker = "$AZ_BATCH_NODE_SHARED_DIR/second-time"
    farm("job", "submit", "--id", "flaky", "--pool", pool, "-c", f"test -e {marker}", "-c", "true", "--wait", code=1)

    assert ids(farm("task", "list", "flaky", "--failed", "--json")) == ["task-1"]
    assert "exit" in farm("task", "show", "flaky", "task-1").partition("attempts:")[2]
    assert "exit code 1" in farm("task", "why", "flaky", "task-1")
    farm("job", "submit", "--id", "mark", "--pool", pool, "-c", f"touch {marker}", "--wait")
    farm("task", "retry", "flaky", "--failed")
    farm("job", "wait", "flaky")
    attempts = json.loads(farm("task", "show", "flaky", "task-1", "--json"))["attempts"]
    assert [(one["attempt"], one["exitCode"]) for one in attempts] == [(1, 1), (2, 0)]
    farm("task", "retry", "flaky", "task-1", code=5)


def test_why_names_what_a_waiting_task_waits_for(farm):
    farm("job", "submit", "--id", "poolless", "--pool", "nowhere", "-c", "true")

    assert "nowhere" in farm("task", "why", "poolless", "task-1")
    farm("job", "wait", "poolless", "--timeout", "0.2s", code=6)
    farm("job", "delete", "poolless", "--yes")


def test_logs_follow_a_task_that_still_writes_and_end_with_it(farm, pool):
    loop = "for i in 1 2 3; do echo line $i; until [ -e go$i ]; do sleep 0.05; done; done"
    command = f"cd $AZ_BATCH_NODE_SHARED_DIR; {loop}; exit 7"
    farm("job", "submit", "--id", "talks", "--pool", pool, "-c", command)
    shared = next(farm.folder.glob("nodes/*/root/shared"))

    with farm.start("task", "logs", "talks", "task-1", "-f", stdout=-1, stderr=-1) as following:
        for number in (1, 2, 3):
            assert following.stdout.readline() == f"line {number}\n"
            (shared / f"go{number}").touch()
        assert following.wait(30) == 1
        assert "FailureExitCode" in following.stderr.read()

    assert farm("task", "logs", "talks", "task-1") == "line 1\nline 2\nline 3\n"
    farm("task", "logs", "talks", "task-1", "--file", "wd/none", code=4)


def test_the_logs_of_nodes_tell_of_jobs_tasks_and_attempts_by_their_ids(farm, pool):
    missing = {"httpUrl": "http://127.0.0.1:9/none", "filePath": "none"}
    (farm.cwd / "job.json").write_text(
        json.dumps({"tasks": [{"id": "typo", "commandLine": "no-such-program"},
                              {"id": "file", "commandLine": "true", "resourceFiles": [missing]}]})
    )  # fmt: skip
    farm("job", "submit", "job.json", "--id", "logged", "--pool", pool)
    wait_until(lambda: farm("logs", "node", "--job", "logged", "--task", "typo", "--json"))

    (record,) = map(json.loads, farm("logs", "node", "--job", "logged", "--task", "typo", "--json").splitlines())

    told = {name: record[name] for name in ("job", "task", "attempt", "code")}
    assert told == {"job": "logged", "task": "typo", "attempt": 1, "code": "CommandProgramNotFound"}
    farm("job", "delete", "logged", "--yes")


def test_prune_deletes_what_ended_long_ago_only(farm, pool):
    farm("job", "submit", "--id", "old", "--pool", pool, "-c", "true", "--wait")

    assert farm("job", "prune", "--older-than", "1h", "--all-done") == ""
    assert "old\n" in farm("job", "prune", "--older-than", "0s", "--all-done", "--dry-run")
    assert "old" in json.loads(farm("job", "prune", "--older-than", "0s", "--all-done", "--json"))
    wait_until(lambda: "old" not in ids(farm("job", "list", "--json")))


def test_packages_come_and_go_and_tasks_find_the_default_version(farm, pool, tmp_path):
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool/run.sh").write_text("echo version $(cat $(dirname $0)/version)")
    for version in ("1.0", "2.0"):
        (tmp_path / "tool/version").write_text(version)
        farm("package", "add", "tool", version, "tool")
    farm("package", "default", "tool", "2.0")
    task = {"commandLine": "/bin/sh -c 'sh $AZ_BATCH_APP_PACKAGE_tool/run.sh'"}
    task["applicationPackageReferences"] = [{"applicationId": "tool"}]
    (tmp_path / "j.json").write_text(json.dumps({"id": "packed", "poolInfo": {"poolId": pool}, "tasks": [task]}))

    farm("job", "submit", "j.json", "--wait")

    assert farm("task", "logs", "packed", "task-1") == "version 2.0\n"
    listed = next(one for one in json.loads(farm("package", "list", "--json")) if one["id"] == "tool")
    assert listed["defaultVersion"] == "2.0"
    assert [version["version"] for version in listed["versions"]] == ["1.0", "2.0"]
    farm("package", "delete", "tool", "2.0", "--yes", code=5)
    farm("package", "delete", "tool", "--all", "--yes")
    assert "tool" not in ids(farm("package", "list", "--json"))


def test_a_package_that_would_leave_its_folder_is_refused_with_the_reason(farm, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../evil", "x")

    farm("package", "add", "evil", "1", "evil.zip", code=5)

    assert "evil" in farm.stderr
    farm("package", "delete", "evil", "--all", "--yes")


def test_files_go_into_a_container_and_come_out_the_same(farm, tmp_path):
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/f +ü.txt").write_text("text")
    (tmp_path / "big").write_bytes(b"0123456789abcdef" * 600_000)
    farm("storage", "mb", "box")

    farm("storage", "put", "box", "d", "big", "--prefix", "p/")

    names = [one["name"] for one in json.loads(farm("storage", "ls", "box", "--json"))]
    assert names == ["p/big", "p/d/e/f +ü.txt"]
    farm("storage", "get", "box", "--to", "back")
    assert (tmp_path / "back/p/big").read_bytes() == (tmp_path / "big").read_bytes()
    assert (tmp_path / "back/p/d/e/f +ü.txt").read_text() == "text"
    farm("storage", "get", "box", "p/big", "--to", "back", code=1)
    assert "--force" in farm.stderr
    farm("storage", "rm", "box", "p/big")
    farm("storage", "get", "box", "p/big", code=4)
    farm("storage", "rm", "box", "--all", "--yes")
    farm("storage", "ls", "box", code=4)


def test_a_container_url_works_without_a_key_for_what_it_allows(farm, tmp_path):
    (tmp_path / "x").write_text("by url")
    farm("storage", "mb", "linked")
    farm("storage", "put", "linked", "x")

    base, _, query = farm("storage", "url", "linked", "--perm", "r", "--expires", "5m").strip().partition("?")

    with urllib.request.urlopen(f"{base}/x?{query}") as answer:
        assert answer.read() == b"by url"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{base}?restype=container&comp=list&{query}")


def test_a_regenerated_key_replaces_the_old_one_at_once(farm):
    before = json.loads(farm("key", "show", "--json"))

    new = json.loads(farm("key", "regenerate", "secondary", "--json"))["secondary"]

    after = json.loads(farm("key", "show", "--json"))
    assert after == before | {"secondary": new}
    assert new != before["secondary"]


def test_status_shows_pools_and_jobs_in_numbers(farm, pool):
    found = json.loads(farm("status", "--json"))

    assert {"id": pool, "state": "steady", "nodes": {"idle": 1}} in found["pools"]
    assert found["endpoint"] in farm("status")


def test_a_quota_is_set_and_given_back(farm):
    farm("quota", "set", "inter-node", "50")
    shown = {quota["name"]: quota for quota in json.loads(farm("quota", "show", "--json"))}
    assert (shown["inter_node"]["limit"], shown["inter_node"]["default"]) == (50, 100)
    assert shown["pools"]["used"] >= 0

    farm("quota", "reset", "inter-node")

    line = next(line for line in farm("quota", "show").splitlines() if line.startswith("inter_node"))
    assert line.split() == ["inter_node", "100", "100"]
    farm("quota", "set", "dogs", "3", code=2)


def test_the_logs_tell_of_a_request_and_keep_no_signature(farm):
    farm("storage", "mb", "logged")
    farm("storage", "ls", "logged")

    records = [json.loads(line) for line in farm("logs", "api", "-n", "50", "--json").splitlines()]

    listing = [one for one in records if one.get("path", "").endswith("/logged") and one["event"] == "request"][-1]
    assert "sig=REDACTED" in listing["query"]
    only = farm("logs", "api", "--request", listing["request_id"], "--json")
    assert [json.loads(line)["request_id"] for line in only.splitlines()] == [listing["request_id"]]
    key = json.loads(farm("key", "show", "--json"))["primary"]
    assert not any(key in path.read_text() for path in (farm.folder / "logs").glob("*.log"))


def test_doctor_finds_nothing_wrong_with_a_farm_that_runs(farm):
    found = {one["name"]: one for one in json.loads(farm("doctor", "--json"))}

    mine = ("python", "redis", "folder", "disk", "storage", "farm", "clock", "state")
    assert {name: found[name]["verdict"] for name in mine} == dict.fromkeys(mine, "ok")
    assert found["docker"]["verdict"] in ("ok", "note")


def test_doctor_tells_in_words_what_does_not_agree_in_the_farm_s_state(farm, pool):
    farm("job", "submit", "--pool", pool, "--id", "counted", "-c", "true")
    farm("job", "wait", "counted", "--timeout", "60s")

    with Redis.from_url(embedded_redis.running(farm.folder / "redis")) as redis:
        number = redis.hget("nf:farm:job_ids", "counted").decode()
        redis.hincrby(f"nf:farm:job:{number}:counts", "succeeded", 2)
        try:
            state = next(one for one in json.loads(farm("doctor", "--json", code=1)) if one["name"] == "state")
            shown = farm("doctor", code=1)
        finally:
            redis.hincrby(f"nf:farm:job:{number}:counts", "succeeded", -2)

    sentence = f"job {number} counts 3 succeeded, but it has 1"
    assert (state["verdict"], state["details"]) == ("bad", [sentence])
    assert sentence in shown


def test_two_commands_at_once_do_not_get_into_each_other_s_way(farm, pool):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(farm("run", "echo {}", "same", timeout=100))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == ["same\n"] * 2
