"""What a node may do in Redis: its own inbox, event list, bell and pulse, by one ACL user per boot.

Passwords are derived from the farm's secret, so the users can be made again
whenever the Redis server forgets them (they are not persisted; DESIGN, rule 4).
"""

import hashlib
import hmac
from urllib.parse import quote, urlsplit, urlunsplit

from redis.asyncio import Redis

from agent.contract import queues

COMMANDS = ("blpop", "rpush", "zadd", "publish", "ping", "auth", "hello", "select")


class Access:
    """Grants and revokes nodes' access. `secret` is the farm's; `redis_url` is where nodes reach Redis."""

    def __init__(self, redis: Redis, account: str, secret: bytes, redis_url: str) -> None:
        self._redis, self._account, self._secret, self._url = redis, account, secret, redis_url

    def user(self, node: int, boot: int) -> str:
        return f"nf-{self._account}-{node}-{boot}"

    def password(self, node: int, boot: int) -> str:
        text = f"redis:{self._account}:{node}:{boot}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    def url(self, node: int, boot: int) -> str:
        """The URL with which this boot of this node connects."""
        parts = urlsplit(self._url)
        user, password = quote(self.user(node, boot)), self.password(node, boot)
        if parts.scheme == "unix":
            return f"unix://{user}:{password}@{parts.path}"
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, f"{user}:{password}@{host}", parts.path, parts.query, ""))

    async def grant(self, node: int, boot: int) -> None:
        """Make the user of one boot; harmless when it is there."""
        allowed = (
            queues.inbox(self._account, node, boot),
            queues.events(self._account, node, boot),
            queues.bell(self._account),
        )
        await self._redis.execute_command(
            "ACL", "SETUSER", self.user(node, boot), "reset", "resetchannels", "on", f">{self.password(node, boot)}",
            *(f"~{key}" for key in allowed), f"&{queues.pulse(self._account, node, boot)}",
            *(f"+{command}" for command in COMMANDS),
        )  # fmt: skip

    async def revoke(self, node: int, boot: int) -> None:
        """Delete the user; its connections end at once, blocked ones too."""
        await self._redis.execute_command("ACL", "DELUSER", self.user(node, boot))

    async def granted(self) -> set[str]:
        """Names of this account's node users that the server knows now."""
        users = await self._redis.execute_command("ACL", "USERS")
        names = {u.decode() if isinstance(u, bytes) else u for u in users}
        return {name for name in names if name.startswith(f"nf-{self._account}-")}
