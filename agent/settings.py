"""The agent's own configuration, read once from the environment. Times in seconds, sizes in bytes.

What concerns one node comes in its boot file (contract/boot.py); these are the
same for all nodes of an installation and rarely changed.
"""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each may be set as NODEFARM_AGENT_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="NODEFARM_AGENT_", frozen=True)

    redis_answer_s: float = Field(5.0, description="longest wait for an answer of Redis")
    block_s: int = Field(60, description="one blocking read of the inbox; only bounds how long a dead peer is unseen")
    backoff_first_s: float = Field(0.05, description="first wait before a reconnect; doubles")
    backoff_most_s: float = Field(2.0, description="longest wait before a reconnect")
    full_retry_s: float = Field(0.5, description="wait before a report is offered to a full Redis again")
    refused_s: float = Field(20.0, description="Redis refusing the login for longer than this means superseded")
    terminate_grace_s: float = Field(1.0, description="between SIGTERM and SIGKILL when a task is terminated")
    shutdown_s: float = Field(4.0, description="time to end tasks and deliver reports on SIGTERM")

    api_patience_s: float = Field(
        120.0, description="how long an unreachable API is asked again before a task is given back"
    )
    http_timeout_s: float = Field(30.0, description="silence of a peer before a transfer counts as broken")
    http_attempts: int = Field(5, description="attempts of a download or upload step")
    http_backoff_s: float = Field(0.5, description="first wait between attempts; doubles")
    part_bytes: int = Field(16 << 20, description="part of a large file")
    parallel_above_bytes: int = Field(64 << 20, description="files above this are fetched in parallel parts")
    parallel_parts: int = Field(4, description="parts of one file in flight")

    package_bytes: int = Field(20 << 30, description="most bytes a package may unpack to")
    package_ratio: int = Field(200, description="most a package may grow by unpacking, beyond the first 100 MiB")
    package_entries: int = Field(200_000, description="most files in a package")

    sweep_interval_s: float = Field(5.0, description="between looks for expired task directories")
    sweep_pause_s: float = Field(
        0.002, description="pause after each deleted file's directory, to stay off the hot path"
    )
    sweep_bucket_s: float = Field(60.0, description="deadlines of task directories are rounded up to this")
    usage_interval_s: float = Field(2.0, description="between looks at the disk usage of running tasks")
    usage_full_s: float = Field(600.0, description="between full walks of the node's root")

    log_bytes: int = Field(4 << 20, description="size of the agent's log before it is rotated")
