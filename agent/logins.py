"""Users of the node for remote login: made, changed, locked when their time is over, removed (spec/behaviour.md, 17).

They live on the node alone and are lost when it is reimaged. What is known of them lies in a file of the agent's, so
that they are there again after a reboot, whatever became of the image's own files.
"""

import asyncio
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent import passwords, processes
from agent.etc import LOCKED, NO_PASSWORD, Entry, Etc
from agent.homes import Home, home_of

_log = logging.getLogger(__name__)

SUDOERS = "sudoers.d/nodefarm"
FIRST, COUNT = 100, 800
"""Numeric users of logins, above the node's range for tasks."""

_ROUNDS, _ROUND_S = 50, 0.02  # a dying family may still fork


class Refused(Exception):
    """The order cannot be met. `code` is the service's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Login:
    """One user. `until` is a time of the node's clock, in seconds; `hash` is empty without a password."""

    name: str
    uid: int
    admin: bool
    until: float
    hash: str = ""
    key: str = ""


class Logins:
    """Thread-safe. Orders come from threads, expiry from the event loop.

    Args:
        file: where they are remembered.
        uid_base: first numeric user of the node; theirs are above it.
        members: called with the names of all users, to let them in.
        sessions: process numbers of a user's sessions.
    """

    def __init__(
        self,
        file: str,
        uid_base: int,
        etc: Etc,
        members: Callable[[set[str]], None],
        sessions: Callable[[str], list[int]],
    ) -> None:
        self._file, self._base, self._etc = Path(file), uid_base, etc
        self._members, self._sessions = members, sessions
        self._lock = threading.RLock()
        self._logins: dict[str, Login] = {}
        self._pool_admins: set[str] = set()
        self._certificates: dict[str, bytes] = {}
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._sudo = shutil.which("sudo", path="/usr/bin:/bin:/usr/local/bin") is not None

    def restore(self) -> None:
        """Make the users of the boots before again."""
        try:
            known = [Login(**entry) for entry in json.loads(self._file.read_text())]
        except FileNotFoundError:
            known = []
        with self._lock:
            self._logins = {login.name: login for login in known}
            for login in known:
                self._make(login)
            self._settle()

    def add(self, order: dict[str, Any]) -> None:
        """Make a user.

        Raises:
            Refused: NodeUserExists, also for a user of the image or of the pool.
        """
        name = order["name"]
        with self._lock:
            if name in self._logins or self._etc.has(name):
                raise Refused(409, "NodeUserExists", f"the node has a user {name} already")
            admin = bool(order["admin"])
            # without sudo an administrator is root by another name: nothing else could give the rights
            self._put(Login(name, 0 if admin and not self._sudo else self._free(), admin, 0.0), order)

    def update(self, order: dict[str, Any]) -> None:
        """Replace password, key and expiry.

        Raises:
            Refused: NodeUserNotFound.
        """
        with self._lock:
            self._put(self._known(order["name"]), order)

    def delete(self, order: dict[str, Any]) -> None:
        """Remove a user with their sessions and files.

        Raises:
            Refused: NodeUserNotFound.
        """
        with self._lock:
            login = self._known(order["name"])
            del self._logins[login.name]
            self._etc.drop({login.name})
            self._settle()
        self._end(login)
        shutil.rmtree(home_of(login.name), ignore_errors=True)

    def pool_admins(self, names: set[str]) -> None:
        """User accounts of the pool that have an administrator's rights, too."""
        with self._lock:
            self._pool_admins = names
            self._settle()

    def show_certificates(self, files: dict[str, bytes]) -> None:
        """What users of now and later find in `certs` in their homes; what earlier boots put there goes."""
        with self._lock:
            self._certificates = files
            for login in self._logins.values():
                Home(home_of(login.name), login.uid, login.uid).certificates(files)

    async def watch(self) -> None:
        """Lock each user when their time is over, and end their sessions."""
        while True:
            self._changed.clear()
            pause = await asyncio.to_thread(self._lock_expired)
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _lock_expired(self) -> float | None:
        """Seconds until the next one expires."""
        now = time.time()
        with self._lock:
            over = [login for login in self._logins.values() if login.until <= now and not _is_locked(login)]
            for login in over:
                login.hash, login.key = LOCKED, ""
                self._make(login)
                _log.info("a user's time is over", extra={"user": login.name})
            if over:
                self._settle()
            left = [login.until - now for login in self._logins.values() if not _is_locked(login)]
        for login in over:
            self._end(login)
        return max(0.0, min(left)) if left else None

    def _put(self, login: Login, order: dict[str, Any]) -> None:
        login.hash = passwords.hashed(order["password"]) if order["password"] else ""
        login.key = order["key"] or ""
        login.until = time.time() + order["seconds"]
        self._logins[login.name] = login
        self._make(login)
        self._settle()

    def _make(self, login: Login) -> None:
        home = home_of(login.name)
        self._etc.put([Entry(login.name, login.uid, login.uid, home, login.hash or NO_PASSWORD)])
        own = Home(home, login.uid, login.uid)
        own.authorize(login.key)
        if self._certificates:
            own.certificates(self._certificates)

    def _settle(self) -> None:
        """Everything that names more than one user, and the record."""
        if self._sudo:
            admins = sorted(self._pool_admins | {login.name for login in self._logins.values() if login.admin})
            self._etc.file(SUDOERS, "".join(f"{name} ALL=(ALL) NOPASSWD:ALL\n" for name in admins), 0o440)
        self._members(set(self._logins))
        draft = self._file.with_suffix(".new")
        with open(draft, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            json.dump([asdict(login) for login in self._logins.values()], out)
        draft.replace(self._file)
        self._loop.call_soon_threadsafe(self._changed.set)

    def _end(self, login: Login) -> None:
        """End every process of a user; an administrator without a number of their own is known by the sessions."""
        for _ in range(_ROUNDS):
            alive = [*self._sessions(login.name), *(of_user(login.uid) if login.uid else [])]
            if not alive:
                return
            processes.kill(alive)
            time.sleep(_ROUND_S)

    def _known(self, name: str) -> Login:
        if name not in self._logins:
            raise Refused(404, "NodeUserNotFound", f"the node has no user {name}")
        return self._logins[name]

    def _free(self) -> int:
        used = {login.uid for login in self._logins.values()}
        free = [uid for uid in range(self._base + FIRST, self._base + FIRST + COUNT) if uid not in used]
        if not free:
            raise Refused(409, "OperationNotValidOnNode", f"a node has at most {COUNT} users")
        return free[0]


def of_user(uid: int) -> list[int]:
    """Processes of a numeric user."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                found.append(int(name))
        except FileNotFoundError:
            continue
    return found


def _is_locked(login: Login) -> bool:
    return login.hash == LOCKED
