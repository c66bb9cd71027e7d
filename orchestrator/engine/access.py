"""Nodes' Redis users: made again whenever the server has forgotten them (they are not persisted)."""

from orchestrator.store import Store


class NodeUsers:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def restore(self) -> int:
        """Grant every booted node that lacks its user, revoke users of boots that are over."""
        access, part = self._store.access, self._store.jobs
        wanted = {
            access.user(n.number, n.boot): n
            for n in await self._store.nodes.all()
            if n.boot > 0 and not n.stopped and n.state != "preempted"
        }
        granted = await part.redis(lambda _: access.granted())
        for name in wanted.keys() - granted:
            node = wanted[name]
            if node.state != "unknown":
                await part.redis(lambda _, n=node: access.grant(n.number, n.boot))
        for name in granted - wanted.keys():
            node_number, boot = (int(part) for part in name.rsplit("-", 2)[1:])
            await part.redis(lambda _, n=node_number, b=boot: access.revoke(n, b))
        return len(wanted.keys() - granted)
