"""A node with a system of its own: the users of its tasks in /etc, remote logins, sshd (spec/behaviour.md, 17).

On nodes that share their host's system (the process driver) there is none of this.
"""

import asyncio
import json
import logging
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from agent import passwords, visits
from agent.accounts import POOL_USER, RANGE, TASK_FIRST, TASK_USER, Account, Accounts
from agent.api import Api
from agent.contract.boot import Boot
from agent.directories import Directories
from agent.etc import NO_PASSWORD, Entry, Etc
from agent.failures import PRE, Failed, failure
from agent.homes import Home, home_of
from agent.logins import COUNT, FIRST, Logins, Refused
from agent.sshd import EMPTY, GROUP, USER, Sshd, keygen

_log = logging.getLogger(__name__)

TASK_GROUP = "_azbatchgrp"
SSHD_ID = FIRST + COUNT
GROUP_ID = SSHD_ID + 1


class System:
    """The parts of one boot. Needs a running event loop."""

    def __init__(self, boot: Boot, directories: Directories, accounts: Accounts, api: Api) -> None:
        self._boot, self._accounts, self._api = boot, accounts, api
        self._etc = Etc()
        self._folder = directories.secrets
        self._sshd = Sshd(f"{self._folder}/ssh", f"{directories.logs}/sshd.log")
        self._logins = Logins(
            f"{self._folder}/logins.json", boot.uid_base, self._etc, self._let_in, self._sshd.sessions
        )
        self._pool_logins: set[str] = set()
        self._threads = ThreadPoolExecutor(1, "orders")
        self._operations = {
            "add": self._logins.add, "update": self._logins.update, "delete": self._logins.delete
        }  # fmt: skip

    def prepare(self) -> None:
        """Everything that needs nobody else: users of tasks and of earlier boots' logins, sshd.

        Raises:
            OSError, subprocess.SubprocessError: the node is no use.
        """
        base = self._boot.uid_base
        self._etc.group(TASK_GROUP, base)
        self._etc.group(USER, base + SSHD_ID)
        tasks = [Entry(f"{TASK_USER}_{n}", base + n, base, home_of(POOL_USER)) for n in range(TASK_FIRST, RANGE)]
        named = [
            Entry(account.name, account.uid, account.gid, home_of(account.name))
            for account in self._accounts.named_logins()
        ]
        pool = Entry(POOL_USER, base, base, home_of(POOL_USER))
        self._etc.put([pool, *named, *tasks, Entry(USER, base + SSHD_ID, base + SSHD_ID, EMPTY)])
        self._logins.restore()
        self._sshd.start()

    async def watch(self) -> None:
        """Users' time, until cancelled."""
        await self._logins.watch()

    async def install_accounts(self) -> None:
        """Passwords and keys of the pool's user accounts, asked for when they are used.

        Raises:
            GiveBack: the API stays away.
            Failed: an account's private key is none.
        """
        if self._boot.user_accounts:
            secrets = await asyncio.to_thread(self._api.account_secrets)
            await asyncio.get_running_loop().run_in_executor(self._threads, self._install, secrets)

    async def show_certificates(self, files: dict[str, bytes]) -> None:
        """What remote users find in `certs` in their homes, those of earlier boots too."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._logins.show_certificates, files)

    async def end_visits(self, account: Account, since: float) -> None:
        """End what tasks of this user started here by ssh, from other nodes; `since`: of visits.py's clock."""
        users = {"root" if account.admin else account.name: account.uid or 0}
        users |= {login.name: login.uid or 0 for login in self._accounts.named_logins() if login.name == account.name}
        if users.keys() & self._pool_logins:
            await asyncio.to_thread(visits.end, self._sshd, users, since)

    def handle(self, message: dict[str, Any]) -> None:
        """A `user` message; carried out and answered in the background, one after another."""
        self._threads.submit(self._handle, message)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._sshd.stop()

    def _install(self, secrets: list[dict[str, Any]]) -> None:
        by_name = {secret["name"]: secret for secret in secrets}
        accounts = self._accounts.named_logins()
        for account in accounts:
            self._install_one(account, by_name.get(account.name, {}))
        self._pool_logins |= {account.name for account in accounts}
        self._logins.pool_admins({account.name for account in accounts if account.admin})

    def _install_one(self, account: Account, secret: dict[str, Any]) -> None:
        password = passwords.hashed(secret["password"]) if secret.get("password") else NO_PASSWORD
        uid = account.uid or 0
        self._etc.put([Entry(account.name, uid, account.gid, home_of(account.name), password)])
        home = Home(home_of(account.name), uid, account.gid)
        private = secret.get("sshPrivateKey")
        if not private or not self._boot.inter_node:
            return
        public = self._public(account.name, private)
        home.pair(private, public)
        if account.admin:  # its tasks are root's, and ssh looks where root lives
            Home(home_of("root"), 0, 0).pair(private, public)
            self._pool_logins.add("root")

    def _public(self, name: str, private: str) -> str:
        path = f"{self._folder}/key-{os.urandom(4).hex()}"
        with open(path, "x", opener=lambda p, flags: os.open(p, flags, 0o600)) as out:
            out.write(private if private.endswith("\n") else f"{private}\n")
        try:
            return " ".join(keygen("-y", "-P", "", "-f", path).split()[:2])
        except subprocess.CalledProcessError as error:
            words = f"the sshPrivateKey of user account {name!r} is no private key without a passphrase"
            raise Failed(failure(PRE, "InvalidUserAccount", words)) from error
        finally:
            os.unlink(path)

    def _let_in(self, names: set[str]) -> None:
        self._etc.group(GROUP, self._boot.uid_base + GROUP_ID, names | self._pool_logins)

    def _handle(self, message: dict[str, Any]) -> None:
        try:
            order = self._api.order(message["reply"])
        except httpx.HTTPError as error:
            _log.warning("nobody wants a user changed any more", extra={"error": type(error).__name__})
            return
        status, meta = 200, {}
        try:
            self._sshd.await_ready()
            self._operations[message["op"]](order)
            _log.info("users changed", extra={"op": message["op"], "user": order["name"]})
        except Refused as refused:
            status, meta = refused.status, {"code": refused.code, "message": str(refused)}
        except Exception as error:
            _log.exception("a user could not be changed", extra={"op": message["op"]})
            status, meta = 409, {"code": "OperationNotValidOnNode", "message": str(error)}
        try:
            self._api.reply(message["reply"], status, json.dumps(meta), b"", 0)
        except httpx.HTTPError as error:
            _log.warning("nobody heard of a changed user", extra={"error": type(error).__name__})


class NoSystem:
    """In place of a System on nodes that share their host's: nothing to set up, and nobody to let in."""

    def prepare(self) -> None:
        return

    async def watch(self) -> None:
        return

    async def install_accounts(self) -> None:
        return

    async def show_certificates(self, files: dict[str, bytes]) -> None:
        return

    async def end_visits(self, account: Account, since: float) -> None:
        return

    def handle(self, message: dict[str, Any]) -> None:
        _log.error("users of this node cannot be changed", extra={"op": message["op"]})

    def close(self) -> None:
        return
