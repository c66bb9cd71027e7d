"""`python -m orchestrator.first_start FOLDER`: makes every secret of a cluster, once.

Each goes into the folder of the service that needs it, and no service sees
another's folder: FOLDER/farm, FOLDER/redis, FOLDER/minio (volumes in compose).
What is there already stays, so a first start that was cut short is completed
by the next one. Nothing is printed.
"""

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

FARM_USER = 10001
"""User and group of our processes in the image; MinIO runs as the same number, Redis as a user of its own."""
BUCKET_USER = "farm"

_ACL = """user default off resetpass ~* &* +@all
user farm on >{farm} ~* &* +@all
user health on >{health} resetkeys resetchannels -@all +ping
"""
"""Nobody can log in as `default`, but it keeps its rights: Redis checks the transactions of its own append-only file
against them, and without them it silently leaves out at its start all that scripts ever wrote."""
_AWS = "[default]\naws_access_key_id = {user}\naws_secret_access_key = {password}\n"


def make(folder: Path, *, redis: str, owner: int = FARM_USER) -> None:
    """Write what is missing.

    Args:
        folder: holds `farm`, `redis` and `minio`, which exist.
        redis: host and port by which our processes reach Redis.
        owner: user and group that the folders of farm and MinIO belong to.

    Raises:
        OSError: a folder is missing or cannot be written.
    """
    farm, redis_folder, minio = folder / "farm", folder / "redis", folder / "minio"
    password = _once(redis_folder / "farm", _word)
    health = _once(redis_folder / "health", _word)
    # Redis drops to a user whose number depends on the image; only its container sees this folder.
    _write(redis_folder / "users.acl", _ACL.format(farm=password, health=health).encode(), 0o444)
    (redis_folder / "health").chmod(0o444)
    user, key = _once(minio / "user", lambda: f"{BUCKET_USER}-{secrets.token_hex(4)}"), _once(minio / "password", _word)
    if not (farm / "secret").exists():
        _write(farm / "secret", secrets.token_bytes(32), 0o440)
    _write(farm / "farm_redis_url", f"redis://farm:{password}@{redis}/0".encode(), 0o440)
    _write(farm / "aws", _AWS.format(user=user, password=key).encode(), 0o440)
    for place in (farm, minio):
        for path in (place, *place.iterdir()):
            os.chown(path, owner, owner)


def _word() -> str:
    return secrets.token_hex(24)


def _once(path: Path, new: Callable[[], str]) -> str:
    """The content of a file, which is made at the first call."""
    if not path.exists():
        _write(path, new().encode(), 0o400)
    return path.read_text()


def _write(path: Path, content: bytes, mode: int) -> None:
    """In one step, through to the disk: half a secret would be kept for ever."""
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    draft.chmod(mode)
    draft.replace(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]), redis=sys.argv[2])
