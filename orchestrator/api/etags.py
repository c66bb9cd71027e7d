"""ETag and Last-Modified of a resource, as headers (spec/api.md, 1). Times are microseconds since the epoch."""

from orchestrator.domain import times


def stamp(modified: int) -> dict[str, str]:
    """The two headers of a resource that was modified then."""
    return {"etag": times.etag(modified), "last-modified": times.rfc1123(modified)}


iso = times.iso


def bare(etag: str) -> str:
    """An ETag as clients send it back, quoted, weak or bare, reduced to what the header and the body carry."""
    return etag.strip().removeprefix("W/").strip('"')


def parse_http_date(text: str) -> int | None:
    """Microseconds of an HTTP date, None when it is none."""
    try:
        return times.parse_http(text)
    except ValueError:
        return None
