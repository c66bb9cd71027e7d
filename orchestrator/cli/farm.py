"""`farm up` itself: which processes a farm consists of, and how they start, drain and end."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import redis

from orchestrator import wiring
from orchestrator.cli import embedded_redis, leftovers, node_containers
from orchestrator.cli.drain import drain, resume
from orchestrator.cli.errors import CliError
from orchestrator.cli.folder import LOGS, START_SECONDS, Credentials, Lock, holder, make_folder
from orchestrator.cli.processes import become_subreaper, end, me
from orchestrator.cli.supervisor import Member, Supervisor, child_environment
from orchestrator.domain.errors import FarmError
from orchestrator.domain.vault import without_secrets
from orchestrator.drivers import procfs
from orchestrator.drivers.base import DOCKER
from orchestrator.settings import Settings
from orchestrator.storage.base import StorageError

AGENT_GRACE = 10.0


@dataclass(frozen=True)
class Options:
    """What `farm up` was told."""

    folder: Path
    account: str = "farm"
    key: str | None = None
    host: str = "127.0.0.1"
    port: int = 8480  # 0: any free one
    driver: str = "process"
    redis_url: str | None = None
    fsync: str = "everysec"
    workers: int = 1
    storage: str = ""
    s3_endpoint: str = ""
    capacity: str = ""

    def told(self) -> dict[str, str | int]:
        """Each option by its name on the command line, nothing secret."""
        return {
            "driver": self.driver, "host": self.host, "port": self.port, "account": self.account, "fsync": self.fsync,
            "workers": self.workers, "storage": self.storage, "s3_endpoint": self.s3_endpoint,
            "capacity": self.capacity, "redis": without_secrets(self.redis_url or ""),
        }  # fmt: skip


class FarmProcess:
    """One running farm: the supervisor with its members, from start to the last process's end."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stop = asyncio.Event()
        self._drain = False
        make_folder(options.folder)
        self._lock = Lock(options.folder, options.told())
        self._supervisor = Supervisor(options.folder / LOGS)

    async def run(self) -> None:
        """Start, say `ready`, run until told to stop, end everything.

        Raises:
            CliError: the folder or the port is taken, or a part does not come up.
        """
        if not self._lock.take():
            other = holder(self._options.folder)
            who = f" (pid {other.process.pid})" if other else ""
            raise CliError(f"{self._options.folder} belongs to a farm that runs{who}; farm down ends it")
        become_subreaper()
        self._catch_signals()
        try:
            starting = asyncio.create_task(self._start())
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.wait({starting})
                return
            credentials = starting.result()
            self._lock.say("ready")
            print(credentials.line, flush=True)
            await stopping
            self._lock.say("stopping")
            if self._drain:
                await asyncio.to_thread(drain, credentials, self._options.folder)
        finally:
            await self._end()
            self._lock.free()

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGUSR1, self._drain_and_stop)
        loop.add_signal_handler(signal.SIGCHLD, self._supervisor.reap)

    def _drain_and_stop(self) -> None:
        self._drain = True
        self._stop.set()

    async def _start(self) -> Credentials:
        options = self._options
        if options.driver == DOCKER:
            node_containers.expect(options.folder, options.account)
        port = usable_port(options.host, options.port)
        host_for_nodes = await asyncio.to_thread(self._host_for_nodes)
        redis_url, node_redis_url = options.redis_url, ""
        if redis_url is None:
            redis_url, node_redis_url = await self._start_redis(host_for_nodes)
        endpoint = f"http://{_reachable(options.host)}:{port}"
        broker_port = usable_port(host_for_nodes, 0) if host_for_nodes else 0
        environment = child_environment(
            {
                **(_broker(host_for_nodes, broker_port) if host_for_nodes else {}),
                **({"FARM_NODE_REDIS_URL": node_redis_url} if node_redis_url else {}),
                **(_way_for_nodes(host_for_nodes, port) if host_for_nodes else {}),
                "FARM_ACCOUNT": options.account,
                "FARM_DATA_DIR": str(options.folder),
                "FARM_REDIS_URL": redis_url,
                "FARM_API_URL": endpoint,
                "FARM_HOST": options.host,
                "FARM_PORT": str(port),
                "FARM_DRIVER": options.driver,
                "FARM_CAPACITY": options.capacity,
                "FARM_STORAGE": options.storage,
                "FARM_S3_ENDPOINT": options.s3_endpoint,
                leftovers.MARK: str(options.folder),
            }
        )
        credentials = Credentials(endpoint, options.account, await self._key(redis_url))
        # all at once: most of their start is Python's reading of modules, and each waits for Redis alone
        api = await self._supervisor.add("api", _python("orchestrator.api.serve"), environment)
        broker = None
        if host_for_nodes:
            broker = await self._supervisor.add("broker", _python("orchestrator.broker"), environment)
        others = [await self._supervisor.add("engine", _python("orchestrator.engine"), environment)]
        for number in range(1, options.workers + 1):
            name = "worker" if options.workers == 1 else f"worker-{number}"
            others.append(await self._supervisor.add(name, _python("orchestrator.workers"), environment))
        await self._expect(api, lambda: _healthy(endpoint))
        if broker is not None:
            await self._expect(broker, lambda: _healthy(f"http://{host_for_nodes}:{broker_port}"))
        for member in others:
            await self._expect(member, partial(getattr, member.journal, "ready"))
        credentials.write(options.folder)
        await asyncio.to_thread(resume, credentials, options.folder)
        return credentials

    def _host_for_nodes(self) -> str:
        """An address of this host that nodes reach us at, where they cannot use its loopback; else nothing.

        Raises:
            CliError: the driver cannot be had.
        """
        if self._options.driver != DOCKER or Settings().node_api_url:
            return ""
        try:
            return self._home()
        except (FarmError, ValueError, OSError) as error:
            raise CliError(f"the Docker driver cannot be used: {error}") from error

    def _home(self) -> str:
        from orchestrator import docker_wiring  # slow to load

        settings = Settings(data_dir=self._options.folder, account=self._options.account)
        return docker_wiring.driver(settings, wiring.secret(settings)).home()

    async def _start_redis(self, host_for_nodes: str) -> tuple[str, str]:
        """Our URL, and that of nodes where they need another one."""
        folder = self._options.folder
        server = embedded_redis.find()
        port = usable_port(host_for_nodes or "127.0.0.1", 0)
        place = embedded_redis.prepare(folder / "redis", server, self._options.fsync, port, host_for_nodes)
        if place.socket is not None:
            place.socket.unlink(missing_ok=True)
        environment = child_environment({leftovers.MARK: str(folder)})
        member = await self._supervisor.add("redis", [str(server.binary), str(place.config)], environment)
        await self._expect(member, lambda: _answers(place.url))
        return place.url, place.node_url

    async def _expect(self, member: Member, ready: Callable[[], bool]) -> None:
        if not await self._supervisor.until_alive(ready, member, START_SECONDS):
            log = self._options.folder / LOGS / f"{member.name}.log"
            raise CliError(f"{member.name} does not come up: {member.journal.last}\nIts log: {log}")

    async def _key(self, redis_url: str) -> str:
        """The account's first key: the one given from now on, else the one it has, else a new one.

        Read from the store, not from the credentials of the last start: it may have been replaced since.
        """
        options = self._options
        settings = Settings(
            data_dir=options.folder,
            redis_url=redis_url,
            account=options.account,
            storage=options.storage,
            s3_endpoint=options.s3_endpoint,
        )
        try:
            farm = await wiring.open_farm(settings)
            try:
                await farm.containers.storage.check()
                return (await farm.store.accounts.ensure(options.key))["primary"]
            finally:
                await farm.close()
        except StorageError as error:
            raise CliError(f"cannot use {options.storage or options.folder} for files: {error.message}") from error
        except (FarmError, redis.RedisError, ValueError, OSError) as error:
            raise CliError(f"cannot open the farm at {without_secrets(redis_url)}: {error}") from error

    async def _end(self) -> None:
        """Who starts nodes first, then the nodes, then the API, and Redis last: each can still say what it did."""
        members = {member.name: member for member in self._supervisor.members}
        redis_server, api = members.pop("redis", None), members.pop("api", None)
        await asyncio.gather(*(member.stop() for member in members.values()))
        folder = self._options.folder
        await asyncio.to_thread(lambda: end(leftovers.agents(folder), AGENT_GRACE))
        if self._options.driver == DOCKER:
            await asyncio.to_thread(self._remove_containers)
        for member in filter(None, (api, redis_server)):
            await member.stop()
        await asyncio.to_thread(lambda: end([*procfs.descendants(me()), *leftovers.marked(folder)], 2.0))
        self._supervisor.reap()

    def _remove_containers(self) -> None:
        """What cannot be removed now is found by its labels at the next start, or by `farm down`."""
        try:
            node_containers.remove(self._options.folder)
        except (FarmError, ValueError, OSError) as error:
            self._supervisor.journal.note("nodes were not removed", error=str(error))


def _broker(host: str, port: int) -> dict[str, str]:
    return {"FARM_BROKER_URL": f"http://{host}:{port}", "FARM_BROKER_HOST": host, "FARM_BROKER_PORT": str(port)}


def usable_port(host: str, port: int) -> int:
    """The port, or a free one for 0.

    Raises:
        CliError: somebody listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CliError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
        return int(probe.getsockname()[1])


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _way_for_nodes(host: str, port: int) -> dict[str, str]:
    return {"FARM_NODE_HOST": host, "FARM_NODE_API_URL": f"http://{host}:{port}"}


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "") else host


def _healthy(endpoint: str) -> bool:
    try:
        return httpx.get(f"{endpoint}/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _answers(url: str) -> bool:
    """Redis takes commands; while it still reads its file it says LOADING."""
    with redis.Redis.from_url(url, socket_timeout=2) as connection:
        try:
            return bool(connection.ping())
        except redis.RedisError:
            return False
