"""Logging: one line an event, key=value, to stdout."""

import logging
import sys
import time
from typing import Any

_logger = logging.getLogger("isshoni.backend")


def log_event(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write one event with its fields."""
    if _logger.isEnabledFor(level):
        _logger.log(level, _join(event=event, **fields))


def log_fault(event: str, fault: BaseException, **fields: Any) -> None:
    """Write an event that is a fault of ours: what it was, and where."""
    error = f"{type(fault).__name__}: {fault}"
    log_event(event, level=logging.ERROR, error=error, at=_place(fault), **fields)


def _join(**fields: Any) -> str:
    return " ".join(f"{key}={_quote(value)}" for key, value in fields.items())


def _quote(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    if text and text.isprintable() and not set(text) & set(' "='):
        return text
    return '"' + text.encode("unicode_escape").decode().replace('"', '\\"') + '"'


class _OneLine(logging.Formatter):
    """A formatter that folds an exception into its line: type, message, place."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = record.getMessage().strip()
        if record.name != _logger.name:
            text = _join(event="library", logger=record.name, message=text)
        fault = record.exc_info[1] if record.exc_info else None
        if fault is not None:
            text += " " + _join(error=f"{type(fault).__name__}: {fault}", at=_place(fault))
        return f"{at}.{int(record.msecs):03d}Z level={record.levelname.lower()} {text}"


def _place(fault: BaseException) -> str:
    step = fault.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    if step is None:
        return "unknown"
    return f"{step.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{step.tb_lineno}"


def configure_logging(level: int = logging.INFO) -> None:
    """Send everything this process logs to stdout, a line an event."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _logger.setLevel(level)
