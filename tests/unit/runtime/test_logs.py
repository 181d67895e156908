"""What is logged, and what never is."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from cdc.errors import InvalidValue, PostgresUnavailable
from runtime.logs import configure_logs, get_logger
from runtime.settings import LogSettings


@pytest.fixture(autouse=True)
def _put_logging_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    """Where JSON lines go."""
    stream = io.StringIO()
    configure_logs(LogSettings(), stream)
    return stream


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_stage_level_and_time(stream: io.StringIO) -> None:
    get_logger("sink").info("merged", table="shop.t", rows_merged=3)
    (line,) = lines_of(stream)
    assert {name: line[name] for name in ("event", "stage", "level", "table", "rows_merged")} == {
        "event": "merged",
        "stage": "sink",
        "level": "info",
        "table": "shop.t",
        "rows_merged": 3,
    }
    assert line["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    get_logger("sink").debug("detail")
    assert lines_of(stream) == []


@pytest.mark.parametrize("field", ["after", "key", "original_event", "parameters", "record", "row", "rows", "value", "values"])
def test_fields_that_hold_rows_show_their_type_only(stream: io.StringIO, field: str) -> None:
    get_logger("sink").warning("rejected", **{field: ["row secret"]})
    assert lines_of(stream)[0][field] == "<list>"


def test_the_text_of_a_foreign_error_is_left_out_for_it_may_quote_a_row(stream: io.StringIO) -> None:
    try:
        int("row secret")
    except ValueError:
        get_logger("sink").exception("failed")
    (line,) = lines_of(stream)
    assert line["error"] == "ValueError"
    assert "test_logs.py" in line["stack"]
    assert "row secret" not in stream.getvalue().replace('int(\\"row secret\\")', "")


@pytest.mark.parametrize(("error", "shown"), [(PostgresUnavailable("refused"), True), (InvalidValue("row secret"), False)])
def test_our_own_errors_keep_their_text_unless_they_are_of_records(
    stream: io.StringIO, error: Exception, *, shown: bool
) -> None:
    get_logger("sink").error("failed", exc_info=error)
    assert ("detail" in lines_of(stream)[0]) is shown


def test_passwords_in_addresses_are_masked(stream: io.StringIO) -> None:
    get_logger("start").info("connecting", dsn="postgresql://u:open-sesame@h/d")
    assert "open-sesame" not in stream.getvalue()


def test_libraries_log_in_the_same_form(stream: io.StringIO) -> None:
    logging.getLogger("alembic").warning("upgrade %s", "1")
    (line,) = lines_of(stream)
    assert (line["event"], line["logger"], line["level"]) == ("upgrade 1", "alembic", "warning")


def test_people_get_lines_they_can_read() -> None:
    stream = io.StringIO()
    configure_logs(LogSettings(format="console"), stream)
    get_logger("sink").info("merged", table="shop.t")
    assert "merged" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
