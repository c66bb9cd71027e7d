"""Job schedules and auto pools in the real store: every job once, whoever looks when; nothing is left at the end."""

import asyncio

import pytest

from orchestrator.domain.errors import Refused
from orchestrator.engine.schedules import Schedules
from orchestrator.store import Limits
from tests.farm.scripts.standing_still import SECOND, START, StandingStill

JOB = {
    "priority": 0, "maxParallelTasks": -1, "usesTaskDependencies": False, "onAllTasksComplete": "noaction",
    "onTaskFailure": "noaction", "poolInfo": {"poolId": "pool"},
}  # fmt: skip
POOL = {
    "vmSize": "small", "taskSlotsPerNode": 1, "taskSchedulingPolicy": {"nodeFillType": "spread"},
    "targetDedicatedNodes": 1, "resizeTimeout": "PT15M",
}  # fmt: skip


def auto(lifetime, keep=False, prefix="auto"):
    specification = {"poolLifetimeOption": lifetime, "keepAlive": keep, "autoPoolIdPrefix": prefix, "pool": POOL}
    return JOB | {"poolInfo": {"autoPoolSpecification": specification}}


class Clockwork(StandingStill):
    """The engine's duty; after each look all must be sound."""

    def __init__(self, url, limits=None):
        super().__init__(url, limits)
        self.duty = Schedules(self.store)

    def add(self, id, schedule=None, specification=None):
        body = {"schedule": schedule or {}, "jobSpecification": specification or JOB}
        return self.run(self.store.schedules.add(id, body))

    def get(self, id):
        return self.run(self.store.schedules.get(id))

    def fire(self):
        """What the engine's timers would: every schedule and job that is due now; what that did, in order."""
        done = []
        for _ in range(20):
            due = self.run(self.store.redis.zrangebyscore(self.store.keys("due"), "-inf", self.now))
            if not due:
                break
            for member in due:
                kind, number = member.decode().split(":")
                self.run(self.store.redis.zrem(self.store.keys("due"), member))
                if kind == "schedule":
                    done.append(self.run(self.duty.look(int(number))))
                if kind == "job":
                    self.wind_down(int(number))
        self.sound()
        return [what for what in done if what not in ("waits", "gone")]

    def wind_down(self, number):
        _, state, _ = self.run(self.store.jobs.step(number))
        while state == "deleting" and not self.run(self.store.jobs.purge_chunk(number)):
            pass

    def jobs(self, schedule):
        return [job.id for job in self.run(self.store.jobs.of_schedule(schedule.number))[0]]

    def end_job(self, id):
        self.run(self.store.jobs.terminate(id))
        return self.fire()

    def pools(self):
        return {pool.id: pool.state for pool in self.run(self.store.pools.page())[0]}

    def code(self, work):
        try:
            self.run(work)
        except Refused as refusal:
            return refusal.code
        return ""


@pytest.fixture
def clockwork(redis_url):
    made = Clockwork(redis_url)
    yield made
    made.close()


def test_jobs_are_numbered_start_when_due_and_never_overlap(clockwork):
    schedule = clockwork.add("daily", {"recurrenceInterval": "PT60S"})
    assert clockwork.fire() == ["job"]
    clockwork.now += 130 * SECOND
    assert clockwork.fire() == []  # the first is not over
    assert clockwork.end_job("daily:job-1") == ["job"]
    assert clockwork.jobs(schedule) == ["daily:job-1", "daily:job-2"]
    seen = clockwork.get("DAILY")
    assert (seen.recent, seen.runs, seen.last) == ("daily:job-2", 2, START + 120 * SECOND)


def test_two_engines_that_look_at_once_make_one_job(clockwork):
    schedule = clockwork.add("daily", {"recurrenceInterval": "PT60S"})
    looks = [clockwork.duty.look(schedule.number) for _ in range(3)]
    done = clockwork.run(asyncio.wait_for(_together(looks), 10))
    assert sorted(done) == ["job", "waits", "waits"]
    assert clockwork.jobs(schedule) == ["daily:job-1"]


async def _together(work):
    return await asyncio.gather(*work)


def test_a_schedule_without_recurrence_completes_when_its_job_does(clockwork):
    clockwork.add("once")
    assert clockwork.fire() == ["job"]
    assert clockwork.end_job("once:job-1") == ["completed"]
    assert clockwork.get("once").state == "completed" and clockwork.get("once").ended
    assert clockwork.code(clockwork.store.schedules.terminate("once")) == "JobScheduleCompleted"
    assert clockwork.code(clockwork.store.schedules.disable("once")) == "JobScheduleCompleted"


def test_a_disabled_schedule_lets_due_times_pass_and_its_job_goes_on(clockwork):
    schedule = clockwork.add("daily", {"recurrenceInterval": "PT60S"})
    clockwork.fire()
    clockwork.run(clockwork.store.schedules.disable("daily"))
    clockwork.end_job("daily:job-1")
    clockwork.now += 90 * SECOND
    assert clockwork.fire() == [] or clockwork.jobs(schedule) == ["daily:job-1"]
    clockwork.run(clockwork.store.schedules.enable("daily"))
    assert clockwork.fire() == []
    clockwork.now += 30 * SECOND
    assert clockwork.fire() == ["job"]
    assert clockwork.code(clockwork.store.schedules.enable("daily")) == "OperationInvalidForCurrentState"


def test_terminating_ends_the_active_job_with_its_reason_then_the_schedule(clockwork):
    clockwork.add("daily", {"recurrenceInterval": "PT60S"})
    clockwork.fire()
    assert clockwork.run(clockwork.store.schedules.terminate("daily")).state == "terminating"
    assert clockwork.code(clockwork.store.schedules.update("daily", {})) == "JobScheduleBeingTerminated"
    clockwork.fire()
    job = clockwork.run(clockwork.store.jobs.get("daily:job-1"))
    assert (job.state, job.terminate_reason) == ("completed", "TerminateJobSchedule")
    assert clockwork.get("daily").state == "completed"


def test_deleting_takes_all_jobs_along_also_120_of_them(clockwork):
    schedule = clockwork.add("often", {"recurrenceInterval": "PT1S"})
    for _ in range(120):
        assert clockwork.fire() == ["job"]
        clockwork.end_job(clockwork.get("often").recent)
        clockwork.now += SECOND
    assert len(clockwork.jobs(schedule)) == 120
    clockwork.run(clockwork.store.schedules.delete("often"))
    assert (
        clockwork.code(clockwork.store.schedules.add("often", {"jobSpecification": JOB})) == "JobScheduleBeingDeleted"
    )
    clockwork.fire()
    assert clockwork.code(clockwork.store.schedules.get("often")) == "JobScheduleNotFound"
    assert clockwork.run(clockwork.store.jobs.page())[0] == []


def test_jobs_and_schedules_share_their_ids_and_their_quota(redis_url):
    clockwork = Clockwork(redis_url, Limits(jobs=2))
    facts = {
        "pool_id": "pool", "priority": 0, "max_parallel": -1, "uses_dependencies": False, "on_all_complete": "noaction",
        "on_task_failure": "noaction", "max_retry": 0, "wall_us": 0,
    }  # fmt: skip
    clockwork.run(clockwork.store.jobs.add("mine", {}, **facts))
    body = {"schedule": {"startWindow": "PT60S"}, "jobSpecification": JOB}
    assert clockwork.code(clockwork.store.schedules.add("MINE", body)) == "JobWithSameIdExists"
    clockwork.run(clockwork.store.schedules.add("timed", body))
    assert clockwork.code(clockwork.store.schedules.add("timed", body)) == "JobScheduleExists"
    assert clockwork.code(clockwork.store.jobs.add("Timed", {}, **facts)) == "JobScheduleWithSameIdExists"
    assert clockwork.code(clockwork.store.jobs.add("third", {}, **facts)) == "ActiveJobAndScheduleQuotaReached"
    assert clockwork.fire() == ["quota"]  # and later there is room
    clockwork.end_job("mine")
    clockwork.now += 5 * SECOND
    assert clockwork.fire() == ["job"]
    clockwork.close()


def test_a_change_of_the_schedule_holds_for_later_jobs(clockwork):
    clockwork.add("daily", {"recurrenceInterval": "PT60S"})
    clockwork.fire()
    clockwork.run(clockwork.store.schedules.update("daily", {"schedule": {"recurrenceInterval": "PT10S"},
                                                             "jobSpecification": JOB | {"priority": 7}}))  # fmt: skip
    clockwork.end_job("daily:job-1")
    clockwork.now += 10 * SECOND
    assert clockwork.fire() == ["job"]
    priorities = [clockwork.run(clockwork.store.jobs.get(f"daily:job-{n}")).priority for n in (1, 2)]
    assert priorities == [0, 7]


# -- auto pools -------------------------------------------------------------------------------------------------------


def test_each_job_of_a_schedule_has_a_pool_of_its_own_that_goes_with_it(clockwork):
    schedule = clockwork.add("s", {"recurrenceInterval": "PT10S"}, auto("job"))
    clockwork.fire()
    job = clockwork.run(clockwork.store.jobs.get("s:job-1"))
    assert job.pool_id.startswith("auto_") and clockwork.pools() == {job.pool_id: "active"}
    clockwork.end_job("s:job-1")
    assert clockwork.pools() == {job.pool_id: "deleting"}
    clockwork.now += 10 * SECOND
    clockwork.fire()
    assert len(clockwork.jobs(schedule)) == 2 and list(clockwork.pools().values()) == ["deleting", "active"]


def test_the_jobs_of_a_schedule_share_a_pool_that_goes_with_the_schedule(clockwork):
    clockwork.add("s", {"recurrenceInterval": "PT10S"}, auto("jobschedule"))
    clockwork.fire()
    assert len(clockwork.pools()) == 1
    clockwork.end_job("s:job-1")
    clockwork.now += 10 * SECOND
    clockwork.fire()
    first, second = (clockwork.run(clockwork.store.jobs.get(f"s:job-{n}")) for n in (1, 2))
    assert first.pool_id == second.pool_id and clockwork.pools() == {first.pool_id: "active"}
    clockwork.run(clockwork.store.pools.delete(first.pool_id))
    clockwork.end_job("s:job-2")
    clockwork.now += 10 * SECOND
    clockwork.fire()
    third = clockwork.run(clockwork.store.jobs.get("s:job-3"))
    assert clockwork.pools() == {first.pool_id: "deleting", third.pool_id: "active"}
    clockwork.run(clockwork.store.schedules.delete("s"))
    clockwork.fire()
    assert set(clockwork.pools().values()) == {"deleting"}


def test_a_pool_that_is_kept_alive_stays(clockwork):
    clockwork.add("s", {}, auto("job", keep=True))
    clockwork.add("t", {}, auto("jobschedule", keep=True))
    clockwork.fire()
    for id in ("s", "t"):
        clockwork.end_job(f"{id}:job-1")
        clockwork.run(clockwork.store.schedules.delete(id))
    clockwork.fire()
    assert list(clockwork.pools().values()) == ["active", "active"]


def test_a_pool_beyond_the_quota_completes_the_job_with_a_scheduling_error(redis_url):
    clockwork = Clockwork(redis_url, Limits(pools=0))
    clockwork.add("s", {}, auto("job"))
    assert clockwork.fire() == ["job", "completed"]
    job = clockwork.run(clockwork.store.jobs.get("s:job-1"))
    assert job.state == "completed" and job.ended
    assert job.scheduling_error["code"] == "AutoPoolCreationFailedWithQuotaReached"
    assert clockwork.pools() == {}
    clockwork.close()
