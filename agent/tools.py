"""Programs that come with the agent, beside its own interpreter: an image need not have them."""

import shutil
import sys
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "OPENSSL_CONF": "/dev/null"}
"""What the agent's own programs are started with. A task that is root could have written an openssl.cnf of its own."""


def program(name: str) -> str:
    """The path of a program. Outside of a node's image, in tests, it is the machine's own."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name, path=ENVIRONMENT["PATH"]) or str(beside)
