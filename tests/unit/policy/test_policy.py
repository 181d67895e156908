"""From any error to an action."""

from __future__ import annotations

import inspect
import pickle

import pytest

from cdc import errors
from cdc.errors import CassmirrorError, InvalidValue, OffsetsLost, PostgresUnavailable, SettingsError, TableHalted
from cdc.policy import Action, action_for_sqlstate, verdict_for, verdict_for_sqlstate

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CassmirrorError)]


class DriverError(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "want"),
    [
        ("22003", Action.DEAD_LETTER),
        ("22P02", Action.DEAD_LETTER),
        ("23505", Action.DEAD_LETTER),
        ("54000", Action.DEAD_LETTER),
        ("21000", Action.DEAD_LETTER),
        ("42P01", Action.HALT_TABLE),
        ("42501", Action.HALT_TABLE),
        ("40P01", Action.RETRY),
        ("40001", Action.RETRY),
        ("40002", Action.RETRY),
        ("53100", Action.RETRY),
        ("57P01", Action.RETRY),
        ("08006", Action.RETRY),
        ("25006", Action.RETRY),
        ("XX000", Action.RETRY),
        ("", Action.RETRY),
        (None, Action.RETRY),
    ],
)
def test_a_sqlstate_has_its_action(sqlstate: str | None, want: Action) -> None:
    assert action_for_sqlstate(sqlstate) is want
    assert verdict_for(DriverError(sqlstate)).action is want


@pytest.mark.parametrize(("sqlstate", "want"), [("40P01", True), ("40001", True), ("57P01", False), (None, False)])
def test_only_conflicts_are_tried_again_at_once(sqlstate: str | None, want: bool) -> None:
    assert verdict_for_sqlstate(sqlstate).at_once is want


@pytest.mark.parametrize(
    ("error", "want"),
    [
        (InvalidValue("x"), Action.DEAD_LETTER),
        (PostgresUnavailable(), Action.RETRY),
        (TableHalted(), Action.HALT_TABLE),
        (OffsetsLost(), Action.STOP),
        (SettingsError(), Action.STOP),
        (ConnectionResetError(), Action.RETRY),
        (ZeroDivisionError(), Action.DEAD_LETTER),
        (MemoryError(), Action.STOP),
        (KeyboardInterrupt(), Action.STOP),
    ],
)
def test_an_error_has_its_action(error: BaseException, want: Action) -> None:
    assert verdict_for(error).action is want


@pytest.mark.parametrize("kind", ALL)
def test_every_error_tells_the_operator_what_to_do(kind: type[CassmirrorError]) -> None:
    assert verdict_for(kind()).remedy


@pytest.mark.parametrize("kind", ALL)
def test_an_errors_docstring_is_its_message_and_stands_in_the_tree(kind: type[CassmirrorError]) -> None:
    assert kind().message == inspect.getdoc(kind)
    assert kind.__name__ in (errors.__doc__ or "")


def test_an_own_hint_stands_in_place_of_the_classs() -> None:
    error = InvalidValue("not an int", hint="look here")

    assert (str(error), verdict_for(error).remedy) == ("not an int (hint: look here)", "look here")


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(InvalidValue("m", hint="h")))

    assert (type(error), error.message, error.hint) == (InvalidValue, "m", "h")
