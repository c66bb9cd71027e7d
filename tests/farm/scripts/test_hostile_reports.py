"""Reports are claims of somebody who may lie: whatever a node writes, the list goes on and nothing foreign changes."""

import asyncio
import json

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.contract import queues
from orchestrator.store.invariants import CHECKS
from orchestrator.store.invariants.reading import read
from tests.farm.scripts.both import ACCOUNT, Both
from tests.farm.scripts.model_facts import Job, Task

KINDS = ["end", "back", "begun", "unstarted", "note", "up", "start", "ready", "hold", "bad", "boo"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(0, 3),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.sampled_from(["5", "{}", "null", '"x"', "[1]", '{"state":5,"waitForSuccess":1}', "{", "1e999"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=4), st.integers(0, 9)), inner, max_size=3),
    ),
    max_leaves=8,
)
ITEMS = st.tuples(st.sampled_from(KINDS), st.lists(VALUES, max_size=8)).map(lambda pair: [pair[0], *pair[1]])
MESSAGES = st.one_of(
    st.fixed_dictionaries({"v": st.just(1), "items": st.lists(st.one_of(ITEMS, VALUES), max_size=4)}),
    st.fixed_dictionaries({"v": VALUES, "items": VALUES}),
    VALUES,
)
RAW = st.one_of(MESSAGES.map(lambda message: msgpack.packb(message, use_bin_type=False)), st.binary(max_size=40))


class Farm:
    """Two nodes that run two tasks each; the first is the liar."""

    def __init__(self, loop: asyncio.AbstractEventLoop, url: str) -> None:
        self.both = Both(loop, url)
        self.both.add_pool("pool-a")
        self.liar = self.both.new_node("pool-a")
        self.honest = self.both.new_node("pool-a")
        self.both.add_job(Job(0, "j", "pool-a", 0, -1, 0, False, "noaction", "noaction", 0))
        job = self.both.model.job("j")
        self.both.add_tasks(job, [(Task(0, 0, f"t{n}", 2), [], []) for n in range(4)])
        assert len(self.liar.held) == len(self.honest.held) == 2

    def say(self, *raws: bytes) -> None:
        """The engine takes everything that the liar wrote."""
        redis, events = self.both.store.redis, queues.events(ACCOUNT, self.liar.number, self.liar.boot)
        self.both.run(redis.rpush(events, *raws))
        self.both.run(
            self.both.store.scripts.call("apply_reports", node=self.liar.number, boot=self.liar.boot, limit=100)
        )
        assert self.both.run(redis.exists(events)) == 0, "the list was not trimmed"

    def read_everything(self) -> None:
        """What was believed must still be readable, as JSON."""
        store = self.both.store
        seen: list[object] = [self.both.run(store.nodes.get("pool-a", self.liar.id))]
        for number in range(4):
            seen.append(self.both.run(store.tasks.get("j", f"t{number}")))
            seen.append(self.both.run(store.tasks.attempts("j", f"t{number}")))
        json.dumps(seen, default=vars, allow_nan=False)

    def problems(self) -> list[str]:
        state = self.both.run(read(self.both.store.redis, ACCOUNT))
        return [problem for find in CHECKS for problem in find(state)]

    def of_honest(self) -> list[object]:
        state = self.both.run(read(self.both.store.redis, ACCOUNT))
        number = self.honest.number
        tasks = [task.facts for task in state.tasks[1].values() if task.facts[7] == number]
        return [tasks, state.get("node", node=number), state.get("node_tasks", node=number)]


@pytest.mark.timeout(300)
def test_no_report_stops_the_list_or_touches_another_node(redis_url, loop):
    @given(raws=st.lists(RAW, min_size=1, max_size=4))
    @example(raws=[msgpack.packb({"v": 1, "items": [["start", "5"], ["ready"]]})])
    @example(raws=[msgpack.packb({"v": 1, "items": [["end", 1, 1, 1, 0, float("inf"), None, []]]})])
    @example(raws=[msgpack.packb({"v": 1, "items": [["start", '{"startAgeUs":"x"}']]})])
    @example(raws=[msgpack.packb({"v": 1, "items": [["start", '{"startAgeUs":1e400}']]})])
    @example(raws=[msgpack.packb({"v": 1, "items": [["start", "[1]"]]})])
    @example(raws=[msgpack.packb({"v": 1, "items": [["end", 1, 1, 1, 0, None, ["pre", "a", "b", "c", "{"], []]]})])
    @example(raws=[msgpack.packb({"v": 1, "items": [["end", 1, 1, 1, 2**53, 0, None, []]]})])
    def nothing_foreign_changes(raws):
        farm.both.run(farm.both.store.redis.flushall())
        farm.both.close()
        farm.__init__(loop, redis_url)
        before = farm.of_honest()

        farm.say(*raws)

        assert farm.problems() == []
        assert farm.of_honest() == before
        farm.read_everything()

    farm = Farm(loop, redis_url)
    nothing_foreign_changes()
    farm.both.close()


def test_what_cannot_be_read_is_set_aside_and_the_rest_counts(redis_url, loop):
    farm = Farm(loop, redis_url)
    (job, task, attempt), _ = sorted(farm.liar.held)

    farm.say(
        b"\xc1 not msgpack",
        msgpack.packb({"v": 2, "items": []}),
        msgpack.packb({"v": 1, "items": [["end", job, task], ["end", job, task, attempt, 0, 0, None, []]]}),
    )

    state = farm.both.run(read(farm.both.store.redis, ACCOUNT))
    assert state.tasks[job][task].result == "success"
    assert len(state.get("bad_reports")) == 3
    farm.both.close()


def test_an_attempt_of_another_node_cannot_be_ended(redis_url, loop):
    farm = Farm(loop, redis_url)
    before = farm.of_honest()

    farm.say(msgpack.packb({"v": 1, "items": [["end", *held, 0, 0, None, []] for held in sorted(farm.honest.held)]}))
    farm.say(msgpack.packb({"v": 1, "items": [["hold", 2**40, []], ["back", *min(farm.honest.held), "mine"]]}))

    assert farm.of_honest() == before
    farm.both.close()


def test_a_flood_in_one_message_is_set_aside_and_long_words_are_cut(redis_url, loop):
    farm = Farm(loop, redis_url)
    job, task, attempt = min(farm.liar.held)

    farm.say(
        msgpack.packb({"v": 1, "items": [["ready"]] * 501}),
        msgpack.packb({"v": 1, "items": [["end", job, task, attempt, 0, None, ["pre", *["x" * 300_000] * 3], []]]}),
    )

    state = farm.both.run(read(farm.both.store.redis, ACCOUNT))
    assert len(state.get("bad_reports")) == 1
    assert len(state.get("task_failures", job=job)[str(task)]) < 3000
    farm.both.close()
