"""The agent's calls to the farm's API (docs/architecture.md, "Agent and API"). Blocking: called from threads."""

import threading
import time
from typing import Any

import httpx

from agent.assignment import Key
from agent.contract.boot import Boot
from agent.settings import Settings


class GiveBack(Exception):
    """The attempt cannot go on for a reason of the node's or the farm's; the message says which."""


class Stopped(Exception):
    """What was being done is no longer wanted."""


class Patience:
    """Waiting between attempts of one step: doubles, and ends at once when `stop` is set."""

    def __init__(self, first_s: float, stop: threading.Event, most_s: float = 10.0) -> None:
        self._next, self._stop, self._most = first_s, stop, most_s

    def wait(self, at_least_s: float = 0.0) -> None:
        """Sleep once.

        Raises:
            Stopped: `stop` was set.
        """
        if self._stop.wait(max(self._next, at_least_s)):
            raise Stopped
        self._next = min(self._next * 2, self._most)


class Api:
    """One node's client. Its token is sent to the API and to nobody else."""

    def __init__(self, boot: Boot, settings: Settings) -> None:
        self._settings = settings
        self._client = httpx.Client(
            base_url=boot.api_url,
            headers={"authorization": f"Bearer {boot.token}"},
            timeout=settings.http_timeout_s,
            trust_env=False,
            verify=boot.api_url.startswith("https"),  # loading authorities takes 50 ms that plain http can do without
        )

    def close(self) -> None:
        self._client.close()

    def transfers(self, body: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
        """What to bring and send for a task, the start task or packages, with URLs signed now.

        Raises:
            GiveBack: the attempt is superseded, or the API stays away.
        """
        return self._post("/nodefarm/v1/node/transfers", body, stop).json()

    def publish(self, key: Key, stop: threading.Event) -> None:
        """Ask whether the attempt still counts, before its outputs get their names.

        Raises:
            GiveBack: it does not, or the API stays away.
        """
        job, task, attempt = key
        self._post("/nodefarm/v1/node/publish", {"job": job, "task": task, "attempt": attempt}, stop)

    def mounts(self) -> list[dict[str, Any]]:
        """The file systems of the pool (orchestrator/storage/mounts.py says what each entry holds).

        Raises:
            GiveBack: the API stays away.
        """
        found: list[dict[str, Any]] = self._post("/nodefarm/v1/node/mounts", {}, threading.Event()).json()["value"]
        return found

    def account_secrets(self) -> list[dict[str, Any]]:
        """Passwords and private keys of the pool's user accounts: name, password, sshPrivateKey.

        Raises:
            GiveBack: the API stays away.
        """
        found: list[dict[str, Any]] = self._post("/nodefarm/v1/node/accounts", {}, threading.Event()).json()["value"]
        return found

    def certificates(self) -> list[dict[str, Any]]:
        """The certificates of this boot: name (of the file), data (base64), password ("" without), visibility.

        Raises:
            GiveBack: the API stays away.
        """
        answer = self._post("/nodefarm/v1/node/certificates", {}, threading.Event())
        found: list[dict[str, Any]] = answer.json()["value"]
        return found

    def order(self, url: str) -> dict[str, Any]:
        """What somebody wants done who waits for the answer at `url`.

        Raises:
            httpx.HTTPError: nobody does any more.
        """
        found: dict[str, Any] = self._client.get(url).raise_for_status().json()
        return found

    def reply(self, url: str, status: int, meta: str, content: Any, length: int) -> None:
        """Answer a file request. `url` may be a path of the API."""
        headers = {"x-farm-status": str(status), "x-farm-meta": meta, "content-length": str(length)}
        self._client.put(url, content=content, headers=headers).raise_for_status()

    def _post(self, path: str, body: dict[str, Any], stop: threading.Event) -> httpx.Response:
        patience = Patience(self._settings.http_backoff_s, stop)
        deadline = time.monotonic() + self._settings.api_patience_s
        while True:
            try:
                response = self._client.post(path, json=body)
            except httpx.TransportError as error:
                problem, wait = f"the API cannot be reached: {type(error).__name__}", 0.0
            else:
                if response.is_success:
                    return response
                if response.status_code in (401, 403, 409):
                    raise GiveBack("superseded by a later attempt or boot")
                if response.status_code < 500 and response.status_code != 429:
                    raise GiveBack(f"the API refused with {response.status_code}")
                problem, wait = f"the API answered {response.status_code}", _retry_after(response)
            if time.monotonic() > deadline:
                raise GiveBack(problem)
            patience.wait(wait)


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(30.0, float(text)) if text.isdigit() else 0.0
