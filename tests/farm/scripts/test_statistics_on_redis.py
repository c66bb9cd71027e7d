"""What tasks and pools used, added up by the real scripts while time stands still between two steps."""

import json

import pytest

from agent.contract import queues
from agent.contract.messages import pack
from orchestrator.domain.facts import NewTask
from orchestrator.domain.usage import Used
from tests.farm.scripts.standing_still import ACCOUNT, SECOND, START, StandingStill

HOUR = 3600 * SECOND
JOB = {
    "pool_id": "pool", "priority": 0, "max_parallel": -1, "uses_dependencies": False, "on_all_complete": "noaction",
    "on_task_failure": "noaction", "max_retry": 1, "wall_us": 0,
}  # fmt: skip
SCHEDULE = {"schedule": {}, "jobSpecification": {"poolInfo": {"poolId": "pool"}}}


class World(StandingStill):
    """A pool with nodes that say what a test lets them say."""

    def __init__(self, url):
        super().__init__(url)
        self.statistics = self.store.statistics
        self.pool = self.run(
            self.store.pools.add(
                "pool", {}, vm_size="small", slots=2, fill="spread", dedicated=2, low_priority=1, resize_timeout_us=1
            )
        )

    def nodes(self, dedicated=1, low=0):
        """Nodes that take tasks."""
        made = self.run(self.store.nodes.create(self.pool.number, dedicated, low))
        for node in made:
            self.run(self.store.nodes.boot(node.number, "127.0.0.9", None))
            self.report(node.number, ["up", {"version": "t"}], ["ready"])
        return [node.number for node in made]

    def report(self, node, *items):
        boot = self.run(self.store.nodes.by_number(node)).boot
        events = queues.events(ACCOUNT, node, boot)
        self.run(self.store.redis.rpush(events, pack({"v": 1, "items": list(items)})))
        self.run(self.store.scripts.call("apply_reports", node=node, boot=boot, limit=100))

    def job(self, *tasks, id="job"):
        job = self.run(self.store.jobs.add(id, {}, **JOB))
        self.run(self.store.tasks.add(id, [NewTask(name, json.dumps({"id": name})) for name in tasks]))
        return job.number

    def used(self, task="", job="job"):
        if task:
            return self.run(self.store.tasks.get(job, task)).used
        return self.run(self.store.jobs.get(job)).used

    def usage(self, begin=0, end=0):
        return self.run(self.statistics.usage(begin, end or self.now, 0, 100))[0]

    def charge(self, period=0, **sample):
        self.run(self.statistics.charge(self.pool.number, period, sample))


@pytest.fixture
def world(redis_url):
    made = World(redis_url)
    yield made
    made.close()


def end(job, task, attempt=1, exit=0, stats=None):
    return ["end", job, task, attempt, 0, exit, None, stats]


def test_every_attempt_counts_in_its_task_and_in_its_job_whatever_becomes_of_it(world):
    (node,) = world.nodes()
    world.now += 3 * SECOND
    job = world.job("retried", "killed", "silent")
    world.now += 2 * SECOND
    world.report(node, end(job, 1, exit=1, stats=[500, 40, 5, 1, 2, 512, 1024, 600]))
    world.report(node, end(job, 1, attempt=2, stats=[700, 60, 7, 0, 0, 0, 0, 650]))

    assert world.used("retried") == (600 + 700, 100, 12, 1, 2, 512, 1024), "what it had its slots for, or ran"
    world.run(world.store.tasks.terminate("job", "killed"))
    world.report(node, end(job, 2, exit=137, stats=[900, 90, 9, 0, 0, 0, 0, 900]))
    assert world.used("killed") == (900, 90, 9), "ended before its node said what it had used"
    world.report(node, end(job, 3, exit=None, stats=None))
    assert world.used("silent") == ()
    waited = 2 * SECOND + 2 * SECOND  # of the second attempt, and of the one that found no slot
    assert world.used() == Used(2200, 190, 21, 1, 2, 512, 1024, waited, 1, 1, 2)


def test_hostile_figures_are_left_out(world):
    (node,) = world.nodes()
    job = world.job("a", "b")
    world.report(node, end(job, 1, stats=[-1, 0, 0, 0, 0, 0, 0, 1]), end(job, 2, stats=[2**60, "x", 0, 0, 0, 0, 0, 1]))
    assert world.used() == Used(succeeded=2)


def test_sums_outlive_tasks_jobs_and_schedules_know_those_of_jobs_that_are_gone(world):
    (node,) = world.nodes()
    schedule = world.run(world.store.schedules.add("daily", SCHEDULE)).number
    stats = [10, 20, 30, 4, 5, 6, 7, 10]
    job = world.job("good", "bad")
    world.run(world.store.redis.hset(world.store.keys("job", job=job), "schedule", schedule))
    world.run(world.store.redis.zadd(world.store.keys("schedule_jobs", schedule=schedule), {job: job}))
    world.run(world.store.redis.hset(world.store.keys("schedule", schedule=schedule), "job", job))
    world.report(node, end(job, 1, stats=stats), end(job, 2, exit=1, stats=stats))
    world.report(node, end(job, 2, attempt=2, exit=1, stats=stats))
    wanted = Used(30, 60, 90, 12, 15, 18, 21, 0, 1, 1, 1)
    assert world.used() == wanted

    for task in ("good", "bad"):
        world.run(world.store.tasks.delete("job", task))
    assert world.used() == wanted == world.run(world.statistics.schedule(schedule))
    world.run(world.store.jobs.delete("job"))
    world.run(world.store.jobs.step(job))
    while not world.run(world.store.jobs.purge_chunk(job)):
        pass
    other = world.job("more", id="other")
    world.report(node, end(other, 1, stats=stats))
    assert world.run(world.statistics.schedule(schedule)) == wanted
    assert world.run(world.statistics.lifetime_jobs()) == wanted + Used(10, 20, 30, 4, 5, 6, 7, 0, 0, 1, 0)


def test_node_time_is_told_by_interval_as_reckoned_by_hand(world):
    world.now += HOUR // 4
    _, second = world.nodes(2)
    world.now += HOUR // 2  # a quarter of an hour in each of two intervals
    world.nodes(0, low=1)
    world.run(world.store.nodes.forget(second))
    world.now += HOUR // 2
    world.charge()

    (one, two) = world.usage()
    assert [(u.pool_id, u.vm_size, u.start, u.end) for u in (one, two)] == [
        ("pool", "small", START, START + HOUR // 2), ("pool", "small", START + HOUR // 2, START + HOUR),
    ]  # fmt: skip
    assert one.node_us == 2 * HOUR // 4
    assert two.node_us == 2 * HOUR // 4 + 2 * HOUR // 4, "one went in the middle, and a low-priority one came"
    used = world.run(world.statistics.pools({world.pool.number: "small"}))[world.pool.number]
    assert used.dedicated == {"small": HOUR + HOUR // 2} and used.at == world.now
    assert world.usage(START + HOUR // 2) == [two] and world.usage(0, START + HOUR // 2) == [one]
    assert world.run(world.statistics.last_interval()) == two.start


def test_a_node_that_is_deallocated_costs_nothing_and_one_that_was_not_looked_at_for_days_costs_all(world):
    (node,) = world.nodes()
    listed = world.run(world.store.nodes.by_number(node))
    world.now += HOUR
    world.run(world.store.nodes.drain("pool", listed.id, "deallocating", "requeue"))
    world.run(world.store.nodes.stopped(node, 1))
    world.now += 5 * HOUR
    world.run(world.store.nodes.start("pool", listed.id))
    world.now += 300 * HOUR
    world.charge()

    used = world.run(world.statistics.pools({world.pool.number: "small"}))[world.pool.number]
    assert used.dedicated == {"small": 301 * HOUR}
    found, after = [], 0
    while after is not None:
        page, after = world.run(world.statistics.usage(0, world.now, after, 100))
        assert len(page) <= 100
        found += page
    assert len(found) == 602 and sum(u.node_us for u in found) == 301 * HOUR


def test_measurements_are_added_up_once_per_period_and_outlive_the_pool(world):
    (node,) = world.nodes()
    world.charge(7, nodes=2, cpu=60.0, memory=3.0, memory_peak=2.0, disk=1.0, disk_peak=0.5, received=2**30, sent=10)
    world.charge(7, nodes=2, cpu=99.0, memory_peak=9.0)  # another engine was faster
    world.charge(8, nodes=1, cpu=30.0, memory=6.0, memory_peak=1.0)
    used = world.run(world.statistics.pools({world.pool.number: "small"}))[world.pool.number]
    assert (used.mean("cpu"), used.mean("memory"), used.figures["memory_peak"]) == (30.0, 3.0, 2.0)

    world.now += HOUR
    world.run(world.store.pools.delete("pool"))
    world.run(world.store.nodes.forget(node))
    assert world.run(world.store.pools.gone(world.pool.number))
    lifetime = world.run(world.statistics.lifetime_pools())
    assert lifetime.dedicated == {"small": HOUR}
    assert lifetime.figures["memory_peak"] == 2.0 and lifetime.mean("cpu") == 30.0
    assert [(u.pool_id, u.received, u.sent) for u in world.usage()] == [("pool", 2**30, 10), ("pool", 0, 0)]


def test_usage_is_forgotten_after_half_a_year(world):
    (node,) = world.nodes()
    world.now += HOUR
    world.run(world.store.nodes.forget(node))
    world.now += 181 * 24 * HOUR
    world.nodes()
    world.now += 1
    world.charge()
    assert [u.start for u in world.run(world.statistics.usage(0, world.now + HOUR, 0, 10))[0]] == []
    assert world.run(world.store.redis.zcard(world.store.keys("usage_intervals"))) == 1
