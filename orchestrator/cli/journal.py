"""Log files of the farm's processes: JSON lines, rotated by size, one writer each."""

import asyncio
import json
import logging.handlers
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BYTES = 10 * 1024 * 1024
KEPT = 5
"""Each process keeps this many old files of this size."""


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

    async def copy(self, stream: asyncio.StreamReader) -> None:
        """Take down every line until the process closes its output."""
        while True:
            try:
                line = await stream.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                line = await stream.readexactly(error.consumed)  # longer than the buffer: in pieces
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    self.line(error.partial.decode(errors="replace"))
                return
            self.line(line.decode(errors="replace"))

    def _write(self, record: dict[str, Any]) -> None:
        text = json.dumps(record, ensure_ascii=False, default=str)
        self._handler.emit(logging.LogRecord("farm", logging.INFO, "", 0, text, None, None))


def as_record(text: str) -> dict[str, Any]:
    """The JSON object of a line, or the line as an event."""
    text = text.rstrip("\n")
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            return {"event": text}
        if isinstance(found, dict):
            return found
    return {"event": text}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
