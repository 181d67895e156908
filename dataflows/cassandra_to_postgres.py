"""The mirror: Kafka, deserialize, validate, map_types, dedupe, PostgreSQL; what is rejected on the way, to the dead letters."""

from __future__ import annotations

import os
import sys
from types import TracebackType

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from cdc.errors import CassmirrorError, SchemaError, SettingsError
from dataflows.mirror_parts import MirrorParts, open_parts
from operators.count_skipped import count_skipped
from operators.map_types import map_types
from operators.validate import validate
from runtime.logs import configure_logs
from runtime.settings_loading import load_settings
from runtime.stop import Stop

EXIT_BAD_SETTINGS = 2
EXIT_FAILED = 1


def flow() -> Dataflow:
    """Return the dataflow as `python -m bytewax.run` asks for it: with the settings of the environment, ready for signals."""
    try:
        settings = load_settings()
        configure_logs(settings.log)
        stop = Stop(settings.stop.grace_seconds)
        stop.end_on_signals()
        parts = open_parts(settings, stop)
    except (SettingsError, SchemaError) as error:
        sys.exit(_told(error))
    stop.on_signals()
    sys.excepthook = _end_with
    return mirror(parts)


def mirror(parts: MirrorParts) -> Dataflow:
    """Return the dataflow made of given parts. An item is a batch, keyed by its slot; the name of a step is its stage."""
    dataflow = Dataflow("cassandra_to_postgres")
    records = op.input("source", dataflow, parts.source)
    events = op.map_value("deserialize", records, parts.deserialize)
    valid = op.map_value("validate", events, validate)
    changes = op.map_value("map_types", valid, map_types)
    fresh = op.stateful_batch("dedupe", changes, parts.dedupe.logic)
    counted = op.map_value("count_skipped", fresh, count_skipped)
    op.output("postgres", counted, parts.postgres)
    rejected = op.filter_value("rejected", counted, lambda batch: bool(batch.rejected))
    op.output("dead_letter", rejected, parts.dead_letters)
    return dataflow


def cause_of(error: BaseException) -> BaseException:
    """Return what ended the flow: the engine wraps what a stage raises."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, CassmirrorError):
            return seen
        seen = seen.__cause__
    return error


def _told(error: CassmirrorError) -> int:
    """Say what ended the process and return its exit code."""
    sys.stderr.write(f"{error}\n")
    sys.stderr.flush()
    return EXIT_BAD_SETTINGS if isinstance(error, SettingsError | SchemaError) else EXIT_FAILED


def _end_with(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """End `python -m bytewax.run` as `cassmirror run` ends: an error of ours without a trace, with its own exit code.

    Bytewax lets the error through to the interpreter, which leaves no other place for the code.
    """
    cause = cause_of(error)
    if isinstance(cause, CassmirrorError):
        os._exit(_told(cause))
    sys.__excepthook__(kind, error, trace)
