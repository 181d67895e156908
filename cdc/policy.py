"""What follows from an error: a total function to an action and the operator's remedy."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cdc.errors import (
    BadRecord,
    CassmirrorError,
    InfrastructureError,
    OffsetsLost,
    SchemaError,
    SettingsError,
    TableHalted,
)


class Action(enum.Enum):
    """What is done about an error."""

    RETRY = "retry"
    """The same again, nothing moves on."""
    DEAD_LETTER = "dead_letter"
    """The events that cause it go to the dead letters, alone."""
    HALT_TABLE = "halt_table"
    """The table's offsets stay until a restart; other tables go on."""
    STOP = "stop"
    """The process ends with exit 1, or 2 for settings and schema."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An action, what the operator is to do, and whether to act without a pause."""

    action: Action
    remedy: str
    at_once: bool = False


_DATA = Verdict(
    Action.DEAD_LETTER, "read SQLSTATE and message in the dead letter, repair the value or the table, then replay it"
)
_DEFINITION = Verdict(
    Action.HALT_TABLE,
    "the table or the rights to it are not as planned: compare with `cassmirror plan`, repair, then restart",
)
_CONFLICT = Verdict(Action.RETRY, "none: two sessions met, one of them repeats its transaction", at_once=True)
_SERVER = Verdict(Action.RETRY, "check PostgreSQL, its disk and the connection; nothing is lost, Kafka keeps the records")
_BUG = Verdict(Action.DEAD_LETTER, "this is a bug: report it with the traceback in the dead letter; replay after the repair")
_ENDING = Verdict(Action.STOP, "the process was told to end or is out of memory; a restart goes on where it stood")

_CODES = {
    "21000": _DATA,  # cardinality violation: one row twice in a statement
    "40001": _CONFLICT,  # serialisation failure
    "40P01": _CONFLICT,  # deadlock
}
_CLASSES = {
    "22": _DATA,  # data exception
    "23": _DATA,  # integrity constraint violation
    "54": _DATA,  # program limit exceeded, such as a key too long for an index
    "42": _DEFINITION,  # syntax error or access rule violation
}
_ACTIONS: tuple[tuple[type[CassmirrorError], Action], ...] = (
    (BadRecord, Action.DEAD_LETTER),
    (InfrastructureError, Action.RETRY),
    (TableHalted, Action.HALT_TABLE),
    (OffsetsLost, Action.STOP),
    (SettingsError, Action.STOP),
    (SchemaError, Action.STOP),
)


def verdict_for_sqlstate(sqlstate: str | None) -> Verdict:
    """Return what follows from PostgreSQL's error code; None is a connection that broke without one.

    Only errors of the statements that carry a batch's data are to be judged so (COPY, merge, tombstones); from any other
    statement an error is the server's.
    """
    if sqlstate is None:
        return _SERVER
    return _CODES.get(sqlstate) or _CLASSES.get(sqlstate[:2], _SERVER)


def action_for_sqlstate(sqlstate: str | None) -> Action:
    """Return the action alone; see `verdict_for_sqlstate`."""
    return verdict_for_sqlstate(sqlstate).action


def verdict_for(error: BaseException) -> Verdict:
    """Return what follows from any error: ours by class, a driver's by its `sqlstate`, the operating system's is retried."""
    if isinstance(error, CassmirrorError):
        return Verdict(_action_of(error), error.hint or "look at the log")
    if isinstance(error, MemoryError) or not isinstance(error, Exception):
        return _ENDING
    if hasattr(error, "sqlstate"):
        return verdict_for_sqlstate(error.sqlstate)
    if isinstance(error, OSError):
        return Verdict(Action.RETRY, "check the network, the disk and the addresses in the settings")
    return _BUG


def _action_of(error: CassmirrorError) -> Action:
    return next((action for kind, action in _ACTIONS if isinstance(error, kind)), Action.STOP)
