"""Log files of the farm's processes: JSON lines, rotated by size, one writer each."""

import asyncio
import logging.handlers
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

BYTES = 10 * 1024 * 1024
KEPT = 5
"""Each process keeps this many old files of this size."""
PAUSE = 0.05
"""Seconds between two looks at a process that speaks all the time: a wake-up for each line would cost the tasks CPU."""
PIPE = 1 << 20
"""Bytes that a process may say in one pause before it has to wait."""


class Journal:
    """Everything that one process says, one JSON object per line, with time and process."""

    def __init__(self, path: Path, process: str) -> None:
        self._process = process
        self._handler = logging.handlers.RotatingFileHandler(path, maxBytes=BYTES, backupCount=KEPT, delay=True)
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self.ready = False
        """The process has said that it does its work: a record whose event is `ready`."""
        self.last = "it said nothing"
        """The last thing that it said."""

    def note(self, event: str, **more: Any) -> None:
        """A line of the supervisor's own."""
        self.ready = False
        self._write({"timestamp": _now(), "level": "info", "process": self._process, "event": event} | more)

    def line(self, text: str) -> None:
        """A line that the process said: kept when it is a JSON object, wrapped when it is plain text."""
        said = as_record(text)
        self.ready = self.ready or said.get("event") == "ready"
        self.last = str(said.get("event") or text)
        self._write({"timestamp": _now(), "process": self._process} | said)

    async def copy(self, pipe: int) -> None:
        """Take down every line until the process closes its end of `pipe`, a descriptor that is closed then.

        The first line after a silence is read at once; those that follow in one go after each pause.
        """
        begun = b""
        try:
            while said := await _read(pipe):
                *lines, begun = (begun + said).split(b"\n")
                self._lines(lines)
                if len(begun) >= PIPE:  # longer than any line should be: in pieces
                    self._lines([begun])
                    begun = b""
                await asyncio.sleep(PAUSE)
            self._lines([begun] if begun else [])
        finally:
            os.close(pipe)

    def _lines(self, lines: list[bytes]) -> None:
        for line in lines:
            self.line(line.decode(errors="replace"))

    def _write(self, record: dict[str, Any]) -> None:
        text = orjson.dumps(record, default=str).decode()
        self._handler.emit(logging.LogRecord("farm", logging.INFO, "", 0, text, None, None))


async def _read(pipe: int) -> bytes:
    """What is in the pipe as soon as there is something; nothing once its last writer has closed it."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pipe, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(pipe)
    return os.read(pipe, PIPE)


def as_record(text: str) -> dict[str, Any]:
    """The JSON object of a line, or the line as an event."""
    text = text.rstrip("\n")
    if text.startswith("{"):
        try:
            found = orjson.loads(text)
        except ValueError:
            return {"event": text}
        if isinstance(found, dict):
            return found
    return {"event": text}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
