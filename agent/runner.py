"""Performs what core.py decides: directories, commands, transfers, timers, reports."""

import asyncio
import json
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Protocol

from agent import core
from agent.accounts import Account, Accounts, NoAccount, TaskUsersBusy
from agent.api import GiveBack
from agent.assignment import Job, Key, Unreadable, Work, read_instance, read_job, read_task
from agent.commands import Command, Commands, Lost, Outcome
from agent.container_commands import ContainerCommands
from agent.contract.variables import AUTHENTICATION_TOKEN
from agent.core import Core, End, Reason
from agent.directories import Directories
from agent.environment import Package, container_variables, package_variables, task_variables
from agent.failures import PRE, Failed, Failure, failure
from agent.line import Line
from agent.memory import Memory
from agent.places import Keeper, Place, Places
from agent.resources import cores
from agent.settings import Settings
from agent.spawner import HANDS_ON, KEEP, MORE
from agent.spawners import AT_ONCE, GENTLE

_log = logging.getLogger(__name__)
_JOBS_REMEMBERED = 1000
_COMMANDS = (core.RUNNING, core.COORDINATING)
"""Phases in which a command runs."""


class Transfers(Protocol):
    """What the runner needs of transfer.py."""

    async def fetch(self, work: Work, place: Place) -> list[Package]: ...

    async def send(self, work: Work, place: Place, end: End, environment: dict[str, str]) -> Failure | None: ...


class Reports(Protocol):
    """What the runner needs of link.py."""

    def report(self, item: list[Any], at: float | None = None, soon: bool = False) -> None: ...

    def begun(self, key: Key) -> None: ...


class Meter(Protocol):
    """What the runner needs of usage.py."""

    def finished(self, directory: str, blocks_written: int) -> None: ...


class Runner:
    """One node's tasks.

    Args:
        containers: for tasks in containers of their own; None: the pool has none.
        slots: of the node.
        reports: takes what the engine is told.
        variables: of node and pool packages; task_variables adds the rest.
    """

    def __init__(
        self,
        settings: Settings,
        directories: Directories,
        accounts: Accounts,
        commands: Commands,
        containers: ContainerCommands | None,
        transfers: Transfers,
        keeper: Keeper,
        meter: Meter,
        slots: int,
        reports: "Reports",
        variables: dict[str, str],
    ) -> None:
        self.core = Core(slots)
        self.variables = variables
        self.silent = False
        self._settled: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._end_visits: Callable[[Account, float], Coroutine[Any, Any, None]] | None = None
        self._prepare_job: Callable[[Job], None] = lambda job: None
        self._job_ready: Callable[[Job], Coroutine[Any, Any, bool]] = _always
        self._idle: asyncio.Event | None = None
        self._low_water = 0
        self._line_timer: asyncio.TimerHandle | None = None
        self._settings = settings
        self._root = directories.root
        self._commands, self._containers = commands, containers
        self._transfers, self._meter, self._reports = transfers, meter, reports
        self._jobs: dict[int, tuple[str, Job]] = {}
        self._places = Places(accounts, directories, keeper)
        self._line = Line(self.core, commands, self._places, self._command, self._perform)
        self._line.closed = containers is not None
        self._memory = Memory()
        self._queue: list[core.Prepare | core.Launch] = []  # attempts that wait for a task-scope user
        self._background: set[asyncio.Task] = set()
        self._perform_one = {
            core.Prepare: self._prepare, core.Launch: self._launch, core.Upload: self._upload,
            core.Stop: self._stop, core.Report: self._tell, core.Finish: self._finish, core.Begun: self._begun,
        }  # fmt: skip

    def attach(self, prepare: Callable[[Job], None], ready: Callable[[Job], Coroutine[Any, Any, bool]]) -> None:
        """Who prepares jobs, and whom tasks ask whether they are prepared (job_tasks.py)."""
        self._prepare_job, self._job_ready = prepare, ready

    def settle(self, settled: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """What is waited for whenever a command has ended (mounts.py)."""
        self._settled = settled
        self._line.closed = True

    def see_off(self, end_visits: Callable[[Account, float], Coroutine[Any, Any, None]]) -> None:
        """What ends all that other instances of a gang have started here (visits.py)."""
        self._end_visits = end_visits

    def places(self) -> dict[str, Key]:
        """Directories of attempts whose command has not ended, for the disk's sake."""
        places = dict(self._places)  # copied at once: the measuring thread asks too
        return {place.directory: key for key, place in places.items()}

    def run(self, message: dict[str, Any]) -> None:
        """A `run` message."""
        self._know(message)
        for number, task, attempt, text, _, slots, ahead in message["tasks"]:
            self._assign(number, task, attempt, text, slots, bool(ahead))
        self._low_water = len(self.core.line) // 2
        if self.core.line and self._line_timer is None:
            self._watch_line(self._settings.line_patience_s)
        self._line.fill()

    def gang(self, message: dict[str, Any]) -> None:
        """A `gang` message."""
        self._know(message)
        self._assign(*message["task"], 1, False, (message["index"], message["hosts"]))

    def go(self, message: dict[str, Any]) -> None:
        """A `go` message."""
        self._perform(self.core.go(tuple(message["task"])))

    def recall(self, _: dict[str, Any]) -> None:
        """A `recall` message: give back what was given ahead and has not begun."""
        self._line.certain(lambda: self._give_back(late=False))

    def kill(self, message: dict[str, Any]) -> None:
        """A `kill` message."""
        self._line.certain(lambda: self._kill(message["tasks"]))

    def kill_all(self, words: str) -> None:
        """Give every attempt back."""
        self._line.certain(lambda: self._kill_all(words))

    def disk_full(self, key: Key, words: str) -> None:
        """End an attempt that filled the disk."""
        self._perform(self.core.kill(key, Reason("disk", words), time.monotonic()))

    def about(self, key: Key) -> dict[str, str | int]:
        """An attempt as logs name it: by the ids that people know."""
        attempt = self.core.attempts.get(key)
        job, task = (attempt.work.job.id, attempt.work.id) if attempt else key[:2]
        return {"job": job, "task": task, "attempt": key[2]}

    async def idle(self) -> None:
        """Wait until no attempt is left."""
        self._idle = asyncio.Event()
        if self.core.attempts:
            await self._idle.wait()

    def _know(self, message: dict[str, Any]) -> None:
        for number, job_id, text in message["jobs"]:
            known = self._jobs.get(number)
            if known is None or known[0] != text:
                self._remember(number, job_id, text)
        for number in message.get("prepare") or ():
            self._prepare_job(self._jobs[number][1])

    def _remember(self, number: int, job_id: str, text: str) -> None:
        self._jobs.pop(number, None)
        self._jobs[number] = (text, read_job(number, job_id, text))
        while len(self._jobs) > _JOBS_REMEMBERED:
            del self._jobs[next(iter(self._jobs))]

    def _watch_line(self, seconds: float) -> None:
        self._line_timer = asyncio.get_running_loop().call_later(seconds, self._look_at_line)

    def _look_at_line(self) -> None:
        """Tasks that were thought to be short are not: others may have what waits for them."""
        self._line_timer = None
        since = self.core.waiting_since()
        if since is None:
            return
        left = since + self._settings.line_patience_s - _now()
        if left > 0:
            self._watch_line(left)
        else:
            self._line.certain(lambda: self._give_back(late=True))

    def _kill(self, tasks: list[list]) -> None:
        for *key, why in tasks:
            self._perform(self.core.kill(tuple(key), Reason(why, ""), time.monotonic()))

    def _kill_all(self, words: str) -> None:
        self._give_back(late=False)
        self._perform(self.core.kill_all(Reason("back", words), time.monotonic()))

    def _give_back(self, late: bool) -> None:
        unstarted, effects = self.core.returned(_now())
        self._reports.report(["unstarted", unstarted, int(late)])
        self._perform(effects)

    def _assign(
        self,
        number: int,
        task: int,
        attempt: int,
        text: str,
        slots: int,
        ahead: bool,
        instance: tuple[int, list[str]] | None = None,
    ) -> None:
        key = (number, task, attempt)
        if self.silent:
            # Not at once: the farm would hand it out again as fast, until it counts as lost too often.
            back = ["back", *key, "the node has no contact with the farm"]
            asyncio.get_running_loop().call_later(self._settings.silent_pause_s, self._reports.report, back)
            return
        try:
            job = self._jobs[number][1]
            if instance is None:
                work = read_task(job, task, attempt, text)
            else:
                work = read_instance(job, task, attempt, text, *instance)
        except Unreadable as error:
            self._reports.report(["end", *key, 0, None, error.failure.listed(), None], time.monotonic())
        except (KeyError, ValueError, TypeError) as error:
            _log.exception("unreadable task", extra={"job": number, "task": task, "attempt": attempt})
            problem = failure(PRE, "Unknown", f"the node could not read the task: {error!r}")
            self._reports.report(["end", *key, 0, None, problem.listed(), None], time.monotonic())
        else:
            self._perform(self.core.assigned(work, time.monotonic(), slots, ahead))

    def _perform(self, effects: Iterable[tuple]) -> None:
        for effect in effects:
            self._perform_one[type(effect)](effect)

    def _tell(self, effect: core.Report) -> None:
        # while there is enough to go on with, nobody waits for the report
        self._reports.report(effect.item, effect.at, soon=len(self.core.line) > self._low_water)

    def _begun(self, effect: core.Begun) -> None:
        self._reports.begun(effect.key)

    def _place(self, effect: core.Prepare | core.Launch) -> Place | None:
        """The attempt's user and clean directory; None when it has to wait or has failed."""
        key = effect.key
        place = self._places.get(key)
        if place is not None:
            return place
        try:
            return self._places.take(self.core.attempts[key].work)
        except TaskUsersBusy:
            self._queue.append(effect)
        except NoAccount as error:
            self._perform(self.core.failed(key, failure(PRE, "TaskSchedulingConstraintFailed", str(error)), _now()))
        except (OSError, ValueError) as error:
            code = "DiskFull" if getattr(error, "errno", 0) == 28 else "ResourceDirectoryCreateFailed"
            self._perform(self.core.failed(key, failure(PRE, code, str(error)), _now()))
        return None

    def _launch(self, effect: core.Launch) -> None:
        key = effect.key
        place = self._place(effect)
        if place is None:
            return
        work = self.core.attempts[key].work
        if work.container != (self._containers is not None):
            words = "the pool has no containerConfiguration" if work.container else "the pool takes tasks in containers"
            self._perform(self.core.failed(key, failure(PRE, "ContainerPoolNotSupported", words), _now()))
            return
        if place.in_line:
            if not self._line.go(effect, place):
                return
        else:
            self._start(key, work, place)
        if work.wall_s is not None and not place.timers:  # it counts from the first of an instance's two commands
            self._later(place, work.wall_s, self._overdue, key)

    def _start(self, key: Key, work: Work, place: Place) -> None:
        command = self._command(key, place)
        if work.gang is not None:
            coordinating = self.core.coordinating(key)
            place.runs = self._commands
            place.command = self._commands.start(command, KEEP if coordinating else MORE)
            place.kept = place.command if coordinating else place.kept
        elif self._containers is None:
            place.runs = self._commands
            place.command = self._commands.start(command, HANDS_ON if work.plain else 0)
        else:
            place.runs = self._containers
            environment = container_variables(command.environment, work.job.environment, work.environment)
            place.command = self._containers.start(
                command._replace(environment=environment), _numbers(key),
                lambda info: self._reports.report(["container", *key, json.dumps(info)]),
            )  # fmt: skip
        place.started = True

    def _command(self, key: Key, place: Place) -> Command:
        """What an attempt runs now."""
        work = self.core.attempts[key].work
        environment = self._environment(work, place)
        if work.gang is None:
            return Command(place.account, work.words, environment, place.directory, partial(self._ended, key))
        done = partial(self._instance_ended, key)
        return Command(place.account, self.core.words(key), environment, place.directory, done)

    def _environment(self, work: Work, place: Place) -> dict[str, str]:
        node = {**self.variables, **package_variables(place.packages)} if place.packages else self.variables
        if work.job.preparation is not None:
            node = {**node, **work.job.variables(self._root)}
        if work.gang is not None:
            node = {**node, **work.gang.variables(place.directory, cores())}
        if place.token:
            node = {**node, AUTHENTICATION_TOKEN: place.token}
        return task_variables(
            node, place.directory, place.account.name, work.job.id, work.id, work.job.environment, work.environment
        )

    def _instance_ended(self, key: Key, outcome: Outcome) -> None:
        """A command of an instance has ended: what its coordination command left stays until the attempt is over."""
        place = self._places.get(key)
        if place is None:
            return
        if self.core.coordinating(key) and isinstance(outcome, End) and outcome.exit == 0:
            self._ended(key, outcome)
        else:
            self._clear(place, lambda: self._ended(key, outcome))

    def _clear(self, place: Place, done: Callable[[], None]) -> None:
        """End what an instance's coordination command left behind, and what the others' commands have left here."""
        then = partial(self._see_off, place, done)
        if place.kept:
            self._commands.clear(place.account, place.kept, then)
            place.kept = 0
        else:
            then()

    def _see_off(self, place: Place, done: Callable[[], None]) -> None:
        if self._end_visits is None:
            done()
        else:
            self._spawn(self._end_visits(place.account, place.since)).add_done_callback(lambda _: done())

    def _cleared(self, key: Key, done: Callable[[], list[tuple]]) -> None:
        """Perform what the core says once nothing is left of an attempt whose own command does not run."""
        place = self._places.get(key)
        if place is None or self.core.attempts[key].work.gang is None:
            self._perform(done())
        else:
            self._clear(place, lambda: self._perform(done()))

    def _ended(self, key: Key, outcome: Outcome) -> None:
        if self._settled is not None and isinstance(outcome, End):
            self._spawn(self._settle(key, outcome))
        else:
            self._over(key, outcome)

    async def _settle(self, key: Key, outcome: Outcome) -> None:
        assert self._settled is not None
        await self._settled()
        self._over(key, outcome)

    def _over(self, key: Key, outcome: Outcome) -> None:
        attempt = self.core.attempts.get(key)
        if attempt is None:
            return
        if attempt.phase == core.WAITING:  # it was in line, and the spawner is no more
            self._perform(self.core.kill(key, Reason("back", getattr(outcome, "why", "")), _now()))
        elif isinstance(outcome, End):
            self._perform(self.core.exited(key, self._with_memory(key, outcome), outcome.at or _now()))
        elif isinstance(outcome, Lost):
            self._perform(self.core.lost(key, outcome.why, _now()))
        else:
            _log.warning("a command did not start", extra={**self.about(key), "code": outcome.code})
            self._perform(self.core.failed(key, outcome, _now()))
        self._line.fill()

    def _with_memory(self, key: Key, end: End) -> End:
        """What the kernel killed for want of memory; only failed commands are worth a look."""
        if end.exit == 0 or not self._memory.killed():
            return end
        if end.signal == signal.SIGKILL:
            return end._replace(memory_limit=self._memory.limit)
        words = f"the kernel killed a process of the node, which ran out of its {self._memory.limit} bytes of memory"
        self._reports.report(["note", *key, words])
        return end

    def _overdue(self, key: Key) -> None:
        work = self.core.attempts[key].work
        words = (
            f"the task exceeded its maxWallClockTime, the configured execution time limit of {work.wall_s:g} seconds"
        )
        self._perform(self.core.kill(key, Reason("time", words), _now()))

    def _prepare(self, effect: core.Prepare) -> None:
        place = self._place(effect)
        if place is not None:
            place.transfer = self._spawn(self._fetch(effect.key, place))
            place.transfer.add_done_callback(lambda task: self._transfer_over(effect.key, task))

    async def _fetch(self, key: Key, place: Place) -> None:
        work = self.core.attempts[key].work
        try:
            if work.job.waits and not await self._job_ready(work.job):
                raise GiveBack("the job preparation task failed on this node")
            if work.fetches:
                place.packages = await self._transfers.fetch(work, place)
        except Failed as error:
            _log.warning("inputs could not be had", extra={**self.about(key), "code": error.failure.code})
            self._cleared(key, partial(self.core.failed, key, error.failure, _now()))
        except GiveBack as error:
            self._cleared(key, partial(self.core.lost, key, str(error), _now()))
        except Exception as error:
            _log.exception("bringing inputs failed", extra=self.about(key))
            self._cleared(key, partial(self.core.failed, key, failure(PRE, "Unknown", repr(error)), _now()))
        else:
            self._perform(self.core.prepared(key))

    def _upload(self, effect: core.Upload) -> None:
        place = self._places[effect.key]
        place.cancel_timers()
        place.transfer = self._spawn(self._send(effect.key, place))
        place.transfer.add_done_callback(lambda task: self._transfer_over(effect.key, task))

    async def _send(self, key: Key, place: Place) -> None:
        attempt = self.core.attempts[key]
        assert attempt.end is not None
        try:
            environment = self._environment(attempt.work, place)
            problem = await self._transfers.send(attempt.work, place, attempt.end, environment)
        except GiveBack as error:
            self._perform(self.core.lost(key, str(error), _now()))
        except Exception as error:
            _log.exception("sending outputs failed", extra=self.about(key))
            self._perform(self.core.uploaded(key, failure("upload", "FileUploadMiscError", repr(error)), _now()))
        else:
            self._perform(self.core.uploaded(key, problem, _now()))

    def _transfer_over(self, key: Key, task: asyncio.Task) -> None:
        if task.cancelled() and key in self.core.attempts:
            self._cleared(key, lambda: self.core.ended(key, _now()))

    def _stop(self, effect: core.Stop) -> None:
        key = effect.key
        place = self._places.get(key)
        if place is None or effect.phase == core.GATHERED or (effect.phase in _COMMANDS and not place.started):
            self._queue = [waiting for waiting in self._queue if waiting.key != key]
            self._cleared(key, lambda: self.core.ended(key, _now()))
        elif effect.phase in _COMMANDS:
            assert place.runs is not None
            place.runs.kill(place.command, GENTLE if effect.gently else AT_ONCE)
            if effect.gently:
                self._later(place, self._settings.terminate_grace_s, place.runs.kill, place.command)
        elif place.transfer is not None:
            place.transfer.cancel()

    def _finish(self, effect: core.Finish) -> None:
        if self._idle is not None and not self.core.attempts:
            self._idle.set()
        place = self._places.finish(effect.work)
        if place is None:
            return
        if place.in_line:
            self._commands.kill(place.command)
        self._meter.finished(place.directory, effect.blocks_written)
        if not place.account.lasting:
            self._spawn(self._leave(effect.work, place))

    async def _leave(self, work: Work, place: Place) -> None:
        """End all processes of a task-scope user before the next task may get it."""
        await self._commands.leave(place.account)
        self._places.leave(work, place)
        waiting, self._queue = self._queue, []
        self._perform(waiting)

    def _later(self, place: Place, seconds: float, call: Callable, *arguments: Any) -> None:
        place.timers.append(asyncio.get_running_loop().call_later(seconds, call, *arguments))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


async def _always(job: Job) -> bool:
    return True


def _now() -> float:
    return time.monotonic()


def _numbers(key: Key) -> dict[str, int]:
    return dict(zip(("job", "task", "attempt"), key, strict=True))
