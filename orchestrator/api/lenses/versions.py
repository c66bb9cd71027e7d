"""The api-versions that are served, in order (the table of spec/api.md)."""

from dataclasses import dataclass
from functools import lru_cache, total_ordering


@lru_cache(maxsize=256)
def order(code: str) -> tuple[int, int]:
    """Sort key of a version's code as the spec writes it: `5.0`, `25-06`."""
    major, _, minor = code.replace("-", ".").partition(".")
    return int(major), int(minor or 0)


@total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """One api-version; compares with other versions and with codes: `version < "5.0"`."""

    name: str  # "2024-02-01.19.0"
    code: str  # "19.0"; "25-06" for the newest, which has no minor part

    @property
    def minor(self) -> tuple[int, int]:
        return order(self.code)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Version | str):
            return self.minor == _key(other)
        return NotImplemented

    def __lt__(self, other: "Version | str") -> bool:
        return self.minor < _key(other)

    def __hash__(self) -> int:
        return hash(self.name)


def _key(other: Version | str) -> tuple[int, int]:
    return other.minor if isinstance(other, Version) else order(other)


VERSIONS = tuple(
    Version(name, name.split(".", 1)[1] if "." in name else name[2:7])
    for name in [
        "2016-02-01.3.0",
        "2016-07-01.3.1",
        "2017-01-01.4.0",
        "2017-05-01.5.0",
        "2017-06-01.5.1",
        "2017-09-01.6.0",
        "2018-03-01.6.1",
        "2018-08-01.7.0",
        "2018-12-01.8.0",
        "2019-06-01.9.0",
        "2019-08-01.10.0",
        "2020-03-01.11.0",
        "2020-09-01.12.0",
        "2021-06-01.14.0",
        "2022-01-01.15.0",
        "2022-10-01.16.0",
        "2023-05-01.17.0",
        "2023-11-01.18.0",
        "2024-02-01.19.0",
        "2024-07-01.20.0",
        "2025-06-01",
    ]
)
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
