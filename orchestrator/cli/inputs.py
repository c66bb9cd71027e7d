"""Inputs of `farm run`: which are files, where they lie in the task's working directory, where results go back to."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.cli.errors import CliError, UsageError

OUTSIDE = "_outside"
"""In the working directory: where files lie whose paths lead out of the current folder, under their absolute paths."""


@dataclass(frozen=True)
class Input:
    """One argument of the template. `value` is what the command sees; `local` is None for plain text."""

    value: str
    local: Path | None = None

    @property
    def folder(self) -> bool:
        return self.local is not None and self.local.is_dir()

    def files(self) -> Iterator[tuple[Path, str]]:
        """Local file and path in the working directory, of a file or of all files of a folder."""
        if self.local is None:
            return
        if not self.local.is_dir():
            yield self.local, self.value
            return
        for path in sorted(self.local.rglob("*")):
            if path.is_file():
                yield path, (PurePosixPath(self.value) / path.relative_to(self.local).as_posix()).as_posix()


def read(arguments: Iterable[str]) -> list[Input]:
    """Arguments that name a file or folder are files, all others plain text.

    Raises:
        UsageError: an argument is no text: the farm's API cannot carry it.
    """
    return [_input(argument) for argument in arguments]


def _input(argument: str) -> Input:
    try:
        argument.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{argument!r}: the name is not UTF-8") from error
    if "\0" in argument:
        raise UsageError(f"{argument!r}: holds a NUL")
    if not argument or not os.path.exists(argument):
        return Input(argument)
    return Input(remote(argument), Path(argument))


def remote(argument: str) -> str:
    """Where a file lies in the working directory: its own relative path, or its absolute one below OUTSIDE."""
    path = os.path.normpath(argument)
    if not path.startswith(("/", "../")) and path != "..":
        return path
    return OUTSIDE + os.path.abspath(path)


def safe_join(folder: Path, name: str) -> Path:
    """The place of a file name below a folder.

    Raises:
        CliError: the name is absolute or climbs out.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise CliError(f"'{name}' would be written outside of {folder}")
    return folder / path


def home(name: str, out: Path | None) -> Path:
    """Where a result of that path in the working directory goes: below `out`, else beside its input.

    Raises:
        CliError: the name, which comes from a storage listing, climbs out.
    """
    below = safe_join(Path(), name)
    outside = below.parts[0] == OUTSIDE and len(below.parts) > 1
    inner = Path(*below.parts[1:]) if outside else below
    return out / inner if out is not None else Path("/") / inner if outside else inner
