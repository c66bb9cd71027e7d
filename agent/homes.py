"""Home directories: what sshd and ssh read in them, and the certificates of remote users.

A user owns what lies in their home and may have put a link where we write, so folders are opened without following one
and files are made inside of what was opened.
"""

import os
import stat
from contextlib import suppress

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_CLIENT = """\
Host *
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""
"""Nodes come and go and get each other's addresses; whoever listens there is in the same pool."""


def home_of(name: str) -> str:
    return "/root" if name == "root" else f"/home/{name}"


class Home:
    """One home, made if it is not there. Its parent is root's."""

    def __init__(self, path: str, uid: int, gid: int) -> None:
        self._path, self._uid, self._gid = path, uid, gid
        os.makedirs(path, mode=0o750, exist_ok=True)
        os.chown(path, uid, gid, follow_symlinks=False)

    def authorize(self, key: str) -> None:
        """Let exactly this public key in; an empty one: none."""
        self._write(".ssh", {"authorized_keys": f"{key}\n".encode() if key else b""})

    def pair(self, private: str, public: str) -> None:
        """A key pair that opens every node which has the same, without a question asked."""
        kind = public.split(" ", 1)[0].removeprefix("ssh-")
        name = f"id_{'ecdsa' if kind.startswith('ecdsa') else kind}"
        private = private if private.endswith("\n") else f"{private}\n"
        files = {name: private, f"{name}.pub": f"{public}\n", "authorized_keys": f"{public}\n", "config": _CLIENT}
        self._write(".ssh", {file: text.encode() for file, text in files.items()})

    def certificates(self, files: dict[str, bytes]) -> None:
        """Have exactly these certificates in `certs`, by name of their files; other files there stay."""
        if files or os.path.lexists(f"{self._path}/certs"):
            self._write("certs", files, replaced="sha1-")

    def _write(self, folder_name: str, files: dict[str, bytes], replaced: str = "") -> None:
        """Write files of a folder; those whose names begin with `replaced` go before."""
        folder = self._folder(folder_name)
        try:
            for name in os.listdir(folder) if replaced else ():
                if name.startswith(replaced):
                    os.unlink(name, dir_fd=folder)
            for name, content in files.items():
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
                with open(os.open(name, _NEW, 0o600, dir_fd=folder), "wb") as out:
                    out.write(content)
                    os.fchown(out.fileno(), self._uid, self._gid)
        finally:
            os.close(folder)

    def _folder(self, name: str) -> int:
        home = os.open(self._path, _FOLDER)
        try:
            with suppress(FileNotFoundError):
                if not stat.S_ISDIR(os.lstat(name, dir_fd=home).st_mode):
                    os.unlink(name, dir_fd=home)
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=home)
            folder = os.open(name, _FOLDER, dir_fd=home)
        finally:
            os.close(home)
        os.fchown(folder, self._uid, self._gid)
        os.fchmod(folder, 0o700)
        return folder
