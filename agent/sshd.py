"""The node's own sshd, brought along with the agent (spec/behaviour.md, 17).

It runs as root without what tasks never hold either, so whoever logs in, with sudo too, can do what an elevated task
can and no more. Nothing of the agent's environment reaches a login. Only members of one group may log in.
"""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent import processes, tools

_log = logging.getLogger(__name__)

GROUP = "nodefarm-login"
USER = "sshd"
EMPTY = "/run/sshd"
"""Where sshd shuts itself in until somebody has logged in; compiled into it."""
PORT = 22
TAG = 1
"""Of all that it starts (processes.py); those of spawners are far above."""
READY_S = 10.0
ENDING_S = 5.0

_CONFIG = """\
Port {port}
HostKey {key}
AllowGroups {group}
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile none
PrintMotd no
AllowTcpForwarding yes
X11Forwarding no
AcceptEnv LANG LC_*
VersionAddendum none
Subsystem sftp internal-sftp
"""


class Sshd:
    """One sshd. `folder`: the agent's own, closed to tasks' users; `log`: where it says who came and went."""

    def __init__(self, folder: str, log: str) -> None:
        self._folder, self._log = Path(folder), log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; host keys are made at the node's first boot and kept.

        Raises:
            OSError, subprocess.SubprocessError: it cannot be had.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        os.makedirs(EMPTY, mode=0o755, exist_ok=True)
        key, config = self._folder / "host_key", self._folder / "sshd_config"
        if not key.exists():
            keygen("-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key))
        config.write_text(_CONFIG.format(port=PORT, key=key, group=GROUP))
        code = (
            f"import sys; sys.path[:0] = {[str(Path(__file__).parent.parent)]!r}; "
            "from agent.sshd import become_sshd; become_sshd(sys.argv[1:])"
        )
        words = [tools.program("sshd"), "-D", "-e", "-f", str(config)]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", code, *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=tools.ENVIRONMENT, cwd="/",
            )  # fmt: skip

    def await_ready(self) -> None:
        """Wait until it answers, for whoever is about to send somebody to it. A node boots without waiting.

        Raises:
            TimeoutError: it does not.
        """
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", PORT), 1.0):
                return
            time.sleep(0.05)
        raise TimeoutError("the node's sshd does not answer")

    def family(self) -> list[int]:
        """It and all below it."""
        return [] if self._process is None else [self._process.pid, *processes.descendants(self._process.pid)]

    def sessions(self, user: str, which: Callable[[int], bool] = lambda pid: True) -> list[int]:
        """Processes of a user's sessions: what sshd started for this name, with all below. `which`: of the leaders."""
        if self._process is None:
            return []
        found: list[int] = []
        for child in processes.descendants(self._process.pid):
            title = _title(child)
            if title.startswith((f"sshd: {user} [", f"sshd: {user}@")) and which(child):
                found += [child, *processes.descendants(child)]
        return found

    def stop(self) -> None:
        """End it and every session."""
        if self._process is None:
            return
        processes.kill(self.family()[::-1])
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING_S)


def become_sshd(words: list[str]) -> None:
    """Give up what no task may have, then turn into sshd; it ends with the agent."""
    from agent import confinement, priority  # only here: the agent itself must not need them to import this module

    priority.usual()
    confinement.become(0, 0, admin=True)
    confinement.die_with_parent()
    processes.tag_children(TAG)
    os.execv(words[0], words)


def keygen(*arguments: str) -> str:
    """Run ssh-keygen; answers what it prints.

    Raises:
        subprocess.CalledProcessError: it refuses. OSError: there is none.
    """
    words = [tools.program("ssh-keygen"), *arguments]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, env=tools.ENVIRONMENT
    )
    return done.stdout


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
