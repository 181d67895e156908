"""Microseconds an event costs in each stage, on one core: `python -m bench.decode`.

The event has 11 columns and about 1.1 KB, as the connector writes it. Best of several runs in processor time, so that a
busy machine shows least.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from cdc.batch import Batch, Reading
from cdc.ddl import read_ddl
from cdc.envelope import Envelope
from cdc.event import ABSENT, Change, Record, RowState, Value
from cdc.fingerprint import Fingerprints, split
from cdc.plain_events import PlainEvents
from cdc.reader import Event, TableReader
from cdc.runs import RecordRun
from cdc.types.registry import codec_for
from operators.copies import Copies
from operators.dedupe import Dedupe
from operators.deserialize import Deserialize
from operators.map_types import map_types
from operators.validate import validate

EVENTS = 5_000
AT_ONCE = 500
ROUNDS = 15
SCHEMA = read_ddl("""
    CREATE TABLE bench.orders (customer int, number int, status text, street text, city text, note text, items int,
        total bigint, weight double, paid boolean, updated timestamp, PRIMARY KEY (customer, number));
""")
TABLE = SCHEMA.tables["bench", "orders"]
TOPIC = "cdc.bench.orders"


def event(number: int, op: str = "i", touched: int = 9) -> bytes:
    """Return one event; an update touches the first `touched` regular columns."""
    values: dict[str, Any] = {
        "city": "Lindenau an der Elster",
        "items": number % 100,
        "note": "leave it with the neighbour if nobody is there",
        "paid": True,
        "status": "dispatched",
        "street": f"Karl-Heine-Straße {number % 200}",
        "total": 10_000_000_000 + number,
        "updated": 1_795_437_087_284,
        "weight": 12.75,
    }
    cells: dict[str, Any] = {"customer": _cell(number % 1000), "number": _cell(number)}
    cells |= {name: _cell(value) if place < touched else None for place, (name, value) in enumerate(values.items())}
    ts_us = 1_795_437_087_254_490 + number
    source = {
        "version": "3.5.0.Beta1",
        "connector": "cassandra",
        "name": "cdc",
        "ts_ms": ts_us // 1000,
        "snapshot": "false",
        "db": "NULL",
        "sequence": None,
        "ts_us": ts_us,
        "ts_ns": ts_us * 1000,
        "cluster": "Test Cluster",
        "file": "CommitLog-7-1795436752199.log",
        "pos": 1_004_241 + number,
        "keyspace": "bench",
        "table": "orders",
    }
    after = cells | {"_range_start": None, "_range_end": None}
    return msgspec.json.encode({"ts_ms": 1_795_437_087_284, "op": op, "source": source, "after": after})


def _cell(value: object) -> dict[str, object]:
    return {"value": value, "deletion_ts": None, "set": True}


def polled(op: str, touched: int) -> Batch[RecordRun]:
    """Return events as they are polled, `AT_ONCE` of them in a run."""
    values = [event(number, op, touched) for number in range(EVENTS)]
    prints = split(Fingerprints(TOPIC)(values))
    records = [Record(TOPIC, 0, n, 1_795_437_087_419, b"{}", values[n], prints[n]) for n in range(EVENTS)]
    return Batch(0, [RecordRun.of(TOPIC, 0, records[at : at + AT_ONCE]) for at in range(0, EVENTS, AT_ONCE)], [])


def best(work: Callable[[], object]) -> float:
    """Return the microseconds an event of the quickest round."""
    quickest = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        start = time.thread_time()
        work()
        quickest = min(quickest, time.thread_time() - start)
    return quickest * 1e6 / EVENTS


def row_by_loop(reader: TableReader) -> Callable[[Envelope[Any]], RowState]:
    """Return the mapping that generated code is measured against: a loop over the columns."""
    interpreter = reader.interpret
    regular, clustering, partition = interpreter._regular, interpreter._clustering, interpreter._partition.columns

    def read(envelope: Envelope[Any]) -> RowState:
        after = envelope.after
        values: list[Value] = []
        for column in regular:
            cell = getattr(after, column.attribute)
            if cell is None:
                values.append(ABSENT)
            else:
                values.append(None if cell.value is None else column.to_text(cell.value))
        key = tuple([column.to_text(getattr(after, column.attribute).value) for column in (*partition, *clustering)])
        return RowState(key, envelope.source.ts_us, values, envelope.source.ts_us)

    return read


def parts(runs: Sequence[RecordRun]) -> dict[str, Callable[[], object]]:
    """Return what the stages are made of."""
    records = [record for run in runs for record in run.records()]
    reader = TableReader(TABLE, codec_for)
    envelopes = [reader.decode(record.value or b"") for record in records]
    loop, live = row_by_loop(reader), reader.interpret._live
    fingerprint, events, copies = Fingerprints(TOPIC), PlainEvents(TABLE), Copies()
    values = [record.value for record in records]
    prints = fingerprint(values)
    return {
        "fingerprint": lambda: fingerprint(values),
        "copies, found by their fingerprints": lambda: copies.fresh(prints),
        "plain rows": lambda: [events(run) for run in runs],
        "of it, the text by C": lambda: [events._text(run) for run in runs],
        "decode (msgspec)": lambda: [reader.decode(record.value or b"") for record in records],
        "interpret": lambda: [reader.rules[envelope.op](envelope) for envelope in envelopes],
        "of it, the row by generated code": lambda: [live(e.after, e.source.ts_us, e.source.ts_us) for e in envelopes],
        "the row by a loop, for comparison": lambda: [loop(envelope) for envelope in envelopes],
    }


def stages(batch: Batch[RecordRun]) -> dict[str, Callable[[], object]]:
    """Return the stages themselves, each with those before it."""
    plain, deserialize = Deserialize(SCHEMA, "cdc"), Deserialize(SCHEMA, "cdc")
    deserialize.topic(TOPIC).reader.plain = lambda run: ([], run)
    changes = map_types(validate(deserialize(batch)))

    def held(reading: Reading[Event]) -> Reading[Event]:
        reading.items = iter(list(reading.items))
        return reading

    rows = map_types(validate(plain(batch)))

    def dedupe(changes: Batch[Change]) -> list[Batch[Change]]:
        return list(Dedupe(lambda _: []).logic(None).on_batch([changes])[0])

    return {
        "to map_types, plain rows": lambda: map_types(validate(plain(batch))),
        "deserialize": lambda: drain(deserialize(batch).items),
        "to validate": lambda: drain(validate(deserialize(batch)).items),
        "to map_types": lambda: map_types(validate(deserialize(batch))),
        "the same, each stage on the whole batch": lambda: map_types(held(validate(held(deserialize(batch))))),
        "dedupe, by itself": lambda: dedupe(changes),
        "dedupe, by itself, plain rows": lambda: dedupe(rows),
    }


def drain(items: Iterator[object]) -> None:
    """Ask for every item and keep none."""
    deque(items, maxlen=0)


def main() -> None:
    """Print the table."""
    for title, op, touched in (("insert, 11 columns", "i", 9), ("update, 2 of 9 columns", "u", 2)):
        batch = polled(op, touched)
        size = sum(run.size for run in batch.items) // EVENTS
        print(f"{title}, {size} bytes")
        for name, work in (parts(batch.items) | stages(batch)).items():
            print(f"  {name:<42}{best(work):6.2f} us")


if __name__ == "__main__":
    main()
