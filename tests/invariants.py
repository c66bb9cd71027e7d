"""For fixtures: after a test, the whole state of the account must hold together."""

from redis.asyncio import Redis

from orchestrator.store.invariants import check


async def assert_invariants(redis: Redis, account: str) -> None:
    """Fail with every broken invariant; call it when nothing changes the state any more."""
    problems = await check(redis, account)
    assert not problems, "broken invariants:\n  " + "\n  ".join(problems)
