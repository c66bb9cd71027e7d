"""`python -m orchestrator.api.serve`: one API process on uvicorn. Prints nothing but log lines (JSON, stderr)."""

import asyncio
import socket
import uuid

import structlog
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestrator import logs, wiring
from orchestrator.api import errors
from orchestrator.api.app import create_app
from orchestrator.api.errors import ApiError
from orchestrator.serving import Server
from orchestrator.settings import Settings
from orchestrator.storage.base import StorageError

GRACE_S = 10
"""Seconds that running requests get to end when the process is told to stop."""


class Protocol(HttpToolsProtocol):
    """What is not HTTP at all gets the service's error body, too."""

    def send_400_response(self, msg: str) -> None:
        request_id = str(uuid.uuid4())
        content = errors.body(ApiError("InvalidInput", msg), "", request_id)
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json;odata=minimalmetadata\r\n"
            f"content-length: {len(content)}\r\nrequest-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()


async def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    farm = await wiring.open_farm(settings)
    try:
        await farm.store.accounts.ensure()
        await _try_storage(farm)
        app = create_app(
            farm.store,
            farm.containers,
            farm.vault,
            settings,
            farm.catalogue,
            secret=farm.secret,
            capabilities=wiring.driver(settings).capabilities,
        )
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE_S,
        )
        await Server(config).serve(_sockets(settings))
    finally:
        await farm.close()


def _sockets(settings: Settings) -> list[socket.socket] | None:
    """Where to listen when nodes need an address of their own; None: where the configuration says.

    Raises:
        OSError: the port is taken at one of the addresses.
    """
    if not settings.node_host or settings.host in (settings.node_host, "0.0.0.0", ""):
        return None
    return [socket.create_server((host, settings.port)) for host in (settings.host, settings.node_host)]


async def _try_storage(farm: wiring.Farm) -> None:
    """Makes the bucket at the first start. A store that is away is no reason not to serve what needs none."""
    try:
        await farm.containers.storage.check()
    except StorageError as error:
        structlog.get_logger("api").warning("storage_away", error=error.message)


def main() -> None:
    settings = Settings()
    logs.configure(settings.log_level, "api")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))


if __name__ == "__main__":
    main()
