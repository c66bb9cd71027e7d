"""Autoscale in the real store: bounded measurements, one per period; evaluations that count once."""

import json

import pytest

from orchestrator.domain.autoscale import Failure, Run
from orchestrator.domain.errors import Changed, Refused
from orchestrator.domain.facts import NewTask
from orchestrator.domain.resize_errors import resize_errors
from orchestrator.engine.autoscale import Autoscale
from orchestrator.engine.resources import Resources
from tests.farm.scripts.standing_still import SECOND, START, StandingStill

FORMULA = "$TargetDedicatedNodes = $PendingTasks.Count() > 0 ? max($PendingTasks.GetSample(1)) : 1"
JOB = {
    "pool_id": "pool", "priority": 0, "max_parallel": 1, "uses_dependencies": True, "on_all_complete": "noaction",
    "on_task_failure": "noaction", "max_retry": 0, "wall_us": 0,
}  # fmt: skip


class World(StandingStill):
    """A pool that may size itself."""

    def __init__(self, url):
        super().__init__(url)
        self.duty = Autoscale(self.store, Resources())

    def add_pool(self, interval_s=300, formula=FORMULA):
        body = {"taskSchedulingPolicy": {"nodeFillType": "spread"}}
        if interval_s:
            body |= {"enableAutoScale": True, "autoScaleFormula": formula}
        made = self.store.pools.add(
            "pool", body, vm_size="small", slots=1, fill="spread", dedicated=0, low_priority=0,
            resize_timeout_us=900 * SECOND, scale_interval_us=interval_s * SECOND,
        )  # fmt: skip
        return self.run(made)

    def pool(self):
        return self.run(self.store.pools.get("pool"))

    def sample(self, period, **values):
        metrics = {f"${name}": value for name, value in values.items()}
        return self.run(self.store.autoscale.add_sample(self.pool().number, period, metrics))

    def samples(self):
        return self.run(self.store.autoscale.samples(self.pool().number, self.now))

    def due(self):
        found = self.run(self.store.redis.zscore(self.store.keys("due"), f"scale:{self.pool().number}"))
        return None if found is None else int(found)

    def evaluate(self):
        return self.run(self.duty.evaluate(self.pool().number))

    def settle(self):
        """Judge the resize as a worker does that could make no node."""
        pool = self.pool()
        return self.run(self.store.pools.settle(pool.number, pool.allocation_at, resize_errors(pool, [], self.now, {})))

    def enable(self, formula=None, interval=None, pause_s=30, expect=None):
        return self.run(self.store.autoscale.enable("pool", formula, interval, pause_s * SECOND, expect))

    def refusal(self, call, *arguments):
        with pytest.raises(Refused) as caught:
            call(*arguments)
        return caught.value.code


@pytest.fixture
def world(redis_url):
    made = World(redis_url)
    yield made
    made.close()


def test_samples_are_bounded_in_number_and_age_and_one_per_period(world):
    world.add_pool()
    world.store.autoscale.configure(30 * SECOND, 300 * SECOND)
    first = START // (30 * SECOND)
    for period in range(first, first + 25):
        world.now = period * 30 * SECOND
        assert world.sample(period, PendingTasks=period - first)
        assert not world.sample(period, PendingTasks=999), "another engine was faster"
    assert not world.sample(first + 3, PendingTasks=999), "it came too late"

    assert world.run(world.store.redis.llen(world.store.keys("pool_samples", pool=1))) == 10
    pending = world.samples().of("$PendingTasks")
    assert pending.values == list(range(15, 25)) and pending.times[-1] == world.now
    assert len(world.samples().of("$CPUPercent")) == 0, "what was not measured is missing"
    world.now += 150 * SECOND
    assert len(world.samples().of("$PendingTasks")) == 5


def test_finished_tasks_are_counted_per_period_also_when_their_job_is_gone(world):
    world.add_pool()
    queue = world.run(world.store.redis.hget(world.store.keys("pool", pool=1), "queue"))
    key = world.store.keys("queue", queue=int(queue))
    for period, (ok, failed) in enumerate(((0, 0), (5, 1), (5, 1), (12, 4)), start=START // SECOND):
        world.run(world.store.redis.hset(key, mapping={"succeeded": ok, "failed": failed}))
        world.sample(period)

    assert world.samples().of("$SucceededTasks").values == [0, 5, 0, 7]
    assert world.samples().of("$FailedTasks").values == [0, 1, 0, 3]


def test_tasks_that_wait_for_others_or_for_a_job_that_is_not_active_are_not_active_tasks(world):
    pool = world.add_pool()
    store = world.store
    for job in ("on", "off"):
        world.run(store.jobs.add(job, {"poolInfo": {"poolId": "pool"}}, **JOB))
        ready = [NewTask(f"t{i}", json.dumps({"id": f"t{i}"})) for i in range(3)]
        waiting = NewTask("last", json.dumps({"id": "last", "dependsOn": {"taskIds": ["t0"]}}), depends_ids=("t0",))
        world.run(store.tasks.add(job, [*ready, waiting]))
    world.run(store.jobs.disable("off", "requeue"))

    measured = world.run(store.measuring.sample(world.run(store.autoscale.scaled())))[pool.number]

    assert measured.metrics["$ActiveTasks"] == 3 and measured.metrics["$PendingTasks"] == 3
    world.run(store.tasks.terminate("on", "t1"))
    world.sample(START // SECOND)
    assert world.samples().of("$FailedTasks").values == [1]


def test_a_multi_instance_task_that_waits_counts_as_many_as_it_has_instances(world):
    pool = world.add_pool()
    store = world.store
    world.run(store.jobs.add("j", {"poolInfo": {"poolId": "pool"}}, **JOB))
    world.run(store.tasks.add("j", [NewTask("one", '{"id": "one"}'), NewTask("gang", '{"id": "gang"}', instances=5)]))

    measured = world.run(store.measuring.sample(world.run(store.autoscale.scaled())))[pool.number]

    assert measured.metrics["$ActiveTasks"] == 6


def test_evaluations_come_at_once_and_then_every_interval_and_count_once(world):
    pool = world.add_pool()
    assert world.due() == START and pool.allocation == "steady"

    assert world.evaluate()
    pool = world.pool()
    assert (pool.target_dedicated, pool.allocation) == (1, "resizing")
    assert pool.scale_run["results"].startswith("$TargetDedicatedNodes=1;")
    assert world.due() == pool.scale_next == START + 300 * SECOND
    assert not world.evaluate(), "not due yet"

    world.now = START + 1000 * SECOND  # an engine that was away: on with the schedule, not all that was missed
    world.sample(world.now // SECOND, PendingTasks=7)
    before = world.pool()
    assert world.evaluate()
    assert world.pool().target_dedicated == 7 and world.due() == START + 1200 * SECOND
    late = Run("$TargetDedicatedNodes=9", 9, 0, "requeue")
    assert not world.run(world.store.autoscale.apply(before, late, world.now)), "somebody else evaluated it meanwhile"
    assert world.pool().target_dedicated == 7


def test_a_failed_evaluation_shows_its_error_and_changes_no_target(world):
    world.add_pool(formula="$TargetDedicatedNodes = 5; x = nothing")
    modified = world.pool().modified

    assert not world.evaluate()

    pool = world.pool()
    assert (pool.target_dedicated, pool.allocation, pool.modified) == (0, "steady", modified)
    assert pool.scale_run["error"]["code"] == "AutoScalingFormulaEvaluationError"
    assert "x = nothing" not in pool.scale_run["results"] and world.due() == START + 300 * SECOND


def test_what_could_not_be_allocated_is_tried_again_and_has_no_time_limit(world):
    world.add_pool()
    world.evaluate()
    world.run(world.store.pools.settle(1, world.pool().allocation_at, [{"code": "AccountCoreQuotaReached"}]))
    assert world.pool().allocation == "steady"

    world.now += 300 * SECOND
    assert world.evaluate()

    assert world.pool().allocation == "resizing" and world.pool().resize_errors == []
    world.now += 10 * 86_400 * SECOND
    assert world.settle() == "resizing", "resizeTimeout has no effect"


def test_while_autoscale_is_on_nobody_else_resizes(world):
    world.add_pool()
    store = world.store
    resize = lambda: world.run(store.pools.resize("pool", 3, None, 900 * SECOND))  # noqa: E731
    assert world.refusal(resize) == "OperationNotValidOnPool"
    world.evaluate()
    assert world.refusal(resize) == "OperationNotValidOnPool"

    world.run(store.autoscale.disable("pool"))

    pool = world.pool()
    assert (pool.target_dedicated, pool.scale_interval_us, pool.scale_run) == (1, 0, None)
    assert "autoScaleFormula" not in pool.body and pool.body["enableAutoScale"] is False
    assert world.due() is None and len(world.samples().rows) == 0
    world.now += 900 * SECOND
    assert world.settle() == "steady", "from now on the resize has its time limit"
    assert world.pool().resize_errors[0]["code"] == "AllocationTimedout"
    resize()
    world.run(store.autoscale.disable("pool"))  # again: nothing to do


def test_enabling_needs_a_formula_a_steady_pool_and_a_pause(world):
    world.add_pool(interval_s=0)
    assert world.due() is None
    assert world.refusal(world.enable, None, "PT10M") == "MissingRequiredProperty"
    with pytest.raises(Changed):
        world.enable("$TargetDedicatedNodes = 0", expect=1)

    pool = world.enable("$TargetDedicatedNodes = 0")
    assert pool.body["autoScaleEvaluationInterval"] == "PT15M" and pool.scale_interval_us == 900 * SECOND
    assert pool.modified > START and world.due() == START
    assert world.refusal(world.enable, FORMULA) == "TooManyEnableAutoScaleRequests"
    world.now += 30 * SECOND
    assert world.refusal(world.enable) == "MissingRequiredProperty"

    world.evaluate()
    pool = world.enable(FORMULA)
    assert pool.body["autoScaleFormula"] == FORMULA and pool.scale_interval_us == 900 * SECOND
    assert world.due() == START + 900 * SECOND, "a new formula leaves the schedule as it is"
    world.now += 30 * SECOND
    assert world.enable(None, "PT5M").body["autoScaleFormula"] == FORMULA
    assert world.due() == world.now, "a new interval starts it anew"
    world.evaluate()
    world.now += 30 * SECOND
    assert world.refusal(world.enable, FORMULA) == "PoolBeingResized"


def test_a_deleted_pool_leaves_nothing(world):
    world.add_pool()
    world.sample(START // SECOND, PendingTasks=1)
    world.run(world.store.pools.delete("pool"))

    assert not world.evaluate()
    assert world.run(world.store.pools.gone(1))
    assert world.run(world.duty.evaluate(1)) is False


def test_a_result_says_what_went_wrong_in_the_form_of_the_wire(world):
    world.add_pool()
    failed = Run("r", 0, 0, "requeue", Failure("InsufficientSampleData", "m", "Line 1, Col 2: m"))
    world.run(world.store.autoscale.apply(world.pool(), failed, START))
    assert world.pool().scale_run["error"] == {
        "code": "InsufficientSampleData",
        "message": "m",
        "values": [{"name": "Message", "value": "Line 1, Col 2: m"}],
    }
