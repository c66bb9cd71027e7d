"""The written policy, one sentence of docs/architecture.md per test."""

from dataclasses import replace

from orchestrator.domain.scheduling import PACK, Assignment, Claim, JobView, NodeView, Queue, Ready, plan, step

PATIENCE = 30_000_000


def a_node(number=1, free=4, **other):
    return NodeView(number, f"node-{number}", free, **other)


def a_job(number=1, *tasks, **other):
    ready = tuple(task if isinstance(task, Ready) else Ready(task) for task in tasks)
    return JobView(number, ready=ready, **other)


def nodes_of(assignments):
    return [made.node for made in assignments]


def tasks_of(assignments):
    return [(made.job, made.task) for made in assignments]


def test_an_empty_queue_assigns_nothing_and_stays_as_it_is():
    queue = Queue(slots=4, nodes=(a_node(),))

    assert plan(queue, 0, PATIENCE) == (queue, [])


def test_a_ready_task_takes_its_slots_on_the_node():
    queue = Queue(slots=4, jobs=(a_job(7, Ready(3, slots=2)),), nodes=(a_node(5),))

    after, made = plan(queue, 0, PATIENCE)

    assert made == [Assignment(job=7, task=3, slots=2, node=5)]
    assert after.nodes[0].free == 2
    assert after.jobs[0].running == 1 and after.jobs[0].ready == ()
    assert after.turn == after.jobs[0].turn == 1


def test_spread_takes_the_emptiest_node_and_the_lowest_number_among_equals():
    nodes = (a_node(1, free=2), a_node(2, free=3), a_node(3, free=3))
    queue = Queue(slots=4, jobs=(a_job(1, 1, 2, 3),), nodes=nodes)

    assert nodes_of(plan(queue, 0, PATIENCE)[1]) == [2, 3, 1]


def test_pack_takes_the_fullest_node_that_still_fits():
    nodes = (a_node(1, free=4), a_node(2, free=1), a_node(3, free=2))
    queue = Queue(slots=4, fill=PACK, jobs=(a_job(1, Ready(1, slots=2), 2, 3),), nodes=nodes)

    assert nodes_of(plan(queue, 0, PATIENCE)[1]) == [3, 2, 1]


def test_affinity_wins_over_the_fill_type_only_when_that_node_has_room():
    nodes = (a_node(1, free=1), a_node(2, free=4))
    queue = Queue(slots=4, jobs=(a_job(1, Ready(1, affinity="node-1"), Ready(2, affinity="node-1")),), nodes=nodes)

    assert nodes_of(plan(queue, 0, PATIENCE)[1]) == [1, 2]


def test_jobs_of_equal_priority_take_turns():
    queue = Queue(slots=4, jobs=(a_job(1, 1, 2, 3), a_job(2, 1, 2)), nodes=(a_node(free=9),))

    assert tasks_of(plan(queue, 0, PATIENCE)[1]) == [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3)]


def test_a_higher_priority_goes_first():
    queue = Queue(slots=4, jobs=(a_job(1, 1, 2), a_job(2, 1, 2, priority=5)), nodes=(a_node(free=3),))

    assert tasks_of(plan(queue, 0, PATIENCE)[1]) == [(2, 1), (2, 2), (1, 1)]


def test_a_lower_priority_never_passes_a_higher_task_that_only_lacks_room():
    queue = Queue(slots=4, jobs=(a_job(1, 1), a_job(2, Ready(1, slots=4), priority=5)), nodes=(a_node(free=3),))

    assert plan(queue, 0, PATIENCE) == (queue, [])


def test_a_task_bigger_than_any_node_is_passed_for_ever_and_claims_nothing():
    queue = Queue(slots=4, jobs=(a_job(1, 1), a_job(2, Ready(1, slots=5), priority=5)), nodes=(a_node(),))

    after, made = plan(queue, 10 * PATIENCE, PATIENCE)

    assert tasks_of(made) == [(1, 1)] and after.claim is None


def test_a_job_at_its_parallel_limit_lets_lower_priorities_run():
    queue = Queue(slots=4, jobs=(a_job(1, 1), a_job(2, 1, 2, priority=5, max_parallel=1)), nodes=(a_node(),))

    assert tasks_of(plan(queue, 0, PATIENCE)[1]) == [(2, 1), (1, 1)]


def test_a_limit_of_zero_lets_nothing_run():
    queue = Queue(slots=4, jobs=(a_job(1, 1, max_parallel=0),), nodes=(a_node(),))

    assert plan(queue, 0, PATIENCE)[1] == []


def test_small_tasks_pass_a_big_one_of_equal_priority_until_patience_ends():
    queue = Queue(slots=4, jobs=(a_job(1, Ready(1, slots=4), 2, 3),), nodes=(a_node(1, free=3), a_node(2, free=1)))

    after, made = plan(queue, 0, PATIENCE)
    assert tasks_of(made) == [(1, 2), (1, 3)]
    assert after.claim == Claim(job=1, task=1, slots=4, since=0)

    impatient = replace(after, jobs=(replace(after.jobs[0], ready=(Ready(1, slots=4), Ready(4))),))
    late, made = plan(impatient, PATIENCE, PATIENCE)
    assert late.claim == Claim(job=1, task=1, slots=4, since=0, node=1)
    assert tasks_of(made) == [(1, 4)] and nodes_of(made) == [2]


def test_the_claimed_task_starts_on_its_reserved_node_once_that_is_empty():
    claim = Claim(job=1, task=1, slots=4, since=0, node=1)
    queue = Queue(slots=4, claim=claim, jobs=(a_job(1, Ready(1, slots=4)), a_job(2, 1)), nodes=(a_node(1, free=4),))

    after, made = step(queue, 1, PATIENCE)

    assert made == Assignment(job=1, task=1, slots=4, node=1) and after.claim is None


def test_a_reserved_node_that_stops_taking_tasks_is_let_go_and_another_is_reserved():
    claim = Claim(job=1, task=1, slots=4, since=0, node=1)
    nodes = (a_node(1, free=2, usable=False), a_node(2, free=1))
    queue = Queue(slots=4, claim=claim, jobs=(a_job(1, Ready(1, slots=4)),), nodes=nodes)

    assert plan(queue, PATIENCE, PATIENCE)[0].claim == replace(claim, node=2)
    assert plan(queue, 1, PATIENCE)[0].claim == replace(claim, node=0)


def test_a_claim_sleeps_while_a_higher_priority_has_work_but_its_patience_runs_on():
    claim = Claim(job=1, task=1, slots=4, since=0, node=1)
    jobs = (a_job(1, Ready(1, slots=4), 2), a_job(2, 1, priority=1))
    queue = Queue(slots=4, claim=claim, jobs=jobs, nodes=(a_node(1, free=1),))

    asleep, made = step(queue, PATIENCE, PATIENCE)
    assert tasks_of([made]) == [(2, 1)] and asleep.claim == replace(claim, node=0)

    awake, made = plan(replace(asleep, nodes=(a_node(1, free=1),)), PATIENCE, PATIENCE)
    assert made == [] and awake.claim == claim


def test_a_sleeping_claim_makes_room_for_one_of_the_higher_priority():
    claim = Claim(job=1, task=1, slots=4, since=0)
    jobs = (a_job(1, Ready(1, slots=4)), a_job(2, Ready(1, slots=3), 2, priority=1))
    queue = Queue(slots=4, claim=claim, jobs=jobs, nodes=(a_node(1, free=1),))

    assert plan(queue, 5, PATIENCE)[0].claim == Claim(job=2, task=1, slots=3, since=5)


def test_nothing_is_claimed_while_nobody_is_passed_over():
    queue = Queue(slots=4, jobs=(a_job(1, Ready(1, slots=4)),), nodes=(a_node(1, free=3),))

    assert plan(queue, PATIENCE, PATIENCE)[0].claim is None


def test_a_full_node_is_not_reserved_before_a_slot_of_it_is_free():
    claim = Claim(job=1, task=1, slots=4, since=0)
    queue = Queue(slots=4, claim=claim, jobs=(a_job(1, Ready(1, slots=4), 2),), nodes=(a_node(1, free=0),))

    assert plan(queue, PATIENCE, PATIENCE)[0].claim == claim


def test_a_closed_queue_assigns_nothing():
    queue = Queue(slots=4, open=False, jobs=(a_job(1, 1),), nodes=(a_node(),))

    assert plan(queue, 0, PATIENCE)[1] == []


def test_a_job_leaves_out_nodes_that_are_barred_from_it_and_others_use_them():
    nodes = (a_node(1, 1), a_node(2, 1))
    queue = Queue(slots=1, jobs=(a_job(7, 1, 2, barred=frozenset({1})), a_job(8, 1)), nodes=nodes)

    _, made = plan(queue, 0, PATIENCE)

    assert [(one.job, one.node) for one in made] == [(7, 2), (8, 1)]


def test_a_job_that_may_use_no_node_holds_nobody_up():
    high = a_job(7, 1, priority=5, barred=frozenset({1}))
    queue = Queue(slots=1, jobs=(high, a_job(8, 1)), nodes=(a_node(1, 1),))

    _, made = plan(queue, 0, PATIENCE)

    assert tasks_of(made) == [(8, 1)]


def test_a_claim_reserves_only_a_node_that_its_job_may_use():
    big = a_job(7, Ready(1, slots=4), barred=frozenset({1}))
    queue = Queue(slots=4, jobs=(big, a_job(8, 1)), nodes=(a_node(1, 4), a_node(2, 2)))

    queue, _ = plan(queue, 0, PATIENCE)
    queue, made = plan(queue, PATIENCE, PATIENCE)

    assert queue.claim == Claim(7, 1, 4, 0, 2) and made == []
