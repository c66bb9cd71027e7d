"""Bearer tokens of nodes and tasks: derived from the farm's secret, so nothing is stored and none outlives its holder.

A new boot of a node needs a new token, and so does a new attempt of a task.
"""

import hashlib
import hmac


def node_token(secret: bytes, account: str, node: int, boot: int) -> str:
    return _made("n", (node, boot), secret, f"node:{account}")


def read_node_token(secret: bytes, account: str, token: str) -> tuple[int, int] | None:
    """Node and boot of a valid token, else None. The caller checks that the boot is the node's current one."""
    found = _read("n", token, 2, secret, f"node:{account}")
    return (found[0], found[1]) if found else None


def task_token(secret: bytes, account: str, job: int, task: int, attempt: int) -> str:
    """What AZ_BATCH_AUTHENTICATION_TOKEN holds: it opens the attempt's own job (spec/behaviour.md, 8)."""
    return _made("t", (job, task, attempt), secret, f"task:{account}")


def read_task_token(secret: bytes, account: str, token: str) -> tuple[int, int, int] | None:
    """Job, task and attempt of a valid token, else None. The caller checks that the attempt still counts."""
    found = _read("t", token, 3, secret, f"task:{account}")
    return (found[0], found[1], found[2]) if found else None


def _made(letter: str, numbers: tuple[int, ...], secret: bytes, scope: str) -> str:
    said = ":".join([scope, *map(str, numbers)])
    mac = hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()
    return ".".join([letter + str(numbers[0]), *map(str, numbers[1:]), mac])


def _read(letter: str, token: str, count: int, secret: bytes, scope: str) -> tuple[int, ...] | None:
    try:
        parts = token.removeprefix(letter).split(".")[:-1]
        numbers = tuple(int(part) for part in parts)
        if len(numbers) != count:
            return None
        expected = _made(letter, numbers, secret, scope)
    except ValueError:
        return None
    return numbers if hmac.compare_digest(expected.encode(), token.encode("utf-8", "replace")) else None
