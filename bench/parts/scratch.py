"""Folders for measurements, removed when the program ends and not before.

Removing files is not free for who comes next: for some seconds ext4 walks past inodes that were just deleted, which
makes the next measurement's new files several times dearer.
"""

import atexit
import shutil
import tempfile
from pathlib import Path


def folder(name: str) -> Path:
    """A new folder that other users may pass through."""
    path = Path(tempfile.mkdtemp(prefix=f"nodefarm-{name}-"))
    path.chmod(0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
