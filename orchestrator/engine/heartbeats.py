"""Heartbeats: notices nodes gone silent. Silence is not death after a start, a reconnect or a jump of the clock."""

import asyncio
import time

import structlog

from agent.contract import messages, queues
from orchestrator.engine.resources import Resources
from orchestrator.store import Store
from orchestrator.store.scripts import REDIS_AWAY, unavailable

log = structlog.get_logger("engine")

WATCHED = {
    *("idle", "running", "offline", "starting", "waitingforstarttask", "starttaskfailed"),
    *("rebooting", "reimaging", "deallocating", "leavingpool"),  # they may wait for tasks that died with the agent
}
STARTING_GRACE = 4
"""A node that is starting may be silent this many times longer: an interpreter has to come up. And longer with each
boot of which nothing was heard: the host may be slow, and after a few the node is given up (domain/resize.py)."""


class Heartbeats:
    """Who was heard when, on the monotonic clock of this process. Nothing is written for a heartbeat."""

    def __init__(self, store: Store, lost_after_s: float, resources: Resources) -> None:
        self._store, self._lost_after, self._resources = store, lost_after_s, resources
        self._heard: dict[tuple[int, int], float] = {}
        self._ticked = self._looked = time.monotonic()

    def grace(self) -> None:
        """Every node gets a full fresh period."""
        self._heard.clear()

    async def listen(self) -> None:
        """Take heartbeats off the channel until the connection breaks."""
        try:
            async with self._store.redis.pubsub() as channel:
                await channel.psubscribe(queues.pulses(self._store.account))
                self.grace()
                while True:
                    message = await channel.get_message(ignore_subscribe_messages=True, timeout=30)
                    if message:
                        self._take(message["channel"].decode(), message["data"])
        except REDIS_AWAY as error:
            raise unavailable(error) from error

    def _take(self, channel: str, data: bytes) -> None:
        node = queues.who(channel)  # the server lets each boot publish on its own only
        self._heard[node] = time.monotonic()
        try:
            self._resources.take(node, messages.unpack(data))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            log.warning("unreadable_pulse", node=node[0], boot=node[1], size=len(data))

    async def run_once(self) -> list[int]:
        """Pause, then look once at all nodes; returns the nodes lost."""
        period = self._lost_after / 10
        await asyncio.sleep(period)
        now = time.monotonic()
        if now - self._ticked > period + self._lost_after / 2:
            log.warning("clock_jumped", seconds=round(now - self._ticked, 1))
            self.grace()
        self._ticked = now
        silent = any(now - at > self._lost_after for at in self._heard.values())
        # Nodes that were never heard are in the store only; it is read twice per period, not per tick.
        if silent or now - self._looked > self._lost_after / 2:
            self._looked = now
            return await self._lose_silent(now)
        return []

    async def _lose_silent(self, now: float) -> list[int]:
        lost = []
        nodes = {(n.number, n.boot): n for n in await self._store.nodes.all() if n.boot > 0 and n.state in WATCHED}
        self._heard = {key: at for key, at in self._heard.items() if key in nodes}
        for key, node in nodes.items():
            since = self._heard.setdefault(key, now)
            patience = self._lost_after * (STARTING_GRACE * max(1, node.tries) if node.state == "starting" else 1)
            if now - since > patience and await self._store.nodes.lose(*key):
                log.warning("node_lost", node=node.id, boot=node.boot, silent_s=round(now - since, 1))
                await self._store.jobs.redis(lambda _, k=key: self._store.access.revoke(*k))
                lost.append(node.number)
        return lost
