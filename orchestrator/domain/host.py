"""The host that nodes live on, as far as pools name parts of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Surroundings:
    """Networks that a pool's subnetId may mean, the host's own IPv4 addresses, tags of images for nodes."""

    networks: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
