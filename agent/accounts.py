"""Which numeric user a task runs as (spec/behaviour.md, 17). Pure.

A node owns a range of 100 numeric users: the first is the pool-scope auto
user, then come the pool's named user accounts, and the upper half serves
task-scope auto users, one per running task. No account is made on the host.
All of them, elevated ones too, have one group, as on the service: what an
elevated start task copies to the shared directory with the usual mode 0770,
the node's tasks can use. Task directories are closed to the group.
"""

from dataclasses import dataclass
from typing import Any

NAMED_FIRST = 1
TASK_FIRST = 50
RANGE = 100

POOL_USER = "_azbatch"
TASK_USER = "_azbatchtask"


@dataclass(frozen=True)
class Account:
    """A user of tasks and its group. `uid` None: the agent's own user; `lasting`: outlives the task."""

    name: str
    uid: int | None
    gid: int = 0
    admin: bool = False
    lasting: bool = True


class NoAccount(Exception):
    """The node has no user such as the task asks for; the message says why."""


class TaskUsersBusy(Exception):
    """All task-scope users of this node are in use; one is free when a task ends."""


class Accounts:
    """Users of one node.

    Args:
        uid_base: first numeric user of the node's range; 0: everything runs as the agent's user.
        root: the agent may switch users.
        agent_user: name of the user the agent runs as.
        named: UserAccount objects of the pool.
    """

    def __init__(self, uid_base: int, root: bool, agent_user: str, named: list[dict[str, Any]]) -> None:
        self._base = uid_base
        self._switches = root and uid_base > 0
        self._root = root
        self._agent_user = agent_user
        self._named = {account["name"]: (index, account) for index, account in enumerate(named)}
        self._free = list(range(uid_base + RANGE - 1, uid_base + TASK_FIRST - 1, -1))
        self._pool_user = self._nonadmin(POOL_USER, 0)

    def choose(self, identity: dict[str, Any] | None) -> Account:
        """The account for a UserIdentity; None means the pool's auto user.

        Raises:
            NoAccount: it cannot be had on this node.
            TaskUsersBusy: it can be had later.
        """
        if identity is None:
            return self._pool_user
        if identity.get("username") is not None:
            return self._by_name(identity["username"])
        auto = identity.get("autoUser") or {}
        admin = (auto.get("elevationLevel") or "nonadmin").lower() == "admin"
        if admin:
            return self._admin("root")
        return self._of_task() if (auto.get("scope") or "pool").lower() == "task" else self._pool_user

    def named_logins(self) -> list[Account]:
        """The pool's user accounts as people log in with them; an administrator has a number of their own."""
        return [
            Account(name, *self._numbers(index, account), admin=_is_admin(account))
            for name, (index, account) in self._named.items()
        ]

    def release(self, account: Account) -> None:
        """Give a task-scope user back."""
        if not account.lasting and account.uid is not None:
            self._free.append(account.uid)

    def _by_name(self, name: str) -> Account:
        if name not in self._named:
            raise NoAccount(f"the pool has no user account named {name!r}")
        if not self._switches:
            raise NoAccount(
                f"user account {name!r} needs a node that can switch users; this node's agent does not run as root"
            )
        index, account = self._named[name]
        return self._admin(name) if _is_admin(account) else Account(name, *self._numbers(index, account))

    def _numbers(self, index: int, account: dict[str, Any]) -> tuple[int, int]:
        """User and group: those that the pool names, else the next of the node's range."""
        if account.get("uid") is not None:
            return account["uid"], account["gid"]
        return self._base + NAMED_FIRST + index, self._base

    def _admin(self, name: str) -> Account:
        if not self._root:
            raise NoAccount("elevation to admin needs a node whose agent runs as root; this node's agent does not")
        return Account(name, 0, self._base, admin=True)

    def _of_task(self) -> Account:
        if not self._switches:
            return self._pool_user
        if not self._free:
            raise TaskUsersBusy
        uid = self._free.pop()
        return Account(f"{TASK_USER}_{uid - self._base}", uid, self._base, lasting=False)

    def _nonadmin(self, name: str, offset: int) -> Account:
        if self._switches:
            return Account(name, self._base + offset, self._base)
        return Account(self._agent_user, 0 if self._root else None, admin=self._root)


def _is_admin(account: dict[str, Any]) -> bool:
    return (account.get("elevationLevel") or "nonadmin").lower() == "admin"
