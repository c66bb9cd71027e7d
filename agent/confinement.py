"""What a process gives up before it starts tasks, through prctl(2) and its kin.

Order matters: namespaces and /proc need CAP_SYS_ADMIN, dropping the bounding
set needs CAP_SETPCAP, and the parent-death signal is cleared by a change of
user, so it is asked for last.
"""

import ctypes
import os
import signal
import struct

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36
_CLONE_NEWNS = 0x00020000
_CLONE_NEWPID = 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_SLAVE = 2, 4, 8, 16384, 1 << 19
_OOM_SCORE = 500  # thousandths of the memory limit that such a process seems to use beyond what it does
_SIGSET_BYTES = 128  # sizeof(sigset_t) of glibc and musl
_CAP_VERSION_3 = 0x20080522

CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP = 0, 1, 3, 4, 5, 6, 7, 8
NET_BIND_SERVICE, NET_ADMIN, NET_RAW, SYS_CHROOT, SYS_PTRACE, SYS_ADMIN = 10, 12, 13, 18, 19, 21
AUDIT_WRITE, SETFCAP = 29, 31

ADMIN_CAPABILITIES = (
    CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
    NET_BIND_SERVICE, SYS_CHROOT, AUDIT_WRITE, SETFCAP,
)  # fmt: skip
"""What an elevated task may do: run as root in its own processes and files, never trace, mount or touch the network."""


def may_isolate() -> bool:
    """This process has the right that `isolate` needs; the kernel may still say no."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("CapEff:"))
    return bool(int(line.split()[1], 16) >> SYS_ADMIN & 1)


def isolate() -> None:
    """Leave the mount namespace, and let the next child be the first process of a new PID namespace.

    Raises:
        OSError: this process may not.
    """
    _call(_libc.unshare, _CLONE_NEWNS | _CLONE_NEWPID)
    _call(_libc.mount, b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None)


def own_proc() -> None:
    """Mount this PID namespace's own /proc over the old one.

    Raises:
        OSError: this process may not.
    """
    _call(_libc.mount, b"proc", b"/proc", b"proc", ctypes.c_ulong(_MS_NOSUID | _MS_NODEV | _MS_NOEXEC), None)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def become(uid: int, gid: int, admin: bool) -> None:
    """Take on a numeric user and its group, and give up what it must not have, for good.

    Args:
        uid: the user; 0 stays root, with few capabilities.
        gid: its only group, but for root's own.
        admin: children may gain privileges by set-user-id programs.
    """
    kept = ADMIN_CAPABILITIES if admin else ()
    for capability in range(_last_capability() + 1):
        if capability not in kept:
            _prctl(_PR_CAPBSET_DROP, capability)
    os.setgroups([0] if uid == 0 else [])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _set_capabilities(kept if uid == 0 else ())
    if not admin:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def child_signals() -> int:
    """Block SIGCHLD and answer a descriptor that becomes readable when one is pending (signalfd(2))."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    mask = (1 << (signal.SIGCHLD - 1)).to_bytes(_SIGSET_BYTES, "little")
    fd = _libc.signalfd(-1, mask, os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "signalfd")
    return fd


def hide() -> None:
    """Let no process of the same user trace this one or read its memory."""
    _prctl(_PR_SET_DUMPABLE, 0)


def die_before_others() -> None:
    """When memory runs out, this process and what it starts go before the agent. Raising needs no rights."""
    with open("/proc/self/oom_score_adj", "r+") as file:
        if int(file.read()) < _OOM_SCORE:
            file.write(str(_OOM_SCORE))


def die_with_parent() -> None:
    """Ask for SIGKILL when the parent dies. A change of user clears it."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _set_capabilities(kept: tuple[int, ...]) -> None:
    mask = sum(1 << capability for capability in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = struct.pack("=Ii", _CAP_VERSION_3, 0)
    _call(_libc.capset, header, struct.pack("=6I", low, low, 0, high, high, 0))


def _last_capability() -> int:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return int(file.read())


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _call(_libc.prctl, option, ctypes.c_ulong(value), zero, zero, zero)


def _call(function, *arguments) -> None:
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{function.__name__}: {os.strerror(code)}")
