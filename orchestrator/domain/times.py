"""Times as integers (microseconds since the Unix epoch) and as the service writes them (spec/api.md, 1).

Bodies carry ISO-8601 with seven fraction digits and `Z`; headers RFC 1123. An ETag is the .NET tick
count of the last modification.
"""

import re
import time
from calendar import timegm
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

SECOND = 1_000_000
_EPOCH_TICKS = 621_355_968_000_000_000
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?\s*(Z|z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_ETAG = re.compile(r'(?:W/)?"?0x([0-9A-Fa-f]{15,16})"?')


@lru_cache(maxsize=8192)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def iso(us: int) -> str:
    """`2026-01-02T03:04:05.1234560Z`."""
    seconds, rest = divmod(us, SECOND)
    return f"{_second(seconds)}.{rest:06}0Z"


def parse_iso(text: str) -> int:
    """Microseconds of an ISO-8601 date or time; without an offset it is UTC.

    Raises:
        ValueError: not such a time, or not a date of the calendar.
    """
    found = _ISO.fullmatch(text)
    if not found:
        raise ValueError("not an ISO-8601 time")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
        if offset and offset not in "Zz":
            sign = -1 if offset[0] == "-" else 1
            moment -= sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
    except OverflowError as error:
        raise ValueError("not an ISO-8601 time") from error
    return timegm(moment.timetuple()) * SECOND + int((fraction or "0").ljust(6, "0")[:6])


@lru_cache(maxsize=8192)
def _http_second(seconds: int) -> str:
    moment = time.gmtime(seconds)
    days, months = (
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    )
    return time.strftime(f"{days[moment.tm_wday]}, %d {months[moment.tm_mon - 1]} %Y %H:%M:%S GMT", moment)


def rfc1123(us: int) -> str:
    """`Fri, 02 Jan 2026 03:04:05 GMT`: the second that the time lies in, whatever the locale."""
    return _http_second(us // SECOND)


def parse_http(text: str) -> int:
    """Microseconds of an HTTP date: RFC 1123, RFC 850 or asctime.

    Raises:
        ValueError: not such a date.
    """
    try:
        moment = parsedate_to_datetime(text)
        return timegm(moment.utctimetuple()) * SECOND
    except (TypeError, IndexError, OverflowError, ValueError) as error:
        raise ValueError("not an RFC 1123 date") from error


def etag(us: int) -> str:
    """The ETag of a resource that was last modified at `us`, unquoted."""
    return f"0x{us * 10 + _EPOCH_TICKS:015X}"


def parse_etag(text: str) -> int:
    """The modification time that an ETag, quoted or not, stands for.

    Raises:
        ValueError: no ETag of this service.
    """
    found = _ETAG.fullmatch(text.strip())
    if not found:
        raise ValueError("not an ETag of this service")
    return (int(found[1], 16) - _EPOCH_TICKS) // 10
