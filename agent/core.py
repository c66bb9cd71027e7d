"""The node's tasks as a pure state machine: an event comes in, effects come out.

Each attempt goes through the phases below; TABLE says which event may meet
which phase, and anything else raises Impossible with the attempt's story.
Nothing here waits, reads a clock or touches the system: `now` is handed in
(monotonic seconds) and effects are performed by runner.py.
"""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from agent.assignment import Key, Work
from agent.failures import RUN, TIME, Failure, failure

WAITING, PREPARING, RUNNING, ENDING, UPLOADING, DONE = "waiting", "preparing", "running", "ending", "uploading", "done"
COORDINATING, GATHERED = "coordinating", "gathered"
"""Of instances of multi-instance tasks: the coordination command runs; it has exited, and the others are waited for."""

KILLED_EXIT = 137
"""Exit code of a command that the service killed (spec/behaviour.md, 3)."""

TABLE = {
    (WAITING, "begun"): PREPARING,
    (WAITING, "killed"): DONE,
    (WAITING, "returned"): DONE,
    (PREPARING, "prepared"): RUNNING,
    (PREPARING, "summoned"): COORDINATING,
    (PREPARING, "gathered"): GATHERED,
    (COORDINATING, "gathered"): GATHERED,
    (COORDINATING, "failed"): DONE,
    (COORDINATING, "exited"): DONE,
    (COORDINATING, "killed"): ENDING,
    (GATHERED, "prepared"): RUNNING,
    (GATHERED, "killed"): ENDING,
    (PREPARING, "failed"): DONE,
    (PREPARING, "killed"): ENDING,
    (RUNNING, "failed"): DONE,
    (RUNNING, "exited"): UPLOADING,
    (RUNNING, "killed"): ENDING,
    (UPLOADING, "uploaded"): DONE,
    (UPLOADING, "killed"): ENDING,
    (ENDING, "ended"): DONE,
}


class Prepare(NamedTuple):
    """Make the directory, bring inputs and packages; answer `prepared` or `failed`."""

    key: Key


class Launch(NamedTuple):
    """Start the command; answer `exited` or `failed`."""

    key: Key


class Upload(NamedTuple):
    """Send output files; answer `uploaded`."""

    key: Key


class Stop(NamedTuple):
    """End whatever is done for the attempt in `phase`; answer `ended`. `gently`: SIGTERM first."""

    key: Key
    phase: str
    gently: bool


class Report(NamedTuple):
    """Tell the engine. `at`: when it happened, monotonic seconds; None where age does not matter."""

    item: list[Any]
    at: float | None = None


class Begun(NamedTuple):
    """Tell the engine that an attempt which waited for a slot runs. Unimportant once its end is told."""

    key: Key


class Finish(NamedTuple):
    """The attempt is over: its directory is kept for as long as its retention, its user is free again."""

    key: Key
    work: Work
    blocks_written: int


class End(NamedTuple):
    """How the command ended. `stats` as in contract/messages.py; `signal` 0 when it exited.

    `memory_limit`: bytes that the node has, when the kernel killed the command because they were used up.
    `at`: when it ended, monotonic seconds; 0: now.
    `process_limit`: processes that the node may have, when the agent killed the command because they were used up.
    """

    exit: int
    stats: list[int]
    signal: int = 0
    memory_limit: int = 0
    at: float = 0.0
    process_limit: int = 0


class Reason(NamedTuple):
    """Why an attempt is being ended: terminate, requeue, delete, time, disk or back, with words."""

    why: str
    words: str


@dataclass(slots=True)
class Attempt:
    """One attempt on this node. `story` keeps its events for Impossible.

    `slots`: that it takes while it runs. `since`: when it came, then when it began. `ahead`: the engine gave it before
    there was a free slot, and takes it for waiting until told otherwise.
    """

    work: Work
    slots: int = 1
    ahead: bool = False
    since: float = 0.0
    phase: str = WAITING
    reason: Reason | None = None
    end: End | None = None
    story: list[str] = field(default_factory=list)


class Impossible(Exception):
    """An event met a phase it cannot happen in."""


class Core:
    """All attempts that this node holds.

    Attempts begin in the order in which they came, each when enough of the node's slots are free.

    Args:
        slots: of the node.
    """

    def __init__(self, slots: int = 1) -> None:
        self.attempts: dict[Key, Attempt] = {}
        self.line: dict[Key, Attempt] = {}  # those that wait for slots, in order
        self._busy: dict[Key, Attempt] = {}  # those that have slots
        self._free = slots
        self._current: dict[tuple[int, int], Key] = {}

    def holds(self) -> list[list[int]]:
        """Every attempt that is not ended, as a `hold` event lists them."""
        return [[*key, int(attempt.phase == WAITING)] for key, attempt in self.attempts.items()]

    def running(self) -> int:
        """Attempts that have slots."""
        return len(self.attempts) - len(self.line)

    def assigned(self, work: Work, now: float, slots: int = 1, ahead: bool = False) -> list[tuple]:
        """A run message named this attempt. Waits for slots, and while an older attempt of the task is dying."""
        older = self._current.get(work.key[:2])
        if older is not None and older[2] >= work.key[2]:
            return []
        attempt = self.attempts[work.key] = Attempt(work, slots, ahead, now)
        self._current[work.key[:2]] = work.key
        if older is not None:
            return self.kill(older, Reason("back", "a later attempt was assigned"), now)
        if self.line or attempt.slots > self._free:
            self.line[work.key] = attempt
            return []
        return self._begin(work.key, now)

    def returned(self, now: float) -> tuple[list[Key], list[tuple]]:
        """Every attempt that was given ahead and has not begun; the node does not hold them any more. And effects."""
        keys = [key for key, attempt in self.attempts.items() if attempt.ahead and attempt.phase == WAITING]
        for key in keys:
            self._move(key, "returned")
            self._forget(key)
        return keys, self._next(now)

    def waiting_since(self) -> float | None:
        """When the first of those that wait for slots came; None: none waits."""
        return next(iter(self.line.values())).since if self.line else None

    def followers(self, most: int) -> list[Key]:
        """The first of the line, as far as each begins exactly when a command ends that runs now or is among them.

        That is so where all take equal slots and need nothing but their command; and all have one user.
        """
        if not self.line or not self._busy:
            return []
        first = next(iter(self._busy.values()))
        if not all(attempt.phase == RUNNING and _alike(attempt, first) for attempt in self._busy.values()):
            return []
        alike = itertools.takewhile(lambda entry: _alike(entry[1], first), self.line.items())
        return [key for key, _ in itertools.islice(alike, most)]

    def prepared(self, key: Key) -> list[tuple]:
        """Inputs are there."""
        if self._stale(key, ENDING):
            return []
        gang = self.attempts[key].work.gang
        if gang is None:
            self._move(key, "prepared")
            return [Launch(key)]
        if gang.words:
            self._move(key, "summoned")
            return [Launch(key)]
        return self._gather(key, None)

    def go(self, key: Key) -> list[tuple]:
        """All instances are coordinated: the primary's command begins. Said again, or too late, it means nothing."""
        attempt = self.attempts.get(key)
        if attempt is None or attempt.phase != GATHERED:
            return []
        self._move(key, "prepared")
        return [Launch(key)]

    def words(self, key: Key) -> list[str]:
        """The command that the attempt is to run now."""
        attempt = self.attempts[key]
        gang = attempt.work.gang
        return list(gang.words) if gang is not None and attempt.phase == COORDINATING else attempt.work.words

    def coordinating(self, key: Key) -> bool:
        """The command that runs is the coordination command."""
        return self.attempts[key].phase == COORDINATING

    def failed(self, key: Key, problem: Failure, now: float) -> list[tuple]:
        """The command was never run."""
        attempt = self.attempts[key]
        if attempt.phase == ENDING:
            return self._ended(key, now)
        self._move(key, "failed")
        return self._done(key, _end(key, None, problem, None), now)

    def exited(self, key: Key, end: End, now: float) -> list[tuple]:
        """The command's whole process tree is gone."""
        attempt = self.attempts[key]
        if attempt.phase == ENDING:
            attempt.end = end._replace(exit=KILLED_EXIT)
            return self._ended(key, now)
        if attempt.phase == COORDINATING and end.exit == 0:
            return self._gather(key, 0)
        was = attempt.phase
        self._move(key, "exited")
        attempt.end = end
        if was == COORDINATING:
            return self._done(key, _end(key, end.exit, _own_fault(end) or _uncoordinated(end), end.stats), now)
        if attempt.work.has_outputs:
            return [Upload(key)]
        return self.uploaded(key, None, now)

    def uploaded(self, key: Key, problem: Failure | None, now: float) -> list[tuple]:
        """Outputs are there, or there are none."""
        if self._stale(key, ENDING):
            return []
        end = self._end_of(key)
        self._move(key, "uploaded")
        return self._done(key, _end(key, end.exit, problem or _own_fault(end), end.stats), now)

    def ended(self, key: Key, now: float) -> list[tuple]:
        """What Stop asked for has happened, and no command ran at that time."""
        return self._ended(key, now)

    def kill(self, key: Key, reason: Reason, now: float) -> list[tuple]:
        """End this attempt; unknown or dying ones are left as they are."""
        attempt = self.attempts.get(key)
        if attempt is None or attempt.phase == ENDING:
            return []
        before = attempt.phase
        attempt.reason = reason
        self._move(key, "killed")
        if before == WAITING:
            self.line.pop(key, None)
            return self._done(key, self._verdict(key), now, 0)
        return [Stop(key, before, reason.why == "terminate")]

    def retain(self, job: int, task: int, retention_s: float | None) -> bool:
        """Change how long the directory of a task that is here will be kept; False when it is not here."""
        key = self._current.get((job, task))
        if key is None:
            return False
        attempt = self.attempts[key]
        attempt.work = replace(attempt.work, retention_s=retention_s)
        return True

    def kill_all(self, reason: Reason, now: float) -> list[tuple]:
        """End every attempt."""
        return [effect for key in list(self.attempts) for effect in self.kill(key, reason, now)]

    def lost(self, key: Key, why: str, now: float) -> list[tuple]:
        """The means to run the attempt broke, and nothing of it is left running."""
        attempt = self.attempts[key]
        attempt.reason = attempt.reason or Reason("back", why)
        if attempt.phase != ENDING:
            self._move(key, "killed")
        return self._ended(key, now)

    def check(self) -> None:
        """Raise AssertionError when the state contradicts itself; tests call it after every event."""
        for key, attempt in self.attempts.items():
            assert attempt.phase != DONE, (key, attempt)
            assert (attempt.phase == ENDING) == (attempt.reason is not None), (key, attempt)
            assert self._current[key[:2]][2] >= key[2]
            waits = self._current[key[:2]] == key and any(k[:2] == key[:2] and k != key for k in self.attempts)
            assert (attempt.phase == WAITING) == (waits or key in self.line), (key, attempt)
        for key in self._current.values():
            assert key in self.attempts
        assert self._busy == {key: attempt for key, attempt in self.attempts.items() if attempt.phase != WAITING}
        assert not self.line or next(iter(self.line.values())).slots > self._free, "a slot is free and somebody waits"

    def _begin(self, key: Key, now: float) -> list[tuple]:
        attempt = self.attempts[key]
        self._move(key, "begun")
        self._free -= attempt.slots
        attempt.since = now
        self._busy[key] = attempt
        effects: list[tuple] = [Begun(key)] if attempt.ahead else []
        if attempt.work.has_inputs:
            return [*effects, Prepare(key)]
        return effects + self.prepared(key)

    def _gather(self, key: Key, code: int | None) -> list[tuple]:
        """`code`: of the coordination command; None: there is none."""
        self._move(key, "gathered")
        return [Report(["coordinated", *key, code])]

    def _next(self, now: float) -> list[tuple]:
        """Begin whoever is first in line, as far as slots go."""
        effects: list[tuple] = []
        while self.line:
            key, attempt = next(iter(self.line.items()))
            if attempt.slots > self._free:
                break
            del self.line[key]
            effects += self._begin(key, now)
        return effects

    def _ended(self, key: Key, now: float) -> list[tuple]:
        verdict = self._verdict(key)
        self._move(key, "ended")
        return self._done(key, verdict, now)

    def _verdict(self, key: Key) -> list[Any]:
        """The report of an attempt that was ended from outside."""
        attempt = self.attempts[key]
        why, words = attempt.reason or Reason("back", "")
        if why == "back":
            return ["back", *key, words]
        end = attempt.end
        return _end(key, end.exit if end else None, _FAULTS[why](words), end.stats if end else None)

    def _done(self, key: Key, item: list[Any], now: float, slots: int | None = None) -> list[tuple]:
        """`slots`: that are free again; None: all that it takes."""
        attempt = self.attempts[key]
        self._free += attempt.slots if slots is None else slots
        if item[0] == "end" and attempt.end:
            item[7] = [*attempt.end.stats, max(1, int((now - attempt.since) * 1e6))]
        blocks = attempt.end.stats[4] if attempt.end else 0
        effects: list[tuple] = [Report(item, now), Finish(key, attempt.work, blocks)]
        self._forget(key)
        return effects + self._next(now)

    def _forget(self, key: Key) -> None:
        """The attempt is not here any more; one that waited for its end gets in line."""
        del self.attempts[key]
        self.line.pop(key, None)
        self._busy.pop(key, None)
        task = key[:2]
        if self._current[task] == key:
            del self._current[task]
            if len(self.attempts) > len(self._current):
                # a waiting attempt that was ended leaves the older one, which is still dying
                self._current.update((task, other) for other in self.attempts if other[:2] == task)
            return
        others = [other for other in self.attempts if other[:2] == task]
        if len(others) == 1:
            self.line[others[0]] = self.attempts[others[0]]

    def _stale(self, key: Key, phase: str) -> bool:
        """An answer that crossed a kill says nothing any more; `ended` follows."""
        return self.attempts[key].phase == phase

    def _end_of(self, key: Key) -> End:
        end = self.attempts[key].end
        if end is None:
            raise Impossible(f"{key} uploaded before it exited")
        return end

    def _move(self, key: Key, event: str) -> None:
        attempt = self.attempts[key]
        attempt.story.append(event)
        phase = TABLE.get((attempt.phase, event))
        if phase is None:
            raise Impossible(f"{key} in {attempt.phase}: {' '.join(attempt.story)}")
        attempt.phase = phase


def _alike(one: Attempt, other: Attempt) -> bool:
    return one.slots == other.slots and one.work.plain and one.work.identity == other.work.identity


SIGXFSZ = 25
"""Linux's signal to a process that outgrows RLIMIT_FSIZE, which we set to the node's disk share."""


def _own_fault(end: End) -> Failure | None:
    """A failure of the command that says more than its exit code; None leaves the words to the engine."""
    if end.signal == SIGXFSZ:
        return failure(RUN, "DiskFull", "a file of the task reached the node's disk share")
    if end.memory_limit:
        words = f"the task ran out of memory and was killed: the node has {end.memory_limit} bytes"
        return failure(RUN, "FailureExitCode", words)
    if end.process_limit:
        words = f"the task took up the node's {end.process_limit} processes and threads and was killed"
        return failure(RUN, "FailureExitCode", words)
    return None


def _uncoordinated(end: End) -> Failure:
    return failure(RUN, "FailureExitCode", f"the coordination command exited with {end.exit}")


def _end(key: Key, code: int | None, problem: Failure | None, stats: list[int] | None) -> list[Any]:
    return ["end", *key, 0, code, problem.listed() if problem else None, stats]


def _ended_by_request(words: str) -> Failure:
    return failure(RUN, "TaskEnded", words or "the task was ended by a request")


_FAULTS = {
    "terminate": _ended_by_request,
    "requeue": _ended_by_request,
    "delete": _ended_by_request,
    "time": lambda words: failure(TIME, "TaskEnded", words),
    "disk": lambda words: failure(RUN, "DiskFull", words),
}
