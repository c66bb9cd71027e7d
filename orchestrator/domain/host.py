"""The host that nodes live on, as far as pools name parts of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Surroundings:
    """Names of the networks that a pool's subnetId may mean, and the host's own IPv4 addresses."""

    networks: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
