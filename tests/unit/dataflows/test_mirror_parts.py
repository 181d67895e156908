"""What the settings make of the stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc.batch import Batch
from cdc.event import Change, RowState
from dataflows.mirror_parts import deserializer
from operators.copies import Copies
from operators.map_types import map_types
from operators.validate import validate
from runtime.catalog import open_catalog
from runtime.settings import Settings
from runtime.settings_loading import load_settings
from tests.fixtures.events import PREFIX, batch, event, written

DDL = "CREATE TABLE shop.t (a text PRIMARY KEY, c text, l list<text>);"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "schema.cql").write_text(DDL)
    return {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": "broker:9092",
        "CDC_KAFKA__TOPIC_PREFIX": PREFIX,
        "CDC_POSTGRES__DSN": "postgresql://u@db/d",
        "CDC_SCHEMA__FILE": str(tmp_path / "schema.cql"),
    }


def changes_of(settings: Settings, key: str) -> Batch[Change]:
    """Return what the stages make of a row that holds U+0000."""
    catalog = open_catalog(settings)
    (table,) = catalog.load().tables.values()
    row = {"a": written(key), "c": written("x\0y"), "l": written(["\0", "z"])}
    return map_types(validate(deserializer(settings, catalog, Copies())(batch(event(table, "i", row)))))


@pytest.mark.parametrize(
    ("policy", "want"), [("strip", ["xy", '{"","z"}']), ("replace", ["x\ufffdy", '{"\ufffd","z"}'])], ids=["strip", "replace"]
)
def test_the_policy_for_nul_reaches_the_values(environ: dict[str, str], policy: str, want: list[str]) -> None:
    got = changes_of(load_settings(environ | {"CDC_TYPES__NUL_POLICY": policy}), "k")
    assert [change.what.values for change in got.items if isinstance(change.what, RowState)] == [want]
    assert got.rejected == []


@pytest.mark.parametrize(
    ("policy", "key", "want"),
    [("", "k", "UnrepresentableValue"), ("strip", "k\0", "UnrepresentableKey"), ("replace", "k\0", "UnrepresentableKey")],
    ids=["by default", "strip, in a key", "replace, in a key"],
)
def test_nul_is_refused_by_default_and_in_keys_always(environ: dict[str, str], policy: str, key: str, want: str) -> None:
    got = changes_of(load_settings(environ | {"CDC_TYPES__NUL_POLICY": policy}), key)
    assert [letter.error_type for letter in got.rejected] == [want]
