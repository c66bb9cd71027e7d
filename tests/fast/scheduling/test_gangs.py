"""Multi-instance tasks: all nodes at once or none, no two gangs that wait for each other, none that waits for ever."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ahead import lone_job
from orchestrator.domain.displacing import Running, displace
from orchestrator.domain.scheduling import GANG, Claim, JobView, NodeView, Queue, Ready, plan, step

PATIENCE = 30


def gang(task, instances, affinity=""):
    return Ready(task, GANG + instances, affinity)


def a_job(number, *tasks, **more):
    return JobView(number, ready=tuple(task if isinstance(task, Ready) else Ready(task) for task in tasks), **more)


def nodes(*free):
    return tuple(NodeView(number, f"node-{number}", slots) for number, slots in enumerate(free, 1))


def a_queue(jobs, free, **more):
    return Queue(slots=1, gangs=True, jobs=tuple(jobs), nodes=nodes(*free), **more)


def placed(made):
    return [(one.job, one.task, (one.node, *one.others)) for one in made]


def test_a_gang_takes_all_its_nodes_at_once_and_its_primary_goes_where_it_would_like():
    after, made = plan(a_queue([a_job(7, gang(1, 2, "node-3"), 2)], (1, 1, 1)), 0, PATIENCE)
    assert placed(made) == [(7, 1, (3, 1)), (7, 2, (2,))]
    assert [node.free for node in after.nodes] == [0, 0, 0] and after.jobs[0].running == 2


def test_it_waits_where_nodes_may_not_reach_each_other_or_have_more_slots_and_holds_nobody_up():
    jobs = [a_job(7, gang(1, 1), priority=5), a_job(8, 1)]
    for queue in (
        replace(a_queue(jobs, (1, 1)), gangs=False),
        replace(a_queue(jobs, (2, 2)), slots=2),
        a_queue([a_job(7, gang(1, 3), priority=5), a_job(8, 1)], (1, 1)),
    ):
        assert [one.job for one in plan(queue, 0, PATIENCE)[1]] == [8]


def test_lower_priorities_do_not_take_the_nodes_that_a_gang_waits_for():
    queue = a_queue([a_job(7, gang(1, 2), priority=5), a_job(8, 1)], (1, 0))
    assert plan(queue, 0, PATIENCE)[1] == []


def test_of_its_own_priority_others_pass_it_until_its_patience_ends_and_then_it_gets_what_becomes_idle():
    queue, made = plan(a_queue([a_job(7, gang(1, 2)), a_job(8, 1, 2, 3)], (1, 0)), 0, PATIENCE)
    assert placed(made) == [(8, 1, (1,))] and queue.claim == Claim(7, 1, GANG + 2, 0)
    first = replace(queue, nodes=nodes(1, 0))
    assert plan(first, PATIENCE - 1, PATIENCE)[1] != []
    collecting, made = plan(first, PATIENCE, PATIENCE)
    assert made == []
    _, made = plan(replace(collecting, nodes=nodes(1, 1)), PATIENCE + 1, PATIENCE)
    assert placed(made) == [(7, 1, (1, 2))]


def test_a_gang_neither_displaces_nor_gives_way():
    running = [Running(2, task, 1, task, 1, yields=True) for task in (1, 2)]

    def displaced(task, running):
        return displace(a_queue([a_job(1, task, priority=5)], (0, 0)), running, frozenset(), frozenset(), 1)

    assert displaced(1, running) is not None
    assert displaced(gang(1, 2), running) is None
    assert displaced(1, [replace(one, started=1) for one in running]) is None, "they start in this very moment"
    assert displaced(1, [replace(one, firm=True) for one in running]) is None, "as instances of gangs are"


def test_a_gang_uses_no_node_that_is_barred_from_its_job():
    queue = a_queue([a_job(7, gang(1, 2), barred=frozenset({1}))], (1, 1, 1))
    assert placed(plan(queue, 0, PATIENCE)[1]) == [(7, 1, (2, 3))]


def test_short_tasks_get_no_credit_while_a_gang_is_at_their_level():
    assert lone_job(a_queue([a_job(7, 1, 2)], (0, 0))) is not None
    assert lone_job(a_queue([a_job(7, 1, 2), a_job(8, gang(1, 2))], (0, 0))) is None


@given(
    gangs=st.lists(st.tuples(st.integers(1, 2), st.integers(1, 4)), min_size=1, max_size=6),
    small=st.integers(0, 25),
    size=st.integers(4, 6),
    order=st.randoms(use_true_random=False),
)
def test_every_gang_runs_though_others_and_a_stream_of_small_tasks_compete(gangs, small, size, order):
    """Nodes end their tasks in any order. Nobody holds nodes while waiting for more, so all of it ends."""
    jobs = [
        a_job(1, *(gang(number, n) for number, (j, n) in enumerate(gangs, 1) if j == 1)),
        a_job(2, *(gang(number, n) for number, (j, n) in enumerate(gangs, 1) if j == 2)),
        a_job(3, *range(1, small + 1)),
    ]
    queue, running, ran = a_queue(jobs, (1,) * size), [], 0
    for now in range(0, 100_000, 7):
        while True:
            queue, made = step(queue, now, PATIENCE)
            if made is None:
                break
            assert len({made.node, *made.others}) == (made.slots - GANG if made.slots >= GANG else 1)
            running.append((made.job, (made.node, *made.others)))
            ran += 1
        taken = [node for _, where in running for node in where]
        assert len(taken) == len(set(taken)) == sum(1 - node.free for node in queue.nodes)
        if not running:
            break
        job, over = running.pop(order.randrange(len(running)))
        queue = replace(
            queue,
            nodes=tuple(replace(n, free=1) if n.number in over else n for n in queue.nodes),
            jobs=tuple(replace(j, running=j.running - 1) if j.number == job else j for j in queue.jobs),
        )
    assert ran == len(gangs) + small


def test_a_gang_of_all_nodes_starts_soon_after_its_patience_ends_though_small_tasks_keep_coming():
    queue, _ = plan(a_queue([a_job(1, gang(1, 3)), a_job(2, *range(1, 1000))], (1, 1, 0)), 0, PATIENCE)
    for now in range(1, PATIENCE + 4):
        busy = next(node.number for node in queue.nodes if not node.free)
        queue = replace(queue, nodes=tuple(replace(n, free=1) if n.number == busy else n for n in queue.nodes))
        queue, made = plan(queue, now, PATIENCE)
        if any(one.job == 1 for one in made):
            assert now >= PATIENCE
            return
    raise AssertionError("the gang was starved")
