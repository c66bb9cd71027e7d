"""A node's directories: made, handed to their users, set aside (spec/behaviour.md, 21).

Directories above a task's are root's (or the agent's) and no task can write
there, so names below them are ours. What has to go is renamed into the trash,
which is instant, and deleted later (retention.py).
"""

import fcntl
import itertools
import os
from contextlib import suppress
from pathlib import Path

from agent.accounts import Account
from agent.assignment import Job, Work
from agent.certificates import START_TASK, TASK, Certificates
from agent.contract import layout

_JOBS = "jobs"
_TRASH = "trash"


class RootInUse(Exception):
    """Another agent uses this root."""


class Directories:
    """Directories below one node's root. `root` absolute."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.volatile = f"{root}/{layout.VOLATILE}"
        self.trash = f"{self.volatile}/{_TRASH}"
        self.logs = f"{self.volatile}/agent"
        self.secrets = f"{self.volatile}/{layout.SECRETS}"
        self.applications = f"{root}/{layout.APPLICATIONS}"
        self.startup = f"{root}/{layout.STARTUP}"
        self.certificates = Certificates(self.secrets)
        self._jobs: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._discarded = map(f"{os.urandom(8).hex()}-{{}}".format, itertools.count())

    def make(self) -> None:
        """Make what every node has; what is there stays.

        Raises:
            RootInUse: another agent holds the root.
        """
        os.makedirs(self.root, exist_ok=True)
        os.chmod(self.root, 0o755)
        startup = f"{layout.STARTUP}/wd"  # tasks are told of it, so it is there also without a start task
        for name in (layout.APPLICATIONS, layout.MOUNTS, layout.SHARED, startup, layout.WORKITEMS, layout.VOLATILE):
            os.makedirs(f"{self.root}/{name}", mode=0o755, exist_ok=True)
        os.chmod(f"{self.root}/{layout.SHARED}", 0o1777)
        os.chmod(self.volatile, 0o700)
        self._lock()
        for path in (self.trash, self.logs, self.secrets, f"{self.volatile}/{_JOBS}"):
            os.makedirs(path, mode=0o700, exist_ok=True)

    def task(self, work: Work, account: Account) -> str:
        """A clean directory for an attempt, owned by its user; answers its path.

        Raises:
            OSError: it cannot be made.
        """
        job = self._jobs.get(work.job.number) or self._job(work.job)
        path = f"{job}/{layout.segment(work.id)}"
        self._fresh(path, account)
        if work.gang is not None and not work.gang.primary:
            path = work.gang.directory(path)
            self._fresh(path, account)
        self.certificates.give(path, account, TASK)
        return path

    def job_task(self, job: Job, id: str, account: Account) -> str:
        """A clean directory for a preparation or release task. Other users may read it, as they may a start task's.

        Raises:
            OSError: it cannot be made.
        """
        path = f"{self._jobs.get(job.number) or self._job(job)}/{layout.segment(id)}"
        self._fresh(path, account)
        self._fresh(f"{path}/wd", account)
        self.certificates.give(path, account, TASK)
        for name in (f"{path}/wd", path):
            os.chmod(name, 0o755)
        return path

    def start_task(self, account: Account) -> str:
        """A clean directory for the start task. Other users may read it (spec/behaviour.md, 17)."""
        self._fresh(self.startup, account)
        self._fresh(f"{self.startup}/wd", account)
        self.certificates.give(self.startup, account, START_TASK)
        for path in (f"{self.startup}/wd", self.startup):
            os.chmod(path, 0o755)
        return self.startup

    def retire(self, path: str) -> None:
        """Close a directory to a numeric user that the next task may get."""
        with suppress(FileNotFoundError):  # the task may have been deleted meanwhile
            os.chown(path, 0, 0, follow_symlinks=False)

    def discard(self, path: str) -> bool:
        """Move a file or directory to the trash; answers whether there was one. What an earlier boot left there, whose
        agent may have had our process id, is in nobody's way."""
        try:
            os.rename(path, f"{self.trash}/{next(self._discarded)}")
        except FileNotFoundError:
            return False
        return True

    def discard_task(self, number: int, job_id: str, task_id: str) -> None:
        """Remove a task's directory, unless a later job of the same name owns it."""
        if self._owner(job_id) in (number, None):
            self.discard(f"{self.root}/{layout.task_root(job_id, task_id)}")

    def discard_job(self, number: int, job_id: str) -> None:
        """Remove a job's directory, unless a later job of the same name owns it."""
        if self._owner(job_id) in (number, None):
            path = f"{self.root}/{layout.job_root(job_id)}"
            self._jobs.pop(number, None)
            self._numbers.pop(path, None)
            self.discard(path)
            with suppress(OSError):  # of a schedule's jobs the last one takes the common directory along
                os.rmdir(os.path.dirname(path))
            self._marker(job_id).unlink(missing_ok=True)

    def _job(self, job: Job) -> str:
        path = f"{self.root}/{layout.job_root(job.id)}"
        if self._owner(job.id) != job.number:
            self.discard(path)
            self._marker(job.id).write_text(str(job.number))
        os.makedirs(path, mode=0o755, exist_ok=True)
        self._jobs.pop(self._numbers.get(path, 0), None)
        self._jobs[job.number] = path
        self._numbers[path] = job.number
        return path

    def _owner(self, job_id: str) -> int | None:
        """Number of the job that the directory of this name belongs to."""
        try:
            return int(self._marker(job_id).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _marker(self, job_id: str) -> Path:
        return Path(self.volatile, _JOBS, layout.segment(job_id))

    def _fresh(self, path: str, account: Account) -> None:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            self.discard(path)
            os.mkdir(path, 0o700)
        except FileNotFoundError:  # the job's directory was removed behind our back
            os.makedirs(path, mode=0o755)
            os.chmod(path, 0o700)
        if account.uid is not None:
            os.chown(path, account.uid, account.gid)

    def _lock(self) -> None:
        """Held until this process ends; its children do not inherit it."""
        self._lock_file = open(f"{self.volatile}/lock", "w")  # noqa: SIM115 - open for as long as we live
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RootInUse(f"another agent uses {self.root}") from error
