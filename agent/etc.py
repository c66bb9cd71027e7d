"""The node's /etc/passwd, shadow and group, written by the agent: an image need not have useradd.

Only lines that are ours are touched. Each file is replaced in one step, so whoever reads meanwhile sees all or nothing.
"""

import os
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass

NO_PASSWORD = "*"
"""Nobody logs in with a password; a key may do."""
LOCKED = "!"
"""Nobody logs in at all: sshd honours this for keys, too."""


@dataclass(frozen=True)
class Entry:
    """One user. `password` is a hash of crypt(3), NO_PASSWORD or LOCKED."""

    name: str
    uid: int
    gid: int
    home: str
    password: str = NO_PASSWORD


class Etc:
    """The files of one folder. Not thread-safe."""

    def __init__(self, folder: str = "/etc") -> None:
        self._folder = folder
        self._shell = next((shell for shell in ("/bin/bash", "/bin/sh") if os.path.exists(shell)), "/bin/sh")

    def has(self, name: str) -> bool:
        """Is there such a user, be it ours or the image's?"""
        return any(line.startswith(f"{name}:") for line in self._lines("passwd"))

    def put(self, entries: Iterable[Entry]) -> None:
        """Make users, or make them anew."""
        entries = list(entries)
        names = {entry.name for entry in entries}
        users = [f"{e.name}:x:{e.uid}:{e.gid}::{e.home}:{self._shell}" for e in entries]
        self._write("passwd", [*self._without("passwd", names), *users], 0o644)
        shadows = [f"{e.name}:{e.password}:1::::::" for e in entries]
        self._write("shadow", [*self._without("shadow", names), *shadows], 0o600)

    def drop(self, names: Collection[str]) -> None:
        """Remove users; those that are not there are passed over."""
        self._write("passwd", self._without("passwd", names), 0o644)
        self._write("shadow", self._without("shadow", names), 0o600)

    def group(self, name: str, gid: int, members: Iterable[str] = ()) -> None:
        """Make a group, or give it other members."""
        line = f"{name}:x:{gid}:{','.join(sorted(members))}"
        self._write("group", [*self._without("group", {name}), line], 0o644)

    def file(self, name: str, text: str, mode: int) -> None:
        """Write another file of the folder."""
        self._write(name, text.splitlines(), mode)

    def _without(self, name: str, dropped: Collection[str]) -> list[str]:
        return [line for line in self._lines(name) if line.partition(":")[0] not in dropped]

    def _lines(self, name: str) -> list[str]:
        try:
            with open(f"{self._folder}/{name}", errors="surrogateescape") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def _write(self, name: str, lines: Iterable[str], mode: int) -> None:
        path = f"{self._folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        group = os.stat(path).st_gid if os.path.exists(path) else 0
        draft = f"{path}.{secrets.token_hex(4)}"
        with open(draft, "x", errors="surrogateescape", opener=lambda p, flags: os.open(p, flags, mode)) as out:
            os.fchmod(out.fileno(), mode)
            os.fchown(out.fileno(), -1, group)
            out.writelines(f"{line}\n" for line in lines)
        os.replace(draft, path)
