"""A small process that sees a crowd come while the agent cannot, and has the agent run at once (docs/decisions/022).

It has a deadline all the time, which is exempt from the node's quota; the agent,
which works too much for that, gets one from it when it matters.
"""

import os
import time

from agent import confinement, priority
from agent.crowding import CROWDED, Limit

_LOOK_S = 0.1


def post(limit: Limit) -> None:
    """Fork it off, before there are threads. It ends with its parent, this process."""
    agent = os.getpid()
    if not limit.most or os.fork():
        return
    try:
        confinement.die_with_parent()
        if os.getppid() == agent:
            _watch(limit, agent)
    finally:
        os._exit(0)


def _watch(limit: Limit, agent: int) -> None:
    priority.be_sentry()
    seen = limit.refusals()
    while True:
        time.sleep(_LOOK_S)
        before, seen = seen, limit.refusals()
        if seen > before or limit.now() > CROWDED * limit.most:
            priority.urgent(agent)
