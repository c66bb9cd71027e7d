"""Options of the file systems that a pool mounts on its nodes (spec/api.md, MountConfiguration). Pure.

Each kind takes a stated set of options and refuses the others by name: nothing is accepted and then ignored.
"""

import re
import shlex
from dataclasses import dataclass

DEFAULT_CACHE_S = 120
"""How long blobfuse keeps what it has read, unless told otherwise."""
_FLAGS = frozenset({"ro", "rw", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "sync"})
_KERNEL_OPTION = re.compile(r"[a-z_]+[0-9]*(=[A-Za-z0-9_.:+-]*)?")
_GIVEN = frozenset({"username", "user", "password", "pass", "credentials", "cred", "addr", "ip", "unc", "clientaddr"})
_PATH = re.compile(r"[^/\0]+(/[^/\0]+)*")


class BadMount(ValueError):
    """The message says what is wrong with the mount, or with one of its options."""


@dataclass(frozen=True)
class BlobOptions:
    """How a container of files is shown. Times in seconds."""

    read_only: bool = False
    attributes_s: int = 1
    entries_s: int = 5
    cache_s: int = DEFAULT_CACHE_S


@dataclass(frozen=True)
class KernelOptions:
    """Options of a file system of the kernel's: `flags` are the general ones of mount(8), `data` its own."""

    flags: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


def mount_path(text: str) -> str:
    """A relativeMountPath without slashes at its ends.

    Raises:
        BadMount: it does not name a folder below AZ_BATCH_NODE_MOUNTS_DIR.
    """
    path = text.strip("/")
    if not _PATH.fullmatch(path) or not {".", ".."}.isdisjoint(path.split("/")):
        raise BadMount("not the relative path of a folder")
    return path


def blob_options(text: str) -> BlobOptions:
    """Read blobfuseOptions, as blobfuse and blobfuse2 spell them.

    Raises:
        BadMount: one is not known here, or has no value that it can have.
    """
    found: dict[str, bool | int] = {}
    for name, value in _blob_words(text):
        match name:
            case "ro" | "read-only" if not value:
                found["read_only"] = True
            case "allow_other" | "allow-other" if not value:
                pass  # every task may use what its pool mounts
            case "attr_timeout" | "attr-timeout":
                found["attributes_s"] = _seconds(name, value)
            case "entry_timeout" | "entry-timeout":
                found["entries_s"] = _seconds(name, value)
            case "file-cache-timeout-in-seconds" | "file-cache-timeout":
                found["cache_s"] = _seconds(name, value)
            case _:
                raise BadMount(f"the option {name} is not supported here")
    return BlobOptions(**found)  # type: ignore[arg-type]


def _blob_words(text: str) -> list[tuple[str, str]]:
    """Names and values of `-o a=1,b`, `--name=value` and `--name value`."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadMount(str(error)) from error
    found: list[tuple[str, str]] = []
    while words:
        word = words.pop(0)
        if word == "-o" and words:
            found += [(name, value) for name, _, value in (one.partition("=") for one in words.pop(0).split(","))]
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals and words and not words[0].startswith("-"):
                value = words.pop(0)
            found.append((name, value))
        else:
            raise BadMount(f"{word} is not an option")
    return found


def _seconds(name: str, value: str) -> int:
    if not value.isdigit() or len(value) > 6:
        raise BadMount(f"{name}: a number of seconds is needed")
    return int(value)


def kernel_options(text: str) -> KernelOptions:
    """Read mountOptions, as mount(8) takes them: `-o vers=3.0,ro` or the list alone.

    Raises:
        BadMount: one is no option, or says what other members of the mount say.
    """
    words = (
        [word for word in text.replace("-o", " ", 1).split() if word]
        if text.strip().startswith("-o")
        else [text.strip()]
    )
    if len(words) > 1:
        raise BadMount("options are separated by commas")
    options = [one for one in (words[0].split(",") if words else []) if one]
    for one in options:
        name = one.partition("=")[0]
        if not _KERNEL_OPTION.fullmatch(one) or name in _GIVEN:
            raise BadMount(f"the option {name} is not supported here")
    flags = tuple(one for one in options if one in _FLAGS)
    return KernelOptions(flags, tuple(one for one in options if one not in _FLAGS))


def nfs_source(text: str) -> tuple[str, str]:
    """Host and path of `host:/path`.

    Raises:
        BadMount: it is not one.
    """
    host, colon, path = text.partition(":")
    if not host or not colon or not path.startswith("/") or any(c.isspace() for c in text):
        raise BadMount("an NFS source is host:/path")
    return host, path


def share_source(text: str) -> tuple[str, str]:
    """Host and share, with folders below it, of `//host/share` or a URL of Azure Files.

    Raises:
        BadMount: it is neither.
    """
    rest = text.removeprefix("https:").replace("\\", "/")
    host, _, share = rest.removeprefix("//").partition("/")
    share = share.strip("/")
    if not rest.startswith("//") or not host or not share or any(c.isspace() or c == "," for c in rest):
        raise BadMount("a share is //host/share or https://host/share")
    return host, share
