"""README's examples, run as they stand there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from farm_support import wait_until

README = (Path(__file__).parents[3] / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_sdk_example_runs_and_its_tasks_say_what_they_should(farm):
    (program,) = blocks("python")
    found = json.loads((farm.folder / "credentials.json").read_text())
    program = program.replace("http://127.0.0.1:8480", found["endpoint"]).replace("KEY)", f"{found['key']!r})")

    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    farm("job", "wait", "first")
    assert farm("task", "logs", "first", "7") == "7 squared is 49\n"
    farm("job", "delete", "first", "--yes")
    farm("pool", "delete", "mine", "--yes")
    wait_until(lambda: "mine" not in farm("pool", "list"))


def test_the_commands_of_the_first_five_minutes_do_what_they_say(farm, tmp_path):
    commands = [line.removeprefix("$ ") for text in blocks("") for line in text.splitlines() if line.startswith("$ ")]
    lines = [shlex.split(line.removeprefix(".venv/bin/"), comments=True) for line in commands]
    (tmp_path / "a.log").write_text("a\n" * 1000)

    for words in lines:
        assert words[0] == "farm"
        if words[1] == "up":
            continue
        words = [part for word in words for part in (["a.log"] if word == "*.log" else [word])]
        job = json.loads(farm("job", "list", "--json"))
        names = {"JOB": job[-1]["id"] if job else "", "TASK": "task-1"}
        farm(*(names.get(word, word) for word in words[1:]))

    assert (tmp_path / "a.log.gz").exists() and (tmp_path / "a.log").exists()
    farm("pool", "delete", "mine", "--yes")
    wait_until(lambda: "mine" not in farm("pool", "list"))
