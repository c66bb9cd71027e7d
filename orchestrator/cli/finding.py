"""What one check of `farm doctor` says."""

from dataclasses import dataclass

ENOUGH_DISK = 2 * 1024**3
"""Bytes below which a farm soon has no room for its tasks' files."""


@dataclass(frozen=True)
class Finding:
    """`verdict`: ok, note (works without) or bad (does not work). `details`: one line each."""

    name: str
    verdict: str
    says: str
    advice: str = ""
    details: tuple[str, ...] = ()
