"""A zip file of a folder, the same bytes each time."""

import zipfile
from pathlib import Path

from orchestrator.cli.errors import UsageError

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip file can hold; used for all, so that the same files make the same zip."""


def zipped(path: Path, target: Path) -> Path:
    """`path` itself when it is a zip file; of a folder, a zip of what it holds, written to `target`.

    Raises:
        UsageError: it is another kind of file.
    """
    if path.is_dir():
        _zip(path, target)
        return target
    if not zipfile.is_zipfile(path):
        raise UsageError(f"{path} is neither a folder nor a zip file")
    return path


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
                entry.external_attr = (0o100000 | (path.stat().st_mode & 0o777)) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as source, archive.open(entry, "w") as out:
                    while chunk := source.read(1 << 20):
                        out.write(chunk)
