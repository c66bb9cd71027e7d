"""What is wired only where nodes are containers: loaded on demand, as the library behind it loads slowly."""

from ipaddress import IPv4Network

from orchestrator.drivers.docker import DockerDriver, Names, Options
from orchestrator.drivers.docker.engine import connect
from orchestrator.drivers.docker.images import Images
from orchestrator.drivers.docker.task_containers import TaskContainers
from orchestrator.settings import Settings


def driver(settings: Settings, secret: bytes) -> DockerDriver:
    """The Docker driver itself, for who ends its nodes or wants its address on this host.

    Raises:
        ValueError: the network range is none, or has no room for networks of that size.
    """
    space = IPv4Network(settings.network_range)
    if not space.prefixlen <= settings.network_prefix <= 29:
        raise ValueError(f"FARM_NETWORK_PREFIX={settings.network_prefix}: between {space.prefixlen} and 29 for {space}")
    options = Options(
        settings.node_image, settings.agent_image, space, settings.network_prefix, settings.uid_base,
        containers=bool(settings.broker_url),
        open=_open_services(settings),
    )  # fmt: skip
    return DockerDriver(Names.of(settings.account, secret), options)


def task_containers(settings: Settings, secret: bytes) -> tuple[Images, TaskContainers]:
    """What the broker of this host works with; blocks while Docker is asked.

    Raises:
        DriverAway: Docker does not answer.
    """
    client = connect()
    names = Names.of(settings.account, secret)
    return Images(client), TaskContainers(client, names, settings.data_dir / "broker")


def _open_services(settings: Settings) -> tuple[str, ...]:
    """URLs of the farm's services that tasks of Docker nodes may reach: those that are named, and the object store."""
    storage = (settings.s3_public_endpoint or settings.s3_endpoint) if settings.storage else ""
    return tuple(filter(None, (*settings.node_services.split(), storage)))
