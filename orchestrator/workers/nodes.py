"""Makes the nodes of a pool what they should be. Level-triggered: it may be run at any time, as often as one likes."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog

from orchestrator.domain import endpoints, resize
from orchestrator.domain.catalogue import CatalogueError
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Node, Pool
from orchestrator.domain.resize import Places, Plan, Room
from orchestrator.domain.resize_errors import resize_errors
from orchestrator.drivers.base import DriverAway, DriverError, Handle, PortTaken
from orchestrator.drivers.strays import remove_strays, strays
from orchestrator.workers import housing, node_logs, ports
from orchestrator.workers.boots import boot_of, machine_of
from orchestrator.workers.context import BENCH, Context
from orchestrator.workers.housing import Shortage

log = structlog.get_logger("worker")

ALIVE = {"idle", "running", "offline", "waitingforstarttask", "starttaskfailed"}
"""States of a node whose agent has spoken."""
PORT_ATTEMPTS = 20
"""Ports of the host that may be somebody else's before a node is given up."""


def reconcile_pool(number: int) -> None:
    """RQ job: one pool by its number."""
    BENCH.run("pool", number, reconcile)


def remove_all_strays(number: int) -> None:
    """RQ job: whatever the driver has and the store does not know; `number` is always 0."""
    BENCH.run("strays", number, sweep_strays)


async def reconcile(context: Context, number: int) -> bool:
    """One look at a pool and its nodes, and one step of each towards what is wanted. Never wants to be run again."""
    # The driver first: a node begun in between then has a record without a handle, not the reverse.
    handles = {handle.node: handle for handle in await context.on_thread(context.driver.list)}
    pool = await context.store.pools.by_number(number)
    nodes = await context.store.nodes.of_pool(number) if pool else []
    await _remove_strays(context, (h for h in handles.values() if h.pool == number), nodes)
    if pool is None:
        await context.on_thread(context.driver.forget_pool, number)
        return False
    # Nobody else starts nodes of this pool now: one that is starting, or about to reboot, has an agent or has lost it.
    begun = ALIVE | {"starting", "rebooting", "reimaging", "deallocating"}
    if await _give_up_dead(context, handles.values(), nodes, begun):
        nodes = await context.store.nodes.of_pool(number)
    waiting = 0
    if any(node.state == "preempted" and not node.housed for node in nodes):
        returned, waiting = await context.store.nodes.return_preempted(number)
        if returned:
            nodes = await context.store.nodes.of_pool(number)
    limits = await _room(context, pool, nodes), await _places(context, pool, nodes)
    plan = resize.plan(pool, nodes, *limits, await housing.ceiling(context, pool))
    resisting: dict[int, str] = {}
    made = await _carry_out(context, pool, plan, handles, resisting)
    shortage = await housing.look_for_room(context, pool, plan, made, waiting)
    await _settle(context, pool, plan, resisting, shortage)
    return False


async def _settle(context: Context, planned: Pool, plan: Plan, resisting: dict[int, str], shortage: Shortage) -> None:
    """Judge what has become of the resize that was planned for."""
    if planned.state == "deleting" and await context.store.pools.gone(planned.number):
        await context.on_thread(context.driver.forget_pool, planned.number)
        return
    pool = await context.store.pools.by_number(planned.number)
    if pool is None:
        return
    errors: list[dict[str, Any]] | None = None
    if shortage.coming:
        errors = None  # what makes room has begun to
    elif pool.allocation_at == planned.allocation_at and plan.errors:
        errors = plan.errors
    elif pool.allocation != "steady":
        nodes = await context.store.nodes.of_pool(pool.number)
        errors = resize_errors(pool, nodes, await context.store.scripts.now(), resisting, shortage.why)
    await context.store.pools.settle(pool.number, pool.allocation_at, errors)


async def sweep_strays(context: Context, _: int) -> bool:
    """Remove what the driver has of nodes and pools without a record, and give up nodes whose agents are dead.

    The latter is for a farm that starts again: it need not wait for the silence of agents that cannot speak.
    """
    handles = await context.on_thread(context.driver.list)
    pools = await context.on_thread(context.driver.pools)
    nodes = await context.store.nodes.all()
    await _remove_strays(context, handles, nodes)
    for pool in pools:
        if await context.store.pools.by_number(pool) is None:
            await context.on_thread(context.driver.forget_pool, pool)
            log.warning("stray_pool_forgotten", pool=pool)
    # A node that is starting may be in the hands of another worker, its agent not yet made.
    await _give_up_dead(context, handles, nodes, ALIVE)
    return False


async def _give_up_dead(context: Context, handles: Iterable[Handle], nodes: list[Node], states: set[str]) -> int:
    """Nodes in these states whose agents are known to be dead need not be waited for; returns how many."""
    dead = {(handle.node, handle.boot) for handle in handles if not handle.alive}
    lost = 0
    for node in nodes:
        if (node.number, node.boot) in dead and node.state in states and not node.stopped:
            log.warning("node_dead", node=node.id, boot=node.boot)
            lost += await context.store.nodes.lose(node.number, node.boot)
    return lost


async def _remove_strays(context: Context, handles: Iterable[Handle], nodes: list[Node]) -> None:
    unknown = strays(handles, (node.number for node in nodes))
    if unknown:
        removed, errors = await context.on_thread(remove_strays, context.driver, unknown)
        log.warning("strays_removed", nodes=removed, errors=[str(error) for error in errors])


async def _room(context: Context, pool: Pool, nodes: list[Node]) -> Room:
    """Nodes of the pool's size that the account's core quotas still allow."""
    if len(nodes) >= pool.target_dedicated + pool.target_low_priority:
        return Room(pool.target_dedicated, pool.target_low_priority)  # nothing will be asked of it
    used = {True: 0, False: 0}
    for node in await context.store.nodes.all():
        used[node.dedicated] += _cores(context, node.vm_size)
    limits, each = await context.store.quotas.current(), _cores(context, pool.vm_size)
    return Room(max(0, (limits.cores - used[True]) // each), max(0, (limits.low_priority_cores - used[False]) // each))


async def _places(context: Context, pool: Pool, nodes: list[Node]) -> Places | None:
    """What the pool's network allows: addresses of the subnet it names, nodes that may talk to each other."""
    if len(nodes) >= pool.target_dedicated + pool.target_low_priority:
        return None  # nothing will be asked of it
    found = []
    if pool.body.get("enableInterNodeCommunication"):
        most = (await context.store.quotas.current()).inter_node
        why = f"A pool with inter-node communication has at most {most} nodes"
        found.append(Places(max(0, most - len(nodes)), why))
    network = endpoints.network_name(pool.body)
    if network:
        try:
            free = await context.on_thread(context.driver.places, network)
            # Records without a container have no address yet, but will need one.
            unborn = sum(node.state == "creating" and node.boot == 0 for node in nodes)
            found.append(Places(max(0, free - unborn), f"The network {network} has no addresses for more nodes"))
        except DriverError as error:
            log.warning("network_not_seen", network=network, error=error.message)
            found.append(Places(0, error.message))
    return min(found, key=lambda places: places.free, default=None)


def _cores(context: Context, vm_size: str) -> int:
    """A size that the owner has taken out of the catalogue since counts as one core."""
    try:
        return context.catalogue.size(vm_size).cores
    except CatalogueError:
        return 1


async def _carry_out(
    context: Context, pool: Pool, plan: Plan, handles: dict[int, Handle], resisting: dict[int, str]
) -> list[Node]:
    """Everything at once; the nodes made. One node's failure is its own; Redis gone ends the run when the others are
    through.
    """
    made: list[Node] = []
    steps: list[Coroutine[Any, Any, None]] = [_boot(context, pool, node) for node in (*plan.boot, *plan.restart)]
    steps += [_stop(context, node) for node in plan.stop]
    steps += [_give_up(context, node) for node in plan.give_up]
    steps += [_remove(context, pool, node, handles.get(node.number), resisting) for node in plan.remove]
    steps += [_vacate(context, node) for node in plan.vacate]
    steps.append(_create(context, pool, plan.dedicated, plan.low_priority, made))
    outcomes = await asyncio.gather(*steps, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return made


async def _create(context: Context, pool: Pool, dedicated: int, low_priority: int, made: list[Node]) -> None:
    """Make records, a hundred at most at a time, and boot them; `made` grows by them."""
    while dedicated + low_priority > 0:
        each = housing.size_of(context, pool)
        new = await context.store.nodes.create(pool.number, dedicated, low_priority, each)
        if not new:
            return
        made += new
        dedicated -= sum(node.dedicated for node in new)
        low_priority -= sum(not node.dedicated for node in new)
        await asyncio.gather(*(_boot(context, pool, node) for node in new))


async def _boot(context: Context, pool: Pool, node: Node) -> None:
    """Begin the node's next boot and have its agent started."""
    store = context.store
    wipe = node.state == "reimaging"
    await _prepare(context, pool)
    try:
        boot, before = await store.nodes.boot(node.number, "", pool.body.get("startTask"))
    except Refused as refusal:
        log.info("node_not_booted", node=node.id, code=refusal.code)  # it was removed meanwhile
        return
    await store.nodes.redis(lambda _: store.access.grant(node.number, boot))
    try:
        # Of a preempted node that returns nothing is left on the host.
        await _started(context, pool, node, boot, bool(before) and node.state != "creating", wipe)
        log.info("node_booted", node=node.id, boot=boot, was=node.state, dedicated=node.dedicated)
    except Refused as refusal:
        if refusal.code != "NodeNotFound":
            await store.nodes.failed(node.number, boot, refusal.code, refusal.message)
    except DriverAway as error:
        # The node stays `starting`, is missed like any that does not speak, and gets another boot then.
        log.warning("driver_away", node=node.id, boot=boot, error=error.message)
    except DriverError as error:
        await _fail(context, node, boot, error)
    if before:
        await _close(context, node.number, before)


async def _prepare(context: Context, pool: Pool) -> None:
    """What takes long goes before the boot, with which the node's time to speak begins. The boot tells what failed."""
    try:
        await context.on_thread(context.driver.prepare, machine_of(context, pool))
    except DriverError as error:
        log.info("pool_not_prepared", pool=pool.id, code=error.code, error=error.message)


async def _started(context: Context, pool: Pool, node: Node, boot: int, again: bool, wipe: bool) -> None:
    """Have the agent of this boot run, at other ports when those it was given turn out to be taken.

    Raises:
        DriverError: it cannot be had. Refused: NodeNotFound, PortsUsedUp.
    """
    driver, machine, taken = context.driver, machine_of(context, pool), set[int]()
    certificates = await context.store.nodes.has_certificates(node.number)
    for left in reversed(range(PORT_ATTEMPTS)):
        told = boot_of(context, pool, node, boot, await ports.give(context, pool, node, taken), certificates)
        try:
            call = (driver.restart, told, machine, wipe) if again else (driver.create, told, machine)
            await context.on_thread(*call)
            return
        except PortTaken as error:
            log.info("port_taken", node=node.id, port=error.port)
            taken.add(error.port)
            if not left:
                raise


async def _fail(context: Context, node: Node, boot: int, error: DriverError) -> None:
    log.warning("node_failed", node=node.id, boot=boot, code=error.code, error=error.message)
    kept = await node_logs.keep(context, node.number)
    await context.store.nodes.failed(node.number, boot, error.code, error.message, kept)


async def _give_up(context: Context, node: Node) -> None:
    """A node that was started several times and never spoke is not started again and again."""
    error = DriverError("NodeNotResponding", f"the node was started {node.tries} times and its agent never reported")
    try:
        await context.on_thread(context.driver.stop, node.number)
    except DriverError as other:
        log.warning("node_not_stopped", node=node.id, code=other.code, error=other.message)
    await _fail(context, node, node.boot, error)


async def _stop(context: Context, node: Node) -> None:
    """Deallocate: its processes end, its files stay."""
    try:
        await context.on_thread(context.driver.stop, node.number)
    except DriverAway as error:
        log.warning("driver_away", node=node.id, error=error.message)  # the next look stops it
        return
    except DriverError as error:
        await _fail(context, node, node.boot, error)
        return
    if await context.store.nodes.stopped(node.number, node.boot):
        await _close(context, node.number, node.boot)
        log.info("node_deallocated", node=node.id, boot=node.boot)


async def _vacate(context: Context, node: Node) -> None:
    """End a preempted node; what it had on disk goes too (spec/behaviour.md, 25). Its room is free afterwards."""
    try:
        await context.on_thread(context.driver.remove, node.number)
    except DriverError as error:
        log.warning("node_not_vacated", node=node.id, code=error.code, error=error.message)  # the next look tries again
        return
    if node.logs:
        await node_logs.forget(context, node.number)
    if node.boot:
        await _close(context, node.number, node.boot)
    if await context.store.nodes.vacate(node.number):
        log.info("node_vacated", node=node.id, boot=node.boot, dedicated=node.dedicated)


async def _close(context: Context, node: int, boot: int) -> None:
    """Cut off a boot whose agent is gone. Not earlier: an agent that cannot say its last words tries for seconds."""
    store = context.store
    await store.nodes.redis(lambda _: store.access.revoke(node, boot))
    queues = [store.keys(name, node=node, boot=boot) for name in ("inbox", "events")]
    await store.nodes.redis(lambda redis: redis.unlink(*queues))


async def _remove(context: Context, pool: Pool, node: Node, handle: Handle | None, resisting: dict[int, str]) -> None:
    """Take the node out of the pool; one whose agent is dead has nothing left to wait for."""
    store = context.store
    empty = await store.nodes.leave(pool.number, node.number)
    if not empty and handle is not None and handle.alive:
        return
    try:
        await context.on_thread(context.driver.remove, node.number)
    except DriverError as error:
        log.warning("node_not_removed", node=node.id, code=error.code, error=error.message)
        resisting[node.number] = error.message
        return
    if node.logs:
        await node_logs.forget(context, node.number)
    if node.boot:
        await _close(context, node.number, node.boot)
    await store.nodes.forget(node.number)
    log.info("node_removed", node=node.id, dedicated=node.dedicated)
