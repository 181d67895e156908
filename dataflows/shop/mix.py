"""What happens to the tables: functions that make one statement each, and how often each of them comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from dataflows.shop.rows import (
    MINUTES,
    ORDERS,
    SESSIONS,
    customer_cells,
    order_cells,
    order_key,
    payment_cells,
    payment_key,
    reading_partition,
    reading_row,
    sales_cells,
    sales_key,
    session_cells,
    session_key,
    short_ttl,
    some,
)
from dataflows.shop.statement import Condition, Statement, Writer
from dataflows.shop.values import Values, started_id

Make: TypeAlias = Callable[[Values, Writer], Statement]


def _insert_customer(values: Values, cql: Writer) -> Statement:
    cells = customer_cells(values)
    return cql.insert("customers", {"id": values.customer(), **cells, **({"email": None} if values.chance(0.1) else {})})


def _update_customer(values: Values, cql: Writer) -> Statement:
    return cql.update("customers", {"id": values.customer()}, some(values, customer_cells(values)))


def _clear_customer(values: Values, cql: Writer) -> Statement:
    return cql.delete_cells("customers", {"id": values.customer()}, list(some(values, customer_cells(values))))


def _delete_customer(values: Values, cql: Writer) -> Statement:
    return cql.delete_row("customers", {"id": values.customer()})


def _insert_order(values: Values, cql: Writer) -> Statement:
    return cql.insert("orders", {**order_key(values), **order_cells(values)})


def _update_order(values: Values, cql: Writer) -> Statement:
    return cql.update("orders", order_key(values), some(values, order_cells(values)))


def _remark_order(values: Values, cql: Writer) -> Statement:
    return cql.update("orders", order_key(values), {"note": values.pick(values.sentences)}, ttl=short_ttl(values))


def _clear_order(values: Values, cql: Writer) -> Statement:
    return cql.delete_cells("orders", order_key(values), ["note", "total"])


def _delete_order(values: Values, cql: Writer) -> Statement:
    return cql.delete_row("orders", order_key(values))


def _delete_old_orders(values: Values, cql: Writer) -> Statement:
    before = values.slot(values.dice.randrange(ORDERS // 2))
    return cql.delete_range("orders", [("customer_id", "=", values.customer()), ("placed", "<", before)])


def _forget_orders(values: Values, cql: Writer) -> Statement:
    return cql.delete_partition("orders", {"customer_id": values.customer()})


def _insert_payment(values: Values, cql: Writer) -> Statement:
    return cql.insert("payments", {"order_id": payment_key(values), **payment_cells(values)})


def _update_payment(values: Values, cql: Writer) -> Statement:
    return cql.update("payments", {"order_id": payment_key(values)}, some(values, payment_cells(values)))


def _delete_payment(values: Values, cql: Writer) -> Statement:
    return cql.delete_row("payments", {"order_id": payment_key(values)})


def _insert_reading(values: Values, cql: Writer) -> Statement:
    return cql.insert("readings", reading_row(values))


def _insert_brief_reading(values: Values, cql: Writer) -> Statement:
    return cql.insert("readings", reading_row(values), ttl=short_ttl(values))


def _update_reading(values: Values, cql: Writer) -> Statement:
    row = reading_row(values)
    key = {name: row[name] for name in ("sensor", "day", "at")}
    return cql.update("readings", key, {"battery": row["battery"]}, ttl=short_ttl(values))


def _delete_readings(values: Values, cql: Writer) -> Statement:
    first = values.dice.randrange(MINUTES)
    conditions: list[Condition] = [(name, "=", value) for name, value in reading_partition(values).items()]
    conditions += [("at", ">=", values.minute(first)), ("at", "<", values.minute(first + 12))]
    return cql.delete_range("readings", conditions)


def _forget_readings(values: Values, cql: Writer) -> Statement:
    return cql.delete_partition("readings", reading_partition(values))


def _insert_session(values: Values, cql: Writer) -> Statement:
    return cql.insert("sessions", {**session_key(values), **session_cells(values)})


def _update_session(values: Values, cql: Writer) -> Statement:
    return cql.update("sessions", session_key(values), some(values, session_cells(values)))


def _delete_old_sessions(values: Values, cql: Writer) -> Statement:
    before = started_id(values.slot(values.dice.randrange(SESSIONS)))
    return cql.delete_range("sessions", [("customer_id", "=", values.customer()), ("started", "<=", before)])


def _delete_sessions_between(values: Values, cql: Writer) -> Statement:
    first = values.dice.randrange(SESSIONS)
    after, before = started_id(values.slot(first)), started_id(values.slot(first + 5))
    of = ("customer_id", "=", values.customer())
    return cql.delete_range("sessions", [of, ("started", ">", after), ("started", "<", before)])


def _insert_sales(values: Values, cql: Writer) -> Statement:
    return cql.insert("DailySales", {**sales_key(values), **sales_cells(values)})


def _update_sales(values: Values, cql: Writer) -> Statement:
    return cql.update("DailySales", sales_key(values), some(values, sales_cells(values)))


def _clear_sales(values: Values, cql: Writer) -> Statement:
    return cql.delete_cells("DailySales", sales_key(values), ['best"seller'])


def _delete_sales(values: Values, cql: Writer) -> Statement:
    key = sales_key(values)
    return cql.delete_range("DailySales", [("Day", "=", key["Day"]), ("shopNumber", ">", key["shopNumber"])])


def _settle_order(values: Values, cql: Writer) -> Statement:
    """Make an order, its payment and the customer's new balance together."""
    key = order_key(values)
    order = cql.insert("orders", {**key, **order_cells(values)})
    payment = cql.insert("payments", {"order_id": key["order_id"], **payment_cells(values)})
    customer = cql.update("customers", {"id": key["customer_id"]}, {"balance": values.money()})
    return cql.batch([order, payment, customer], logged=True)


def _cancel_order(values: Values, cql: Writer) -> Statement:
    """Delete an order with its payment."""
    key = order_key(values)
    parts = [cql.delete_row("orders", key), cql.delete_row("payments", {"order_id": key["order_id"]})]
    return cql.batch(parts, logged=True)


def _store_readings(values: Values, cql: Writer) -> Statement:
    """Write readings of one sensor and day as one mutation."""
    partition = reading_partition(values)
    parts = [cql.insert("readings", {**reading_row(values), **partition}) for _ in range(4)]
    return cql.batch(parts, logged=False)


# How often each comes, of the sum.
MIX: tuple[tuple[int, Make], ...] = (
    (9, _insert_customer),
    (9, _update_customer),
    (2, _clear_customer),
    (1, _delete_customer),
    (9, _insert_order),
    (8, _update_order),
    (2, _remark_order),
    (2, _clear_order),
    (2, _delete_order),
    (1, _delete_old_orders),
    (1, _forget_orders),
    (7, _insert_payment),
    (5, _update_payment),
    (1, _delete_payment),
    (9, _insert_reading),
    (4, _insert_brief_reading),
    (2, _update_reading),
    (1, _delete_readings),
    (1, _forget_readings),
    (9, _insert_session),
    (4, _update_session),
    (1, _delete_old_sessions),
    (1, _delete_sessions_between),
    (5, _insert_sales),
    (4, _update_sales),
    (1, _clear_sales),
    (1, _delete_sales),
    (5, _settle_order),
    (1, _cancel_order),
    (3, _store_readings),
)
