"""Strays: nodes that the driver has, yet the store does not know. They are removed."""

from collections.abc import Iterable

from orchestrator.drivers.base import Driver, DriverError, Handle


def strays(handles: Iterable[Handle], known: Iterable[int]) -> list[int]:
    """Numbers of the handles without a record.

    List the handles before reading the records: a node that was begun in
    between then has a record without a handle, never the other way round.
    """
    return sorted({handle.node for handle in handles} - set(known))


def remove_strays(driver: Driver, numbers: Iterable[int]) -> tuple[list[int], list[DriverError]]:
    """Remove them one by one; one that resists does not keep the others."""
    removed, errors = [], []
    for number in numbers:
        try:
            driver.remove(number)
            removed.append(number)
        except DriverError as error:
            errors.append(error)
    return removed, errors
