"""Ids and numbers belong together one to one; no key is without an owner, of a wrong type or about to expire."""

from collections.abc import Iterator

from orchestrator.store.invariants import blobs
from orchestrator.store.invariants.reading import Account, Name
from orchestrator.store.keys import TABLE


def problems(state: Account) -> Iterator[str]:
    yield from _keys(state)
    yield from _index(state, "pool")
    yield from _index(state, "job")
    yield from _index(state, "schedule")
    yield from _schedules(state)
    yield from _queues(state)
    yield from _nodes(state)
    if {p["interval"] for p, _ in state.all("usage")} != set(state.get("usage_intervals")):
        yield f"usage of other intervals than {sorted(state.get('usage_intervals'))} is kept"
    for job in state.numbers("jobs"):
        yield from _tasks(state, job)


def _keys(state: Account) -> Iterator[str]:
    living = {
        "pool": set(state.get("pools")),
        "job": set(state.get("jobs")),
        "node": {number for pool in state.numbers("pools") for number in state.get("pool_nodes", pool=pool)},
        "schedule": set(state.get("schedules")),
        "queue": set(state.get("queue_ids").values()),
        "container": blobs.known(state),
        "certificate": set(state.get("certificates")),
    }
    for key, name in state.names.items():
        if name is None:
            yield f"{key} is a key that no table knows"
            continue
        if state.types[key] != TABLE[name.kind].kind:
            yield f"{key} is a {state.types[key]}, not a {TABLE[name.kind].kind}"
        if state.ttls[key] != -1:
            yield f"{key} expires in {state.ttls[key]} s, though its lifetime is: {TABLE[name.kind].lifetime}"
        for owner, numbers in living.items():
            if owner in name.parameters and name.parameters[owner] not in numbers:
                yield f"{key} has no owner: there is no {owner} {name.parameters[owner]}"
        yield from _boot(state, key, name)


def _boot(state: Account, key: str, name: Name) -> Iterator[str]:
    if "boot" in name.parameters:
        boot = state.get("node", node=name.parameters["node"]).get("boot")
        if name.parameters["boot"] != boot:
            yield f"{key} is of a boot that is over; the node is at boot {boot}"


def _index(state: Account, kind: str) -> Iterator[str]:
    """id -> number, the list of numbers, and the id inside each record say the same."""
    ids = {name: int(number) for name, number in state.get(f"{kind}_ids").items()}
    last = int(state.get("seq").get(kind, 0))
    if sorted(ids.values()) != state.numbers(f"{kind}s"):
        yield f"{kind}_ids has numbers {sorted(ids.values())}, the list of {kind}s {state.numbers(f'{kind}s')}"
    for member, score in state.get(f"{kind}s").items():
        if score != int(member):
            yield f"{kind} {member} is listed under {score}"
        if int(member) > last:
            yield f"{kind} {member} has a number beyond the last one given, {last}"
        record = state.get(kind, **{kind: member})
        if ids.get(record.get("id", "").lower()) != int(member):
            yield f"{kind} {member} calls itself {record.get('id')!r}, but that id is not its own"


def _queues(state: Account) -> Iterator[str]:
    ids = state.get("queue_ids")
    if len(set(ids.values())) != len(ids):
        yield f"two pool ids share a queue: {ids}"
    for pool_id, queue in ids.items():
        record = state.get("queue", queue=queue)
        if record.get("id", "").lower() != pool_id:
            yield f"queue {queue} of pool id {pool_id!r} calls itself {record.get('id')!r}"
        pool = state.get("pool_ids").get(pool_id)
        if record.get("pool") != pool:
            yield f"queue {queue} serves pool {record.get('pool')}, but {pool_id!r} is pool {pool}"
        if pool and state.get("pool", pool=pool).get("queue") != queue:
            yield f"pool {pool} does not name its queue {queue}"
        jobs = sum(1 for n in state.numbers("jobs") if state.get("job", job=n).get("queue") == queue)
        if int(record.get("jobs", jobs)) != jobs:
            yield f"queue {queue} counts {record['jobs']} jobs, but {jobs} stand in it"
        if record.get("jobs") == "0" and pool is None:
            yield f"queue {queue} of pool id {pool_id!r} serves nobody"
    for job in state.numbers("jobs"):
        record = state.get("job", job=job)
        if ids.get(record["pool_id"].lower()) != record["queue"]:
            yield f"job {job} wants pool {record['pool_id']}, but stands in queue {record['queue']}"


def _schedules(state: Account) -> Iterator[str]:
    """A schedule lists the jobs that name it, and waits for one of them that is not over, or for none."""
    shared = set(state.get("job_ids")) & set(state.get("schedule_ids"))
    if shared:
        yield f"a job and a schedule share the id {sorted(shared)}"
    for schedule in state.numbers("schedules"):
        record = state.get("schedule", schedule=schedule)
        listed = {int(job) for job in state.get("schedule_jobs", schedule=schedule)}
        naming = {n for n in state.numbers("jobs") if state.get("job", job=n).get("schedule") == str(schedule)}
        if listed != naming:
            yield f"schedule {schedule} lists the jobs {sorted(listed)}, but {sorted(naming)} name it"
        active = {n for n in naming if state.get("job", job=n)["state"] != "completed"}
        if record["state"] != "deleting" and active != {int(record["job"])} - {0}:
            yield f"schedule {schedule} waits for job {record['job']}, but {sorted(active)} are not over"


def _nodes(state: Account) -> Iterator[str]:
    names = state.get("node_names")
    gone = [one.split(b":")[0].decode() for one in state.get("gone_nodes")]
    for number in gone:
        if number not in names:
            yield f"node {number} is gone and to be remembered, but has no name"
    for pool in state.numbers("pools"):
        ids = state.get("pool_node_ids", pool=pool)
        numbers = state.get("pool_nodes", pool=pool)
        if sorted(ids.values()) != sorted(numbers):
            yield f"pool {pool} has nodes {sorted(numbers)} by number and {sorted(ids.values())} by id"
        for number in numbers:
            record = state.get("node", node=number)
            if ids.get(record.get("id", "").lower()) != number:
                yield f"node {number} calls itself {record.get('id')!r}, but that id is not its own"
            if record.get("pool") != str(pool):
                yield f"node {number} is listed in pool {pool} but says {record.get('pool')}"
            if number in gone:
                yield f"node {number} is listed as gone"
            if not names.get(number, "").startswith(f"{record.get('id')}|"):
                yield f"node {number} is remembered as {names.get(number)!r}"


def _tasks(state: Account, job: int) -> Iterator[str]:
    tasks = state.tasks[job]
    ids = {name: int(number) for name, number in state.get("task_ids", job=job).items()}
    specs = {int(number) for number in state.get("task_specs", job=job)}
    last = int(state.get("job", job=job).get("next", 0))
    if specs != set(tasks):
        yield f"job {job} has states of tasks {sorted(tasks)} but specs of {sorted(specs)}"
    if sorted(ids.values()) != sorted(tasks):
        yield f"job {job} has tasks {sorted(tasks)} but ids of {sorted(ids.values())}"
    for number, task in tasks.items():
        if number > last:
            yield f"task {job}.{number} has a number beyond the last one given, {last}"
        if ids.get(task.id.lower()) != number:
            yield f"task {job}.{number} calls itself {task.id!r}, but that id is not its own"
    for kind in ("task_failures", "task_stories", "task_containers", "task_affinity"):
        strays = {int(number) for number in state.get(kind, job=job)} - set(tasks)
        if strays:
            yield f"job {job} keeps {kind} of tasks that are gone: {sorted(strays)}"
