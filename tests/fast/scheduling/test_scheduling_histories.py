"""The policy over random histories: what must hold whatever happens in whatever order."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.domain.scheduling import (
    PACK,
    SPREAD,
    JobView,
    NodeView,
    Queue,
    Ready,
    level_of,
    most_free,
    offers,
    plan,
    step,
)

PATIENCE = 30
SLOTS = 4


class Histories(RuleBasedStateMachine):
    """A queue with nodes and jobs; after each change the plan is made and judged step by step."""

    def __init__(self):
        super().__init__()
        self.now = 0
        self.queue = Queue(slots=SLOTS)
        self.held = {}  # (job, task) -> (node, slots)
        self.tasks = 0

    def change(self, **parts):
        self.queue = replace(self.queue, **parts)
        self.settle()

    def change_job(self, number, **parts):
        self.change(jobs=tuple(replace(job, **parts) if job.number == number else job for job in self.queue.jobs))

    def settle(self):
        assert plan(self.queue, self.now, PATIENCE) == plan(self.queue, self.now, PATIENCE)
        while True:
            before = self.queue
            self.queue, made = step(before, self.now, PATIENCE)
            if made is None:
                return
            self.judge(before, made)
            self.held[made.job, made.task] = (made.node, made.slots)

    def judge(self, before, made):
        job = next(job for job in before.jobs if job.number == made.job)
        node = next(node for node in before.nodes if node.number == made.node)
        taker = next(job for job in before.jobs if job.number == made.job)
        made_room = most_free(replace(before, claim=self.queue.claim), taker)
        assert offers(before, job) and job.priority == level_of(before), "a lower priority passed"
        assert node.usable and node.free >= made.slots, "a node was over-subscribed"
        if before.claim is None or made.task != before.claim.task:
            fitting = [ready.task for ready in job.ready if ready.slots <= made_room]
            assert made.task == min(fitting), "order inside the job was not kept"

    @rule(number_of=st.integers(1, 4), fill=st.sampled_from([SPREAD, PACK]))
    def add_nodes(self, number_of, fill):
        first = len(self.queue.nodes) + 1
        more = tuple(NodeView(n, f"node-{n}", SLOTS) for n in range(first, first + number_of))
        self.change(nodes=(self.queue.nodes + more)[:6], fill=fill)

    @rule(priority=st.integers(-1, 1), limit=st.sampled_from([-1, -1, 0, 1, 3]))
    def add_job(self, priority, limit):
        number = len(self.queue.jobs) + 1
        if number <= 6:
            job = JobView(number, priority=priority, max_parallel=limit, turn=self.queue.turn)
            self.change(jobs=(*self.queue.jobs, job))

    @precondition(lambda self: self.queue.jobs)
    @rule(data=st.data(), slots=st.lists(st.integers(1, SLOTS + 1), min_size=1, max_size=5))
    def add_tasks(self, data, slots):
        job = data.draw(st.sampled_from(self.queue.jobs))
        new = []
        for wanted in slots:
            self.tasks += 1
            new.append(Ready(self.tasks, wanted, data.draw(st.sampled_from(["", "node-1", "node-3"]))))
        self.change_job(job.number, ready=job.ready + tuple(new))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), again=st.booleans())
    def end_an_attempt(self, data, again):
        job_number, task = data.draw(st.sampled_from(sorted(self.held)))
        node_number, slots = self.held.pop((job_number, task))
        nodes = tuple(
            replace(node, free=node.free + slots) if node.number == node_number else node for node in self.queue.nodes
        )
        job = next(job for job in self.queue.jobs if job.number == job_number)
        ready = sorted((*job.ready, Ready(task, slots)), key=lambda r: r.task) if again else job.ready
        self.queue = replace(self.queue, nodes=nodes)
        self.change_job(job_number, running=job.running - 1, ready=tuple(ready))

    @precondition(lambda self: self.queue.nodes)
    @rule(data=st.data(), usable=st.booleans())
    def a_node_changes(self, data, usable):
        number = data.draw(st.sampled_from(self.queue.nodes)).number
        self.change(
            nodes=tuple(replace(node, usable=usable) if node.number == number else node for node in self.queue.nodes)
        )

    @precondition(lambda self: self.queue.jobs)
    @rule(data=st.data(), priority=st.integers(-1, 1), active=st.booleans(), limit=st.sampled_from([-1, 0, 2]))
    def a_job_changes(self, data, priority, active, limit):
        number = data.draw(st.sampled_from(self.queue.jobs)).number
        self.change_job(number, priority=priority, active=active, max_parallel=limit)

    @rule(by=st.sampled_from([1, PATIENCE]))
    def time_passes(self, by):
        self.now += by
        self.settle()

    @invariant()
    def free_slots_are_what_is_not_held(self):
        for node in self.queue.nodes:
            held = sum(slots for where, slots in self.held.values() if where == node.number)
            assert node.free == SLOTS - held >= 0

    @invariant()
    def running_counts_are_what_is_held(self):
        for job in self.queue.jobs:
            assert job.running == sum(1 for number, _ in self.held if number == job.number)

    @invariant()
    def no_room_is_left_beside_a_task_that_fits(self):
        level = level_of(self.queue)
        for job in self.queue.jobs:
            if job.priority == level and offers(self.queue, job):
                assert all(ready.slots > most_free(self.queue, job) for ready in job.ready)

    @invariant()
    def a_claim_is_for_a_ready_task_and_reserves_only_at_the_highest_level(self):
        claim = self.queue.claim
        if claim:
            job = next(job for job in self.queue.jobs if job.number == claim.job)
            assert offers(self.queue, job) and any(ready.task == claim.task for ready in job.ready)
            assert not claim.node or self.now - claim.since >= PATIENCE
            assert not claim.node or job.priority == level_of(self.queue)


TestHistories = Histories.TestCase


def test_equal_jobs_share_within_one_turn():
    jobs = tuple(JobView(number, ready=tuple(Ready(t) for t in range(1, 40))) for number in (1, 2, 3))
    queue = Queue(slots=SLOTS, jobs=jobs, nodes=(NodeView(1, "node-1", 100),))

    _, made = plan(queue, 0, PATIENCE)

    for length in range(len(made)):
        so_far = [sum(1 for assignment in made[:length] if assignment.job == number) for number in (1, 2, 3)]
        assert max(so_far) - min(so_far) <= 1


def test_a_big_task_in_a_stream_of_small_ones_starts_soon_after_its_patience_ends():
    small = tuple(Ready(task) for task in range(2, 1000))
    job = JobView(1, ready=(Ready(1, SLOTS), *small))
    queue = Queue(slots=SLOTS, jobs=(job,), nodes=(NodeView(1, "node-1", 3), NodeView(2, "node-2", SLOTS - 1)))
    queue, made = plan(queue, 0, PATIENCE)
    running = [1, 2, *(assignment.node for assignment in made)]  # the two slots were held before

    for now in range(1, PATIENCE + 4 * SLOTS):
        node = running.pop(0)
        nodes = tuple(replace(n, free=n.free + 1) if n.number == node else n for n in queue.nodes)
        queue, made = plan(replace(queue, nodes=nodes), now, PATIENCE)
        running += [assignment.node for assignment in made]
        if any(assignment.task == 1 for assignment in made):
            assert now >= PATIENCE
            return
    raise AssertionError("the big task was starved")


def test_a_job_that_comes_late_does_not_catch_up_on_turns_it_was_not_there_for():
    old = JobView(1, turn=50, ready=tuple(Ready(task) for task in range(1, 20)))
    new = JobView(2, turn=50, ready=tuple(Ready(task) for task in range(1, 20)))
    queue = Queue(slots=SLOTS, turn=50, jobs=(old, new), nodes=(NodeView(1, "node-1", 10),))

    _, made = plan(queue, 0, PATIENCE)

    assert [assignment.job for assignment in made] == [1, 2] * 5
