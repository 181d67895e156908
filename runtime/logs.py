"""Logs: JSON lines, or lines for people on a terminal; never the value of a row, never a password."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from cdc.errors import BadRecord, CassmirrorError
from runtime.secrets import mask_address
from runtime.settings import LogSettings

_ROW_FIELDS = frozenset({"after", "key", "original_event", "parameters", "record", "row", "rows", "value", "values"})
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def get_logger(stage: str) -> FilteringBoundLogger:
    """Return a logger whose lines carry the stage's name."""
    return cast(FilteringBoundLogger, structlog.get_logger(stage=stage))


def configure_logs(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send this process's logs, those of libraries included, to a stream: by default stderr, as it then is."""
    target = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    renderer = _renderer(settings, target)
    structlog.configure(
        processors=[*_shared_processors(), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_shared_processors()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_exception_text,
        without_row_values,
        without_passwords,
    ]


def _renderer(settings: LogSettings, stream: TextIO) -> Processor:
    pretty = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    return structlog.dev.ConsoleRenderer(colors=stream.isatty()) if pretty else structlog.processors.JSONRenderer(default=str)


def without_exception_text(_: Any, __: str, event: MutableMapping[str, Any]) -> EventDict:
    """Replace an exception by its class and stack: the text of an error may quote a row, as PostgreSQL's does.

    Our own errors keep theirs, but for those of records.
    """
    error = _exception(event.pop("exc_info", None))
    if error is not None:
        event["error"] = type(error).__name__
        event["stack"] = "".join(traceback.format_tb(error.__traceback__))
        if state := getattr(error, "sqlstate", None):
            event["sqlstate"] = state
        if isinstance(error, CassmirrorError) and not isinstance(error, BadRecord):
            event["detail"] = str(error)
    return event


def _exception(given: Any) -> BaseException | None:
    if given is True:
        return sys.exc_info()[1]
    if isinstance(given, BaseException):
        return given
    return cast(ExcInfo, given)[1] if isinstance(given, tuple) else None


def without_row_values(_: Any, __: str, event: MutableMapping[str, Any]) -> EventDict:
    """Replace what may hold values of rows by its type."""
    for name in _ROW_FIELDS & event.keys():
        event[name] = f"<{type(event[name]).__name__}>"
    return event


def without_passwords(_: Any, __: str, event: MutableMapping[str, Any]) -> EventDict:
    """Mask the passwords of addresses."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = mask_address(value)
    return event
