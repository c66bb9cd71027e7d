"""Older api-versions: which are served, and how each reshapes requests and answers."""

from orchestrator.api.lenses.versions import NEWEST, OLDEST, VERSIONS, Version
from orchestrator.api.wire.errors import WireError

__all__ = ["NEWEST", "OLDEST", "VERSIONS", "Version", "version"]

_BY_NAME = {version.name: version for version in VERSIONS}


def version(text: str) -> Version:
    """The version of that name.

    Raises:
        WireError: `UnsupportedRequestVersion`, for unknown ones and for those before 2016-02-01.3.0.
    """
    found = _BY_NAME.get(text)
    if found is None:
        raise WireError(
            "UnsupportedRequestVersion",
            f"The api-version is not supported; the newest is {NEWEST.name}, the oldest {OLDEST.name}.",
            {"QueryParameterName": "api-version", "QueryParameterValue": text[:256]},
        )
    return found
