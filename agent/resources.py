"""What a node has used so far: totals for the pulse (contract/messages.py).

In a container the node's own cgroup tells. A node that is a process tree of its host adds up its processes; what its
dead children used is in their parents' figures, since somebody of the tree reaped them. Such a node shares the host's
network, so it tells the host's.
"""

import os
import time
from pathlib import Path

_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LEAST_PAUSE_S = 1.0
_CGROUP = Path("/sys/fs/cgroup")


class Resources:
    """Reads totals, at most once a second.

    Args:
        driver: that made the node; all but `process` give it a cgroup of its own.
    """

    def __init__(self, driver: str) -> None:
        self._read = _of_tree if driver == "process" else _of_cgroup
        self._at, self._last = 0.0, {}

    def totals(self) -> dict[str, float]:
        """t and cpu (us), cores, mem (bytes now), rb wb (bytes) and ro wo (operations) of disks, ni no (bytes) of the
        network; what cannot be read is left out."""
        now = time.monotonic()
        if not self._last or now - self._at >= _LEAST_PAUSE_S:
            self._at = now
            self._last = {"t": int(now * 1e6), "cores": cores(), **self._read(), **_network()}
        return self._last


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def cores() -> float:
    """How many cores the node may use: its quota, or what the host has."""
    host = float(len(os.sched_getaffinity(0)))
    quota, _, period = _text(_CGROUP / "cpu.max").partition(" ")  # version 2
    if not period:
        quota, period = _text(_CGROUP / "cpu/cpu.cfs_quota_us"), _text(_CGROUP / "cpu/cpu.cfs_period_us")
    try:
        limit = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return host
    return min(host, limit) if limit > 0 else host


def _network() -> dict[str, int]:
    received = sent = 0
    for line in _text("/proc/self/net/dev").splitlines()[2:]:
        name, _, figures = line.partition(":")
        numbers = figures.split()
        if name.strip() != "lo" and len(numbers) >= 9:
            received, sent = received + int(numbers[0]), sent + int(numbers[8])
    return {"ni": received, "no": sent}


def _of_cgroup() -> dict[str, int]:
    version_2 = (_CGROUP / "cgroup.controllers").exists()
    return _version_2() if version_2 else _version_1()


def _version_2() -> dict[str, int]:
    found = {}
    usage = _pairs(_CGROUP / "cpu.stat").get("usage_usec")
    if usage is not None:
        found["cpu"] = usage
    memory = _text(_CGROUP / "memory.current").strip()
    if memory:
        found["mem"] = max(0, int(memory) - _pairs(_CGROUP / "memory.stat").get("inactive_file", 0))
    names = {"rbytes": "rb", "wbytes": "wb", "rios": "ro", "wios": "wo"}
    if (_CGROUP / "io.stat").exists():
        found |= dict.fromkeys(names.values(), 0)  # devices that were never used are not listed
    for line in _text(_CGROUP / "io.stat").splitlines():
        for word in line.split()[1:]:
            name, _, figure = word.partition("=")
            if name in names:
                found[names[name]] = found.get(names[name], 0) + int(figure)
    return found


def _version_1() -> dict[str, int]:
    found = {}
    usage = _text(_CGROUP / "cpuacct/cpuacct.usage").strip()
    if usage:
        found["cpu"] = int(usage) // 1000
    memory = _text(_CGROUP / "memory/memory.usage_in_bytes").strip()
    if memory:
        found["mem"] = max(0, int(memory) - _pairs(_CGROUP / "memory/memory.stat").get("total_inactive_file", 0))
    for file, names in (("io_service_bytes", ("rb", "wb")), ("io_serviced", ("ro", "wo"))):
        told = _text(_CGROUP / f"blkio/blkio.throttle.{file}")
        if told:
            found |= dict.fromkeys(names, 0)  # devices that were never used are not listed
        for line in told.splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in ("Read", "Write"):
                name = names[words[1] == "Write"]
                found[name] = found.get(name, 0) + int(words[2])
    return found


def _pairs(path: Path) -> dict[str, int]:
    """`name number` lines."""
    words = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdecimal()}


def _of_tree() -> dict[str, int]:
    """Everything below this process and itself."""
    found = {"cpu": 0, "mem": 0, "rb": 0, "wb": 0, "ro": 0, "wo": 0}
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        waiting += _children(pid)
        stat = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
        memory = _text(f"/proc/{pid}/statm").split()
        if len(stat) < 15 or len(memory) < 3:
            continue  # it has just ended
        found["cpu"] += sum(map(int, stat[11:15])) * _TICK_US
        found["mem"] += max(0, int(memory[1]) - int(memory[2])) * _PAGE  # shared pages are nobody's own
        _add_io(pid, found)
    return found


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [int(child) for thread in threads for child in _text(f"/proc/{pid}/task/{thread}/children").split()]


def _add_io(pid: int, found: dict[str, int]) -> None:
    names = {"read_bytes": "rb", "write_bytes": "wb", "syscr": "ro", "syscw": "wo"}
    for line in _text(f"/proc/{pid}/io").splitlines():
        name, _, figure = line.partition(": ")
        if name in names:
            found[names[name]] += int(figure)
