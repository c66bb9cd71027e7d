"""Docker's ways to fail, as the driver tells them."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from docker.errors import APIError, DockerException

from orchestrator.drivers.base import DriverAway, DriverError


@contextmanager
def translated(code: str, doing: str) -> Iterator[None]:
    """Whatever Docker says inside becomes a DriverError of this code.

    Raises:
        DriverAway: the engine does not answer; it is not the node's fault.
        DriverError: the engine refused.
    """
    try:
        yield
    except APIError as error:
        if error.is_server_error() and "no space left" in str(error.explanation):
            raise DriverError("DiskFull", f"{doing}: {error.explanation}") from error
        raise DriverError(code, f"{doing}: {error.explanation or error}") from error
    except (DockerException, requests.RequestException, OSError) as error:
        raise DriverAway("DockerUnavailable", f"{doing}: Docker does not answer: {error}") from error


def conflict(error: APIError) -> bool:
    return error.status_code == 409


def gone(error: APIError) -> bool:
    return error.status_code == 404
