"""Structured logs: one JSON object per line on stderr."""

import logging
import sys
from typing import Any

import orjson
import structlog


def configure(level: str, process: str) -> None:
    """Send structlog, and what libraries say through `logging`, to stderr.

    Args:
        level: debug, info, warning or error.
        process: name of this process, a member of every line.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        _plain,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.contextvars.bind_contextvars(process=process)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_line)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=lambda event, **rest: _line(event, **rest).decode()),
            ],
        )
    )
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True


def _plain(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Without uvicorn's second copy of its message, which is for terminals."""
    event.pop("color_message", None)
    return event


def _line(event: dict[str, Any], **_: Any) -> bytes:
    return orjson.dumps(event, default=repr)
