"""A process that serves one container and nothing else: `python storage_server.py FOLDER PORT` prints its URL."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

import uvicorn
from fastapi import FastAPI

from orchestrator.api.routes.containers import router
from orchestrator.storage.containers import Containers
from orchestrator.storage.folder import Folder


def main(folder: Path, port: int) -> None:
    containers = Containers(Folder(folder, "farm"), "farm", b"s" * 32, f"http://127.0.0.1:{port}")
    asyncio.run(containers.storage.create_container("box"))
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    app.state.containers, app.state.store = containers, SimpleNamespace()
    print(containers.url("box", "rwl", 6 * 3600), flush=True)
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_level="warning", lifespan="off")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
