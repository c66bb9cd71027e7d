"""`fusermount -o OPTIONS -- PLACE`, as FUSE programs start it: mounts, and hands the open /dev/fuse to its caller.

The image's own, or libfuse's, would not do: they look into files and start programs that a task which is root could
have written, with the right to mount.
"""

import os
import socket
import sys

from agent import filesystems

COMMUNICATION = "_FUSE_COMMFD"
"""The variable that names the descriptor of the caller's socket."""
_OPTIONS = {"allow_other", "default_permissions"}
"""Options of the kernel's part that are handed on; the rest are for programs that show mounts."""


def main() -> None:
    """Do what the arguments say."""
    *options, place = sys.argv[1:]
    if "-u" in options:
        filesystems.unmount(place)
        return
    given = options[options.index("-o") + 1].split(",") if "-o" in options else []
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    data = [f"fd={device}", "rootmode=40000", "user_id=0", "group_id=0"]
    data += [one for one in given if one in _OPTIONS or one.startswith("max_read=")]
    flags = ("nosuid", "nodev", *(("ro",) if "ro" in given else ()))
    filesystems.mount(_name(given), place, "fuse", flags, data)
    with socket.socket(fileno=int(os.environ[COMMUNICATION])) as caller:
        socket.send_fds(caller, [b"\0"], [device])


def _name(options: list[str]) -> str:
    return next((one.partition("=")[2] for one in options if one.startswith("fsname=")), "fuse")
