"""The errors of the project: a class's docstring is its message, `hint` what to do about it.

Data errors are values on their way to the dead letters; infrastructure errors are retried and never cost a record.

    CassmirrorError
    ├── BadRecord                     one record (or row) cannot be applied: to the dead letters, alone
    │   ├── MalformedRecord
    │   ├── UnexpectedEnvelope
    │   ├── UnknownTable
    │   ├── UnknownColumn
    │   ├── UnknownOperation
    │   ├── MissingKey
    │   ├── InvalidValue
    │   ├── ValueOutOfRange
    │   ├── UnrepresentableValue
    │   ├── UnrepresentableKey
    │   ├── UnsupportedType
    │   └── PoisonRow
    ├── SettingsError                 exit 2
    ├── SchemaError                   exit 2
    ├── InfrastructureError           a server does not do its part: retried, the offsets stay
    │   ├── KafkaUnavailable
    │   ├── PostgresUnavailable
    │   ├── CassandraUnavailable
    │   ├── RedisUnavailable
    │   ├── DeadLetterNotConfirmed
    │   └── ServiceFailed
    ├── TableHalted                   one table waits for an operator, its offsets stay
    └── OffsetsLost                   the process ends, a restart reads again
"""

# ruff: noqa: D400, D415, N818 - a docstring here is a message, lower case without a full stop; the tree, not a suffix, says error

from __future__ import annotations

import inspect


class CassmirrorError(Exception):
    """the mirror could not go on"""

    default_hint: str | None = None

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or inspect.getdoc(type(self)) or type(self).__name__
        self.hint = hint or self.default_hint
        super().__init__(self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[CassmirrorError], message: str, hint: str | None) -> CassmirrorError:
    return kind(message, hint=hint)


class BadRecord(CassmirrorError):
    """the record cannot be applied"""

    default_hint = "look at the dead letter, repair the cause, then replay it"


class MalformedRecord(BadRecord):
    """the record's key or value is not the JSON that the connector writes"""

    default_hint = "check that the topic holds only the connector's JSON records, and that nothing cuts them"


class UnexpectedEnvelope(BadRecord):
    """the record is JSON but has not the envelope ts_ms, op, source, after"""

    default_hint = "check the connector's version and that no transform rewrites its records"


class UnknownTable(BadRecord):
    """the record belongs to a table that the schema does not have"""

    default_hint = "add the table to the CQL file or name Cassandra's contact points, then replay the dead letter"


class UnknownColumn(BadRecord):
    """the record has a column that the table does not have"""

    default_hint = "add the column to the CQL file or name Cassandra's contact points, then replay the dead letter"


class UnknownOperation(BadRecord):
    """the record's op is none of i, u, d, r (or c, t)"""

    default_hint = "check the connector's version and that no transform rewrites its records"


class MissingKey(BadRecord):
    """a primary key column of the record is absent or null"""

    default_hint = "compare the table's primary key in the schema with the record"


class InvalidValue(BadRecord):
    """a value is not of its column's type"""

    default_hint = "compare the column's type in the schema with the record; set decimal and varint handling mode to string"


class ValueOutOfRange(BadRecord):
    """a value lies outside the range of its PostgreSQL type"""

    default_hint = "correct the value in Cassandra, or leave the column out of the mirror"


class UnrepresentableValue(BadRecord):
    """a value has no form in PostgreSQL, such as text with U+0000"""

    default_hint = "set the policy for U+0000 to strip or replace, or correct the value in Cassandra"


class UnrepresentableKey(BadRecord):
    """a key value has no one-to-one form in PostgreSQL, and a key is never altered"""

    default_hint = "the row cannot be mirrored; `cassmirror plan` names the key columns whose type allows such values"


class UnsupportedType(BadRecord):
    """the column's CQL type cannot be mirrored"""

    default_hint = "leave the column or the table out of the mirror"


class PoisonRow(BadRecord):
    """PostgreSQL refused the row that the record makes"""

    default_hint = "read the SQLSTATE and the message of PostgreSQL, repair the cause, then replay the dead letter"


class SettingsError(CassmirrorError):
    """the settings are not usable"""

    default_hint = "correct the settings named here; `cassmirror check` shows what would be used"


class SchemaError(CassmirrorError):
    """the Cassandra schema is not usable"""

    default_hint = "correct the schema or the CQL file; the output of DESCRIBE is understood as it is"


class InfrastructureError(CassmirrorError):
    """a server did not do its part"""

    default_hint = "nothing is lost: it is tried again, and Kafka keeps the records"


class KafkaUnavailable(InfrastructureError):
    """Kafka does not answer"""

    default_hint = "check CDC_KAFKA__BOOTSTRAP_SERVERS and the brokers; it is tried again"


class PostgresUnavailable(InfrastructureError):
    """PostgreSQL does not answer or cannot work now"""

    default_hint = "check CDC_POSTGRES__DSN, the server and its disk; it is tried again"


class CassandraUnavailable(InfrastructureError):
    """Cassandra does not answer"""

    default_hint = "check CDC_CASSANDRA__CONTACT_POINTS, the nodes and the rights of the user; it is tried again"


class RedisUnavailable(InfrastructureError):
    """Redis does not answer"""

    default_hint = "the mirror goes on without its cache; check CDC_REDIS__URL"


class DeadLetterNotConfirmed(InfrastructureError):
    """Kafka has not confirmed a dead letter"""

    default_hint = "check the dead-letter topic and its max.message.bytes; the offsets stay until it is confirmed"


class ServiceFailed(InfrastructureError):
    """an embedded service did not start or has died"""

    default_hint = "read the service's log, named here; ports, disk and memory are the usual causes"


class TableHalted(CassmirrorError):
    """a table is halted until an operator repairs it; its offsets stay"""

    default_hint = "compare the table in PostgreSQL with `cassmirror plan`, repair it, then restart"


class OffsetsLost(CassmirrorError):
    """PostgreSQL holds lower offsets than this process committed: it was restored or failed over"""

    default_hint = "restart: the process reads again from what PostgreSQL holds, nothing is lost"
