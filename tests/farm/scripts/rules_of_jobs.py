"""What happens to jobs and tasks in random histories."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.farm.scripts.both import POOLS
from tests.farm.scripts.histories import COMMANDS, MOST_JOBS, NEW_TASK, PARENTS, Ground
from tests.farm.scripts.model_facts import Job, Task
from tests.farm.scripts.model_scheduling import PATIENCE


class JobRules(Ground):
    """Users, and the engine that winds jobs down."""

    @precondition(lambda self: len(self.model.jobs) < MOST_JOBS)
    @rule(
        id=st.sampled_from(["j1", "j2", "J2", "j3", "j4"]),
        pool=st.sampled_from(["pool-a", "pool-a", "pool-b"]),
        priority=st.sampled_from([0, 0, 0, 5, -5]),
        limit=st.sampled_from([-1, -1, 1, 2]),
        perform=st.booleans(),
        on_all=st.sampled_from(["noaction"] * 5 + ["terminatejob"]),
        max_retry=st.sampled_from([0, 0, 1]),
        wall=st.sampled_from([0, 0, PATIENCE]),
        yields=st.booleans(),
    )
    def add_job(self, id, pool, priority, limit, perform, on_all, max_retry, wall, yields):
        on_fail = "performexitoptionsjobaction" if perform else "noaction"
        job = Job(0, id, pool, priority, limit, 0, True, on_all, on_fail, max_retry, wall)
        self.both.add_job(replace(job, yields=yields))
        self.after()

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), new=st.lists(NEW_TASK, min_size=1, max_size=6))
    def add_tasks(self, data, new):
        if self.model.nodes:
            self.put(self.a_job(data), new)
            self.after()

    @precondition(lambda self: self.some_task())
    @rule(data=st.data(), what=st.sampled_from(["terminate", "delete", "reactivate"]))
    def change_a_task(self, data, what):
        job, task = self.a_task(data)
        getattr(self.both, what)(job, task)
        self.after()

    @precondition(lambda self: self.some_task())
    @rule(data=st.data(), max_retry=st.sampled_from([None, 0, 1]))
    def update_a_task(self, data, max_retry):
        self.both.update_task(*self.a_task(data), max_retry)
        self.after()

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), priority=st.sampled_from([0, 5]), limit=st.sampled_from([-1, 0, 1, 3]))
    def update_a_job(self, data, priority, limit):
        self.both.update_job(self.a_job(data), priority=priority, max_parallel=limit)
        self.after()

    @precondition(lambda self: self.some_task())
    @rule(data=st.data())
    def a_task_is_ended_and_runs_again(self, data):
        """The node may still hold the slots of the attempt that was killed."""
        job, task = self.a_task(data)
        self.both.terminate(job, task)
        self.both.compare()
        self.both.reactivate(job, task)
        self.after()

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), option=st.sampled_from(["requeue", "terminate", "wait"]), pool=st.sampled_from(sorted(POOLS)))
    def a_job_is_disabled_moved_and_enabled(self, data, option, pool):
        job = self.a_job(data)
        self.both.disable(job, option)
        self.both.step(job)
        self.both.compare()
        if job.number in self.model.jobs:
            self.both.update_job(job, pool=pool)
            self.both.compare()
            self.both.enable(job)
        self.after()

    @precondition(lambda self: self.some_task())
    @rule(data=st.data(), ids=st.lists(st.sampled_from(PARENTS), min_size=1, max_size=3), delete=st.booleans())
    def a_parent_goes_and_a_child_comes(self, data, ids, delete):
        job, task = self.a_task(data)
        if delete:
            self.both.delete(job, task)
        if job.state == "active" and not job.named("child"):
            self.both.add_tasks(job, [(Task(0, 0, "child"), [*ids, task.id], [])])
        self.after()

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), sure=st.integers(0, 2), what=st.sampled_from(COMMANDS))
    def a_user_winds_a_job(self, data, sure, what):
        job = self.a_job(data)
        match what if sure == 2 else "enable":
            case "disable":
                self.both.disable(job, data.draw(st.sampled_from(["requeue", "terminate", "wait"]), label="option"))
            case "enable":
                self.both.enable(job)
            case "move":
                self.both.update_job(job, pool=data.draw(st.sampled_from(sorted(POOLS)), label="pool"))
            case "all":
                self.both.update_job(job, on_all="terminatejob")
            case "terminate":
                self.both.terminate_job(job)
            case "delete":
                self.both.delete_job(job)
        self.after()

    @precondition(
        lambda self: any(j.state in ("disabling", "terminating", "deleting") for j in self.model.jobs.values())
    )
    @rule()
    def the_engine_winds_jobs_down(self):
        for job in list(self.model.jobs.values()):
            self.both.step(job)
        self.after()
