"""A process that serves one container and nothing else: `python storage_server.py FOLDER PORT [REDIS S3]` says its URL.

It keeps the bytes in the folder or, where the URLs of a Redis and of an S3 server are given, in a bucket.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import uvicorn
from fastapi import FastAPI

from orchestrator.api.routes.containers import router
from orchestrator.storage.bucket import Bucket, Place
from orchestrator.storage.containers import Containers
from orchestrator.storage.folder import Folder
from tests.minio import BucketStorage


def main(folder: Path, port: int, redis: str = "", s3: str = "") -> None:
    made = BucketStorage(Bucket(Place.parse("s3://nightly", s3), "farm"), redis) if s3 else Folder(folder, "farm")
    containers = Containers(made, "farm", b"s" * 32, f"http://127.0.0.1:{port}")

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await made.create_container("box")
        yield
        await made.close()

    app = FastAPI(openapi_url=None, lifespan=life)
    app.include_router(router)
    app.state.containers, app.state.store = containers, SimpleNamespace()
    print(containers.url("box", "rwl", 6 * 3600), flush=True)
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_level="warning")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
