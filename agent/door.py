"""The agent's end of the door to the broker of task containers (contract/door.py)."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from agent.api import GiveBack
from agent.contract import door
from agent.contract.boot import Boot
from agent.failures import PRE, Failed, failure
from agent.settings import Settings


class Door:
    """One node's door. Its token is sent to the broker and to nobody else."""

    def __init__(self, boot: Boot, settings: Settings) -> None:
        self._client = httpx.AsyncClient(
            base_url=boot.broker_url,
            headers={"authorization": f"Bearer {boot.token}"},
            # Bringing an image and following a silent container take as long as they take.
            timeout=httpx.Timeout(settings.http_timeout_s, read=None, pool=None),
            limits=httpx.Limits(max_connections=None),
            trust_env=False,
        )

    async def close(self) -> None:
        """Let go of every container that is still followed: the broker ends them."""
        await self._client.aclose()

    async def bring_images(self) -> None:
        """Have the images of the pool's containerConfiguration on this host.

        Raises:
            Failed: one cannot be had.
            GiveBack: the broker cannot be reached, or has trouble of its own.
        """
        try:
            response = await self._client.post(door.IMAGES, json={})
        except httpx.TransportError as error:
            raise GiveBack(f"the broker of containers cannot be reached: {type(error).__name__}") from error
        await _check(response)

    @asynccontextmanager
    async def follow(self, request: dict[str, Any]) -> AsyncIterator[AsyncIterator[tuple[int, bytes]]]:
        """Run a container; yields its frames. Whoever leaves early ends it.

        Raises:
            Failed: the container cannot be had.
            GiveBack: the attempt is superseded, or the broker has trouble; the container has ended.
        """
        try:
            async with self._client.stream("POST", door.CONTAINERS, json=request) as response:
                await _check(response)
                yield _frames(response)
        except httpx.TransportError as error:
            raise GiveBack(f"the broker of containers was lost: {type(error).__name__}") from error

    async def signal(self, container: str, number: int) -> None:
        """Signal a container; nothing happens when it has ended.

        Raises:
            GiveBack: the broker cannot be reached.
        """
        try:
            await self._client.post(f"{door.CONTAINERS}/{container}/signal", json={"signal": number})
        except httpx.TransportError as error:
            raise GiveBack(f"the broker of containers cannot be reached: {type(error).__name__}") from error


async def _frames(response: httpx.Response) -> AsyncIterator[tuple[int, bytes]]:
    frames = door.Frames()
    async for piece in response.aiter_raw():
        for frame in frames.feed(piece):
            yield frame


async def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    content = await response.aread()
    if response.status_code == 422:
        told = json.loads(content)
        if "code" in told:
            raise Failed(failure(PRE, told["code"], told["message"]))
    if response.status_code in (403, 409):
        raise GiveBack("superseded by a later attempt or boot")
    raise GiveBack(f"the broker of containers answered {response.status_code}")
