"""Certificates of the pool, put where each task and each remote user finds their own (spec/behaviour.md, 18).

On the node they live in the agent's memory and in the directories of those who may read them, nowhere else.
"""

import base64
import itertools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.accounts import Account

START_TASK, TASK, REMOTE_USER = "starttask", "task", "remoteuser"
FOLDER = "certs"


@dataclass(frozen=True)
class _File:
    name: str
    content: bytes
    visibility: frozenset[str]


class Certificates:
    """Those of one boot.

    Args:
        drafts: a folder of the agent's own, on the same file system as tasks' directories; `install` clears what an
            agent that died has left there.
    """

    def __init__(self, drafts: str) -> None:
        self._drafts = drafts
        self._files: list[_File] = []
        self._installed = False
        self._counter = itertools.count()

    def install(self, entries: list[dict[str, Any]]) -> None:
        """Take what the API told (api.py, `certificates`); from now on directories get theirs."""
        for left in Path(self._drafts).glob(f"{FOLDER}-*"):
            shutil.rmtree(left)
        for entry in entries:
            shown = frozenset(entry["visibility"])
            self._files.append(_File(entry["name"], base64.b64decode(entry["data"]), shown))
            if entry["name"].endswith(".pfx"):
                self._files.append(_File(f"{entry['name']}.pw", entry["password"].encode(), shown))
        self._installed = True

    def give(self, directory: str, account: Account, to: str) -> None:
        """Put those that are visible `to` a kind of task into its directory, readable by its user alone.

        Raises:
            OSError: they cannot be written.
        """
        if not self._installed:
            return
        # Other processes of the same user may run: what root writes is made where they cannot reach, then moved.
        draft = f"{self._drafts}/{FOLDER}-{os.getpid()}-{next(self._counter)}"
        os.mkdir(draft, 0o700)
        for name, content in self.visible(to).items():
            with open(f"{draft}/{name}", "xb", opener=_private) as out:
                out.write(content)
            _hand_over(f"{draft}/{name}", account)
        _hand_over(draft, account)
        os.rename(draft, f"{directory}/{FOLDER}")

    def visible(self, to: str) -> dict[str, bytes]:
        """Content by name of the file."""
        return {file.name: file.content for file in self._files if to in file.visibility}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _hand_over(path: str, account: Account) -> None:
    if account.uid is not None:
        os.chown(path, account.uid, account.gid)
