"""Builds concrete objects, as does `docker_wiring`; nobody else names concrete classes. Only entry points import it."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain import catalogue
from orchestrator.domain.catalogue import Catalogue
from orchestrator.domain.vault import Vault
from orchestrator.drivers.base import DOCKER, PROCESS, Driver
from orchestrator.drivers.process import ProcessDriver
from orchestrator.settings import Settings
from orchestrator.storage.base import Storage
from orchestrator.storage.containers import Containers
from orchestrator.storage.folder import Folder
from orchestrator.store import Limits, Store


@dataclass(frozen=True)
class Farm:
    """The parts that every process of a farm works with."""

    settings: Settings
    secret: bytes
    vault: Vault
    catalogue: Catalogue
    store: Store
    containers: Containers

    async def close(self) -> None:
        """Let go of Redis and of open files."""
        await self.containers.storage.close()
        await self.store.close()


async def open_farm(settings: Settings | None = None) -> Farm:
    """Connect one process to its farm; the account has keys afterwards.

    Raises:
        Unavailable: Redis cannot be reached.
        BadCatalogue, ValueError, OSError: a file of the configuration is wrong.
    """
    settings = settings or Settings()
    key = secret(settings)
    vault = Vault(key)
    known = catalogue.load(settings.catalogue, settings.image_tag)
    limits = Limits(
        settings.quota_pools,
        settings.quota_jobs,
        settings.quota_cores,
        settings.quota_low_priority_cores,
        settings.quota_inter_node,
    )
    store = await Store.open(
        settings.redis_url, settings.account, key, limits, settings.patience, settings.node_redis_url,
        settings.usage_interval,
    )  # fmt: skip
    store.autoscale.configure(round(settings.sample_period * 1e6), round(settings.sample_history * 1e6))
    return Farm(settings, key, vault, known, store, containers(settings, key, store))


def secret(settings: Settings) -> bytes:
    """The farm's secret, made at the first start: 32 random bytes that only the farm's user may read.

    Raises:
        ValueError: the file is shorter than that.
        OSError: it can neither be read nor made.
    """
    path = settings.secret_file or settings.data_dir / "secret"
    if not path.exists():
        _make(path)
    found = path.read_bytes()
    if len(found) < 32:
        raise ValueError(f"{path} holds {len(found)} bytes; a farm's secret has at least 32")
    return found


def containers(settings: Settings, key: bytes, store: Store) -> Containers:
    """The object store behind the farm's container URLs.

    Raises:
        ValueError: the settings name a kind of storage that this farm does not have.
    """
    storage = _storage(settings, store)
    return Containers(storage, settings.account, key, settings.api_url, node_url=settings.node_api_url)


def _storage(settings: Settings, store: Store) -> Storage:
    if not settings.storage:
        return Folder(settings.data_dir / "storage", settings.account)
    # botocore takes a while to load, and most farms have a folder
    from orchestrator.storage.bucket import Bucket, Place
    from orchestrator.storage.s3 import S3

    place = Place.parse(settings.storage, settings.s3_endpoint, settings.s3_public_endpoint, settings.s3_region)
    return S3(Bucket(place, settings.account), store.blobs, store.objects)


def driver(settings: Settings) -> Driver:
    """What makes nodes, by the name in the settings.

    Raises:
        ValueError: there is no driver of that name.
    """
    if settings.driver == PROCESS:
        return ProcessDriver(settings.data_dir, settings.uid_base)
    if settings.driver == DOCKER:
        from orchestrator import docker_wiring  # its library takes a while to load, and many farms have processes

        return docker_wiring.driver(settings, secret(settings))
    known = ", ".join((PROCESS, DOCKER))
    raise ValueError(f"there is no driver {settings.driver!r}; the drivers are: {known}")


def _make(path: Path) -> None:
    """Write a new secret; of several processes that start at once, all read the one that was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(secrets.token_bytes(32))
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # somebody was faster: theirs counts
    finally:
        draft.unlink()
