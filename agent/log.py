"""Structured log lines: one JSON object each, to stderr and to the node's own log file."""

import json
import logging
import logging.handlers
import sys
import time
from pathlib import Path

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


class Lines(logging.Formatter):
    """A record as JSON: time, level, part, event, the `extra` members, and the traceback where there is one."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "part": record.name,
            "node": self._node,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(folder: str, node: str, size: int) -> None:
    """Send all logging to stderr and to `folder`/agent.log, rotated once at `size` bytes."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    to_file = logging.handlers.RotatingFileHandler(f"{folder}/agent.log", maxBytes=size, backupCount=1)
    handlers: list[logging.Handler] = [to_file, logging.StreamHandler(sys.stderr)]
    for handler in handlers:
        handler.setFormatter(Lines(node))
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    for noisy in ("httpx", "httpcore", "azure"):  # they would log signed URLs
        logging.getLogger(noisy).setLevel(logging.ERROR)
