"""The agent's own configuration, read once from the environment. Times in seconds, sizes in bytes.

What concerns one node comes in its boot file (contract/boot.py); these are the
same for all nodes of an installation and rarely changed. Plain dataclass: the
agent starts on every node, and a validation library doubles that time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

PREFIX = "NODEFARM_AGENT_"


@dataclass(frozen=True)
class Settings:
    """Each may be set as NODEFARM_AGENT_<NAME>."""

    redis_answer_s: float = 5.0
    """Longest wait for an answer of Redis."""

    block_s: int = 60
    """One blocking read of the inbox; only bounds how long a dead peer is unseen."""

    backoff_first_s: float = 0.05
    """First wait before a reconnect; doubles."""

    backoff_most_s: float = 2.0
    """Longest wait before a reconnect."""

    full_retry_s: float = 0.5
    """Wait before a report is offered to a full Redis again."""

    refused_s: float = 20.0
    """Redis refusing the login for longer than this means superseded."""

    gather_s: float = 0.02
    """How long reports are gathered while the node has tasks to go on with."""

    line_patience_s: float = 0.3
    """A task that was given ahead of a free slot goes back when it has waited for so long."""

    terminate_grace_s: float = 1.0
    """Between SIGTERM and SIGKILL when a task is terminated."""

    silent_pause_s: float = 1.0
    """Wait before a task that arrives while nobody receives pulses is given back."""

    shutdown_s: float = 4.0
    """Time to end tasks and deliver reports on SIGTERM."""

    api_patience_s: float = 120.0
    """How long an unreachable API is asked again before a task is given back."""

    http_timeout_s: float = 30.0
    """Silence of a peer before a transfer counts as broken."""

    http_attempts: int = 5
    """Attempts of a download or upload step."""

    http_backoff_s: float = 0.5
    """First wait between attempts; doubles."""

    part_bytes: int = 16 << 20
    """Part of a large file."""

    parallel_above_bytes: int = 64 << 20
    """Files above this are fetched in parallel parts."""

    parallel_parts: int = 4
    """Parts of one file in flight."""

    package_bytes: int = 20 << 30
    """Most bytes a package may unpack to."""

    package_ratio: int = 200
    """Most a package may grow by unpacking, beyond the first 100 MiB."""

    package_entries: int = 200_000
    """Most files in a package."""

    sweep_interval_s: float = 5.0
    """Between looks for expired task directories."""

    sweep_pause_s: float = 0.002
    """Pause after each deleted file's directory, to stay off the hot path."""

    sweep_bucket_s: float = 60.0
    """Deadlines of task directories are rounded up to this."""

    usage_interval_s: float = 2.0
    """Between looks at the disk usage of running tasks."""

    usage_full_s: float = 600.0
    """Between full walks of the node's root."""

    log_bytes: int = 4 << 20
    """Size of the agent's log before it is rotated."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Take what is set from the environment.

        Raises:
            ValueError: a value is not a number.
        """
        given = {}
        for field in fields(cls):
            text = environment.get(PREFIX + field.name.upper())
            if text is not None:
                given[field.name] = type(field.default)(text)
        return cls(**given)
