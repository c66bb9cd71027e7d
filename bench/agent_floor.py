"""What one agent costs per task: a real Redis, a real agent, and a toy in place of the farm's engine.

The toy keeps SLOTS tasks of `/bin/true` in flight, and AHEAD more waiting at the agent, by pushing run messages and
reading reports.
Prints CPU-µs per task of agent, spawner and their children; the last line is one JSON object.

    python bench/agent_floor.py [--tasks 5000] [--slots 4] [--uid-base 0] [--runs 3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
import redis

from agent.contract import messages, queues
from agent.contract.boot import Boot

AHEAD = 32


def boot_of(root: str, url: str, slots: int, uid_base: int) -> Boot:
    return Boot(
        account="bench", pool_id="p", pool=1, node_id="tvm-1_1-x", node=1, boot=1, redis_url=url,
        api_url="http://127.0.0.1:9", token="t", root=root, ip="127.0.0.1", slots=slots, uid_base=uid_base,
    )  # fmt: skip


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def drive(client: redis.Redis, boot: Boot, count: int, job_number: int) -> float:
    """Push and read until `count` tasks have ended; answers seconds."""
    inbox, events = (queue("bench", 1, 1) for queue in (queues.inbox, queues.events))
    job = [[job_number, f"job{job_number}", "{}"]]
    todo = [(number, 1) for number in range(count, 0, -1)]  # task and attempt
    done, seq = 0, 1
    started = time.monotonic()
    room = boot.slots + AHEAD
    while done < count:
        given = [todo.pop() for _ in range(min(room, len(todo)))]
        if given:
            tasks = [
                [job_number, number, attempt, json.dumps({"id": f"t{number}", "commandLine": "/bin/true"}), 0, 1, 1]
                for number, attempt in given
            ]
            client.rpush(inbox, messages.pack({"v": 1, "kind": "run", "seq": seq, "jobs": job, "tasks": tasks}))
            seq, room = seq + 1, room - len(given)
        _, data = client.blpop(events, 30)
        for item in messages.unpack(data)["items"]:
            if item[0] == "end":
                assert item[5] == 0, item
                done, room = done + 1, room + 1
            elif item[0] == "unstarted":  # they waited longer than short tasks do, say for the first spawner to start
                todo += [(number, attempt + 1) for _, number, attempt in item[1]]
                room += len(item[1])
    return time.monotonic() - started


def run(count: int, slots: int, uid_base: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        url = f"unix://{folder}/redis.sock"
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", f"{folder}/redis.sock", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        boot = boot_of(f"{folder}/root", url, slots, uid_base)
        boot.write(Path(folder, "boot"))
        client = redis.Redis.from_url(url)
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.01)
        listener = client.pubsub()
        listener.psubscribe(queues.pulses("bench"))
        with open(f"{folder}/agent.err", "w") as err:
            agent = subprocess.Popen([sys.executable, "-m", "agent", f"{folder}/boot"], stderr=err)
        try:
            drive(client, boot, 50, 1)  # warm
            client.delete(queues.events("bench", 1, 1))
            parent = psutil.Process(agent.pid)
            spawner = max(parent.children(recursive=True), key=lambda child: child.create_time() + child.pid / 1e9)
            before = cpu(parent), cpu(spawner), spawner.cpu_times()
            seconds = drive(client, boot, count, 2)
            after = cpu(parent), cpu(spawner), spawner.cpu_times()
            times = spawner.cpu_times()
            children = times.children_user + times.children_system - before[2].children_user - before[2].children_system
            return {
                "tasks_per_s": count / seconds,
                "agent_us": (after[0] - before[0]) / count * 1e6,
                "spawner_us": (after[1] - before[1]) / count * 1e6,
                "children_us": children / count * 1e6,
            }
        finally:
            agent.terminate()
            agent.wait(10)
            server.terminate()
            server.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--uid-base", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    results = [run(options.tasks, options.slots, options.uid_base) for _ in range(options.runs)]
    for result in results:
        print({name: round(value) for name, value in result.items()})
    print(json.dumps({name: round(statistics.median(r[name] for r in results), 1) for name in results[0]}))


if __name__ == "__main__":
    main()
