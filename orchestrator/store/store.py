"""The store of one account: state in Redis, changed by Lua transitions only."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from orchestrator.domain.errors import FarmError
from orchestrator.domain.vault import Vault
from orchestrator.store.access import Access
from orchestrator.store.accounts import Accounts
from orchestrator.store.applications import Applications
from orchestrator.store.autoscale import Autoscale
from orchestrator.store.base import Limits
from orchestrator.store.bells import Bells
from orchestrator.store.blobs import Blobs
from orchestrator.store.certificates import Certificates
from orchestrator.store.host import Host
from orchestrator.store.housing import Housing
from orchestrator.store.jobs import Jobs
from orchestrator.store.keys import SCHEMA, Keys
from orchestrator.store.measuring import Measuring
from orchestrator.store.nodes import Nodes
from orchestrator.store.objects import Objects
from orchestrator.store.pools import Pools
from orchestrator.store.quotas import Quotas
from orchestrator.store.schedules import Schedules
from orchestrator.store.scripts import Scripts
from orchestrator.store.situations import Situations
from orchestrator.store.statistics import Statistics
from orchestrator.store.tasks import Tasks
from orchestrator.store.work import Work

OLDEST_REDIS = (6, 2)


class SchemaError(FarmError):
    """The data was written by a newer farm, or by a newer Redis server than this one."""


class Store:
    """Everything the orchestrator knows. Make it with `open`."""

    def __init__(
        self, redis: Redis, redis_url: str, account: str, vault: Vault, secret: bytes, limits: Limits, node_url: str
    ) -> None:
        self.redis, self.account, self.vault, self.limits = redis, account, vault, limits
        self.redis_url = redis_url
        self.keys = Keys(account)
        self.scripts = Scripts(redis, account)
        self.bells = Bells(redis, self.keys, self.scripts)
        parts = (redis, self.keys, self.scripts, limits)
        self.access = Access(redis, account, secret, node_url)
        self.accounts = Accounts(redis, self.keys, vault)
        self.pools, self.nodes, self.jobs, self.tasks = Pools(*parts), Nodes(*parts), Jobs(*parts), Tasks(*parts)
        self.schedules = Schedules(*parts)
        self.autoscale = Autoscale(*parts).attach(self.pools)
        self.measuring, self.statistics = Measuring(*parts), Statistics(*parts)
        self.quotas, self.housing = Quotas(*parts), Housing(*parts)
        self.applications, self.certificates = Applications(*parts), Certificates(*parts)
        self.blobs, self.objects = Blobs(*parts), Objects(*parts)
        self.work, self.host = Work(*parts), Host(*parts)
        self.situations = Situations(*parts).attach(self.pools, self.nodes, self.jobs, self.tasks)

    @classmethod
    async def open(
        cls,
        redis_url: str,
        account: str,
        secret: bytes,
        limits: Limits | None = None,
        patience_s: float = 30.0,
        node_url: str = "",
        usage_interval_s: float = 1800.0,
    ) -> "Store":
        """Connect, check that this Redis and this code can read what is there, note the schema.

        Args:
            node_url: where nodes reach the same Redis; empty: where we do.
            usage_interval_s: for how long each figure of pool usage is.

        Raises:
            SchemaError: newer data, or an older Redis server than the one that wrote it.
        """
        # A transition may be repeated by its caller, but not silently by the client: what failed is told.
        redis = Redis.from_url(
            redis_url, retry=Retry(NoBackoff(), 0), socket_timeout=10, socket_connect_timeout=5, health_check_interval=0
        )
        store = cls(redis, redis_url, account, Vault(secret), secret, limits or Limits(), node_url or redis_url)
        await store._check_schema(patience_s, usage_interval_s)
        return store

    async def close(self) -> None:
        await self.bells.close()
        await self.redis.aclose()

    async def _check_schema(self, patience_s: float, usage_interval_s: float = 1800.0) -> None:
        info = await self.redis.info("server")
        version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
        if version < OLDEST_REDIS:
            raise SchemaError(f"Redis {info['redis_version']} is too old; 6.2 or later is needed")
        meta = {k.decode(): v.decode() for k, v in (await self.redis.hgetall(self.keys("meta"))).items()}
        if int(meta.get("schema", SCHEMA)) > SCHEMA:
            raise SchemaError(f"the data has schema {meta['schema']}, this farm knows up to {SCHEMA}")
        written = tuple(int(part) for part in meta.get("redis_version", "0.0").split("."))
        if written > version:
            raise SchemaError(f"the data was written by Redis {meta['redis_version']}, this server is {version}")
        await self.redis.hset(
            self.keys("meta"),
            mapping={
                "schema": SCHEMA,
                "redis_version": ".".join(map(str, version)),
                "patience": int(patience_s * 1_000_000),
                "usage_length": int(usage_interval_s * 1_000_000),
                "since": meta.get("since", await self.scripts.now()),
            },
        )
