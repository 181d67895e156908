from __future__ import annotations

from alembic.script import ScriptDirectory

from sinks.postgres.cdc_schema import NEWEST_VERSION
from sinks.postgres.cdc_schema_upgrade import migrations


def test_the_newest_version_is_the_last_migration() -> None:
    assert ScriptDirectory.from_config(migrations()).get_heads() == [NEWEST_VERSION]
