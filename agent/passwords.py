"""Hashes of passwords as /etc/shadow holds them, by the C library's own crypt(3)."""

import ctypes
import secrets
import string

_SALT = string.ascii_letters + string.digits + "./"
_LIBRARY = "libcrypt.so.1"


def hashed(password: str) -> str:
    """SHA-512 crypt: every C library of a Linux image can check it.

    Raises:
        OSError: there is no libcrypt.
        ValueError: it will not hash this.
    """
    library = ctypes.CDLL(_LIBRARY)
    library.crypt.restype = ctypes.c_char_p
    salt = "$6$" + "".join(secrets.choice(_SALT) for _ in range(16))
    found: bytes | None = library.crypt(password.encode("utf-8", "surrogateescape"), salt.encode())
    if not found or found.startswith(b"*"):
        raise ValueError("the password cannot be hashed")
    return found.decode()
