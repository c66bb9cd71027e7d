"""Timers: late or twice does no harm, but a time that somebody sets must never be lost."""

import pytest

from orchestrator.engine.timers import Timers
from tests.farm.scripts.both import Both


@pytest.fixture
def farm(redis_url, loop):
    both = Both(loop, redis_url)
    yield both
    both.close()


def due(farm):
    return dict(farm.run(farm.store.redis.zrange(farm.store.keys("due"), 0, -1, withscores=True)))


def set_timer(farm, member, at):
    farm.run(farm.store.redis.zadd(farm.store.keys("due"), {member: at}, lt=True))


def test_a_timer_fires_once_and_is_gone(farm):
    fired = []

    async def fire(number):
        fired.append(number)

    set_timer(farm, "job:7", 1)
    timers = Timers(farm.store, {"job": fire})

    assert farm.run(timers.run_once()) == 1
    assert fired == [7] and due(farm) == {}


def test_a_time_set_while_the_timer_fires_is_kept(farm):
    async def fire(number):
        await farm.store.redis.zadd(farm.store.keys("due"), {f"job:{number}": 5}, lt=True)

    set_timer(farm, "job:7", 1)

    farm.run(Timers(farm.store, {"job": fire}).run_once())

    assert due(farm) == {b"job:7": 5.0}


def test_a_time_set_at_the_last_moment_is_kept(farm):
    """Between the look at the score and the removal: both are one script, which sees the new time."""
    set_timer(farm, "job:7", 1000)
    set_timer(farm, "job:7", 5)

    assert farm.run(farm.store.scripts.call("end_timer", member="job:7", lease=1000)) == [0]
    assert due(farm) == {b"job:7": 5.0}


def test_a_timer_whose_work_failed_fires_again_later(farm):
    async def fire(number):
        raise ConnectionError("Redis went away")

    set_timer(farm, "job:7", 1)

    with pytest.raises(ConnectionError):
        farm.run(Timers(farm.store, {"job": fire}).run_once())

    assert due(farm)[b"job:7"] > 1
