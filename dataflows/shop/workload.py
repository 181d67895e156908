"""The workload: endless statements on a bounded set of keys, the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Iterator

from dataflows.shop.mix import MIX
from dataflows.shop.schema import KEYSPACE
from dataflows.shop.statement import Statement, Writer
from dataflows.shop.values import Values

KEYS = 200


def statements(seed: int, keys: int = KEYS, keyspace: str = KEYSPACE) -> Iterator[Statement]:
    """Yield statements without end. `keys` is the number of customers; other tables have as few keys a customer.

    No statement is one that the log or the connector gets wrong (docs/limits.md): no batch deletes and writes one row, ranges
    are deleted one at a time, no value is empty where its type has no empty value.
    """
    values, writer = Values(seed, keys), Writer(keyspace)
    makers, weights = [make for _, make in MIX], [weight for weight, _ in MIX]
    while True:
        (make,) = values.dice.choices(makers, weights)
        yield make(values, writer)
