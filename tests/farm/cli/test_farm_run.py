"""`farm run` as a newcomer uses it: files in, files out, exit codes, nothing left on the farm."""

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from farm_support import wait_until

from orchestrator.cli.inputs import OUTSIDE


@pytest.fixture
def files(tmp_path):
    """Names that a shell would stumble over, in folders."""
    for name in ("a b.txt", "it's.txt", "sub/dir/$HOME.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n")
    return tmp_path


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def nothing_left(farm):
    """Pools and jobs of runs take a moment to go."""
    wait_until(lambda: not [one for one in json.loads(farm("job", "list", "--json")) if one["id"].startswith("run-")])
    wait_until(lambda: not [one for one in json.loads(farm("pool", "list", "--json")) if one["id"].startswith("run-")])
    assert [one for one in json.loads(farm("storage", "ls", "--json")) if one["name"].startswith("run-")] == []


def test_results_come_back_beside_their_inputs_and_inputs_stay_as_they_are(farm, files):
    before = tree(files)

    said = farm("run", "--nodes", "2", "tr a-z A-Z < {} > {.}.up && echo {#} {/}", *before)

    after = tree(files)
    assert {name: text for name, text in after.items() if name in before} == before
    made = {name: text for name, text in after.items() if name not in before}
    assert made == {name.removesuffix(".txt") + ".up": text.upper() for name, text in before.items()}
    assert sorted(said.splitlines()) == sorted(f"{n} {os.path.basename(name)}" for n, name in enumerate(before, 1))
    nothing_left(farm)


def test_lines_from_stdin_are_words_and_the_exit_code_counts_failures(farm, tmp_path):
    said = farm("run", "test {} -lt 3 || { echo no {} >&2; exit 4; }", stdin="1\n2\n3\n4\n", code=2)

    assert said == ""
    assert "task 3 [3] (exit code 4)" in farm.stderr
    assert "no 3\n" in farm.stderr and "no 4\n" in farm.stderr
    assert tree(tmp_path) == {}
    nothing_left(farm)


def test_more_failures_than_101_are_101(farm):
    farm("run", "--slots", "16", "false", stdin="".join(f"{number}\n" for number in range(103)), code=101)

    assert farm.stderr.count("(exit code 1)") == 103


def test_a_file_that_is_there_is_kept_unless_forced(farm, tmp_path):
    (tmp_path / "in").write_text("new\n")
    (tmp_path / "out").write_text("old\n")

    farm("run", "cp {} out", "in", code=1)
    assert (tmp_path / "out").read_text() == "old\n"
    assert "not overwritten without --force: out" in farm.stderr

    farm("run", "--force", "cp {} out", "in")
    assert (tmp_path / "out").read_text() == "new\n"


def test_a_changed_input_is_a_result(farm, tmp_path):
    (tmp_path / "in").write_text("before\n")

    farm("run", "--out", "results", "echo after > {}", "in")

    assert tree(tmp_path) == {"in": "before\n", "results/in": "after\n"}


def test_dot_files_come_back_and_what_programs_keep_at_home_does_not(farm, tmp_path):
    (tmp_path / ".thumbs").mkdir()
    (tmp_path / ".thumbs/.a.svg").write_text("picture\n")
    script = "cp {} {.}.png; cp {} .done; mkdir -p sub/.x/y; cp {} sub/.x/y/z; mkdir ~/.cache; cp {} ~/.cache/fonts"

    farm("run", script, ".thumbs/.a.svg")

    names = (".thumbs/.a.svg", ".thumbs/.a.png", ".done", "sub/.x/y/z")
    assert tree(tmp_path) == dict.fromkeys(names, "picture\n")


def test_a_folder_is_an_input_with_all_that_is_in_it(farm, tmp_path):
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/x").write_text("1\n")
    (tmp_path / "d/e/y").write_text("2\n")

    farm("run", "cat {}/x {}/e/y > sum", "d")

    assert (tmp_path / "sum").read_text() == "1\n2\n"


def test_files_from_elsewhere_are_worked_on_and_answered_beside_themselves(farm, tmp_path):
    with tempfile.TemporaryDirectory() as elsewhere:
        (Path(elsewhere) / "x.txt").write_text("far\n")

        farm("run", "cat {} > {.}.copy; dirname {}", f"{elsewhere}/x.txt")

        assert (Path(elsewhere) / "x.copy").read_text() == "far\n"
    assert not (tmp_path / OUTSIDE).exists()


def test_json_tells_everything_about_each_task(farm, tmp_path):
    (tmp_path / "a").write_text("1")

    first, second = json.loads(farm("run", "--json", "echo {} > {#}.txt; test {} = a", "a", "b", code=1))

    quiet = {"failure": None, "stdout": "", "stderr": "", "kept": []}
    assert first == {"task": 1, "input": "a", "exitCode": 0, "files": ["1.txt"]} | quiet
    assert (second["exitCode"], second["files"]) == (1, [])
    assert second["failure"]


def test_retries_are_given_to_tasks_that_fail(farm, tmp_path):
    marker = "$AZ_BATCH_NODE_SHARED_DIR/{/}"

    farm("run", "--retries", "2", f"echo x >> {marker}; test $(wc -l < {marker}) = 3", "word")


def test_ctrl_c_cancels_and_cleans_up(farm, tmp_path):
    template = "touch $AZ_BATCH_NODE_SHARED_DIR/{}; sleep 100"
    running = farm.start("run", template, "begun", cwd=tmp_path, stderr=subprocess.PIPE)
    wait_until(lambda: list(farm.folder.glob("nodes/*/root/shared/begun")))

    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)

    assert running.returncode == 130
    assert "Traceback" not in said
    nothing_left(farm)


def test_a_private_farm_serves_where_none_answers_and_is_gone_afterwards(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(fresh.folder))

    assert fresh("run", "echo {} > {}.txt; echo $AZ_BATCH_ACCOUNT_URL", "one", timeout=120).startswith(
        "http://127.0.0.1:"
    )

    assert (tmp_path / "one.txt").read_text() == "one\n"
    assert "starting one for this run" in fresh.stderr
    assert list(fresh.folder.iterdir()) == []
