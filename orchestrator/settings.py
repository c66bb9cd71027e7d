"""Configuration, read once. Every setting is `FARM_<NAME>` in the environment; times in seconds, sizes in bytes."""

import os
from pathlib import Path
from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.domain.catalogue import OWN, TAG


class Settings(BaseSettings):
    """What the processes of one farm agree on.

    What is secret may lie in files of the folder FARM_SECRETS_DIR, named like the variables: `farm_redis_url`.
    """

    model_config = SettingsConfigDict(
        env_prefix="FARM_", extra="ignore", secrets_dir=os.environ.get("FARM_SECRETS_DIR") or None
    )

    account: str = "farm"
    data_dir: Path = Path("~/.local/share/nodefarm").expanduser()
    redis_url: str = "redis://127.0.0.1:6379/0"
    api_url: str = "http://127.0.0.1:8480"  # what clients and nodes call
    host: str = "127.0.0.1"
    port: int = 8480
    driver: str = "process"
    node_api_url: str = ""  # what nodes call; empty: api_url
    node_redis_url: str = ""  # where nodes reach Redis, without credentials; empty: redis_url
    node_host: str = ""  # the API listens here too, for nodes
    storage: str = ""  # empty: a folder under data_dir; else s3://BUCKET[/PREFIX], credentials in AWS_*
    s3_endpoint: str = ""  # URL of the S3 server; empty: Amazon's
    s3_public_endpoint: str = ""  # URL of the same server as nodes reach it; empty: s3_endpoint
    s3_region: str = ""
    catalogue: Path | None = None
    secret_file: Path | None = None  # default: data_dir/secret; seals secrets, signs tokens and URLs

    blob_endpoint: str = "https://{account}.blob.core.windows.net"  # Blob service of accounts that pools mount from

    heartbeat: float = 2.0
    lost_after: float = 10.0  # a node without a heartbeat for this long is lost
    patience: float = 30.0  # a task passed over for this long reserves a node
    sweep: float = 15.0  # slow safety sweeps of the engine
    node_disk: int = 0  # disk share per node; 0: no limit but the next line
    reserved_disk: int = 1 << 30  # of the host's disk: a task that writes it fuller than this ends with DiskFull
    image_tag: str = OWN  # of the farm's own images; what follows and the catalogue may say {tag} for it
    node_image: str = "nodefarm/node:{tag}"  # the Docker driver's stock image
    agent_image: str = "nodefarm/agent:{tag}"  # what it brings into every node
    broker_url: str = ""  # where nodes reach the broker of task containers; empty: there is none
    broker_host: str = "127.0.0.1"  # where the broker listens
    broker_port: int = 8481
    network_range: str = "10.192.0.0/12"  # cut into one network per pool
    network_prefix: int = 22  # bits of such a network: 22 has room for 512 nodes
    node_services: str = ""  # URLs of the farm's services that tasks may reach besides the API, separated by spaces
    uid_base: int = 200_000  # first of the reserved range of numeric task users
    min_resize_timeout: float = 300.0
    min_autoscale_interval: float = 300.0
    min_autoscale_pause: float = 30.0  # between two enableautoscale calls of a pool
    sample_period: float = 30.0  # between measurements of pools that autoscale
    sample_history: float = 7 * 86400.0  # measurements are kept this long
    usage_interval: float = 1800.0  # what pool usage metrics are added up for
    min_recurrence: float = 60.0  # shortest recurrenceInterval and startWindow of job schedules
    quota_pools: int = 500
    quota_jobs: int = 3000
    quota_cores: int = 20_000
    quota_low_priority_cores: int = 20_000
    quota_inter_node: int = 100  # nodes of a pool with inter-node communication
    capacity: str = ""  # what nodes may take in all: host, or cores=16,memory=64g; empty: the farm overcommits
    node_address: str = "127.0.0.1"  # of the host: where the ports of nodes are published
    log_level: str = "info"
    beat_file: Path | None = None  # engine, workers and janitor touch it while they do their work

    @model_validator(mode="after")
    def _tagged(self) -> Self:
        self.node_image = self.node_image.replace(TAG, self.image_tag)
        self.agent_image = self.agent_image.replace(TAG, self.image_tag)
        return self

    @property
    def store_for_nodes(self) -> str:
        """The object store's URL as nodes reach it, past the API; empty where bytes pass through the API."""
        return (self.s3_public_endpoint or self.s3_endpoint) if self.storage else ""

    @property
    def url_for_nodes(self) -> str:
        """The API's base URL as nodes reach it."""
        return self.node_api_url or self.api_url
