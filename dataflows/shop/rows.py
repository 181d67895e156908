"""Keys and cells of each table, drawn by dice."""

from __future__ import annotations

from uuid import UUID

from dataflows.shop.statement import Cells
from dataflows.shop.values import Values, order_id, started_id

ORDERS = 12  # a customer
SESSIONS = 24  # a customer
DAYS, MINUTES = 6, 90
_SENSORS, _SHOPS = 8, 9
_STATUS = ["new", "paid", "packed", "sent", "returned", "cancelled"]
_METHODS = ["card", "transfer", "cash", "voucher"]
_CURRENCIES = ["EUR", "USD", "JPY", "BHD"]
_SHORT_TTL_S = (2, 9)  # so short that a demo sees rows expire


def short_ttl(values: Values) -> int:
    """Return a time to live of some seconds."""
    return values.dice.randint(*_SHORT_TTL_S)


def customer_cells(values: Values) -> dict[str, object]:
    """Return all columns of a customer but the key."""
    return {
        "name": values.pick(values.names),
        "email": values.pick(values.emails),
        "vip": values.chance(0.2),
        "born": values.day(-values.dice.randrange(30_000)),
        "balance": values.money(),
        "home": values.address(),
        "phones": [values.pick(values.phones) for _ in range(values.dice.randint(0, 3))],
        "interests": values.some_words(4),
        "settings": values.counts(3),
    }


def some(values: Values, cells: Cells) -> dict[str, object]:
    """Return one or two of the cells."""
    names = list(cells)
    start = values.dice.randrange(len(names))
    return {name: cells[name] for name in names[start : start + values.dice.randint(1, 2)]}


def order_key(values: Values) -> dict[str, object]:
    """Return the key of one of the orders there can be."""
    customer, number = values.customer(), values.dice.randrange(ORDERS)
    return {"customer_id": customer, "placed": values.slot(number), "order_id": order_id(customer, number)}


def order_cells(values: Values) -> dict[str, object]:
    """Return all columns of an order but the key."""
    note = values.pick(values.sentences) if values.chance(0.4) else None
    return {"status": values.pick(_STATUS), "total": values.money(), "items": values.counts(5), "note": note}


def payment_cells(values: Values) -> dict[str, object]:
    """Return all columns of a payment but the key."""
    return {
        "amount": values.money(),
        "fee": values.money(),
        "minor_units": values.huge(),
        "currency": values.pick(_CURRENCIES),
        "method": values.pick(_METHODS),
        "captured": values.chance(0.5),
        "paid": values.instant(),
    }


def payment_key(values: Values) -> UUID:
    """Return the order that one of the payments there can be is for."""
    return order_id(values.customer(), values.dice.randrange(ORDERS))


def reading_partition(values: Values) -> dict[str, object]:
    """Return one sensor on one day."""
    return {"sensor": f"sensor-{values.dice.randrange(_SENSORS)}", "day": values.day(values.dice.randrange(DAYS))}


def reading_row(values: Values) -> dict[str, object]:
    """Return a reading, all columns."""
    return {
        **reading_partition(values),
        "at": values.minute(values.dice.randrange(MINUTES)),
        "temperature": values.dice.gauss(20, 8),
        "humidity": values.dice.randrange(0, 400) / 4,
        "battery": values.dice.randint(-128, 127),
        "raw": values.octets(24),
    }


def session_cells(values: Values) -> dict[str, object]:
    """Return all columns of a session but the key."""
    return {
        "ip": str(values.address_of_network()),
        "agent": values.pick(values.agents),
        "pages": [f"/{word}" for word in values.some_words(4)],
        "clicks": values.dice.randint(-(2**62), 2**62),
        "ticket": values.octets(16),
    }


def session_key(values: Values) -> dict[str, object]:
    """Return the key of one of the sessions there can be."""
    return {"customer_id": values.customer(), "started": started_id(values.slot(values.dice.randrange(SESSIONS)))}


def sales_key(values: Values) -> dict[str, object]:
    """Return one shop on one day."""
    return {"Day": values.day(values.dice.randrange(DAYS)), "shopNumber": values.dice.randint(1, _SHOPS)}


def sales_cells(values: Values) -> dict[str, object]:
    """Return all columns of a day's sales but the key."""
    return {"Gross Total": values.money(), "select": values.dice.randrange(500), 'best"seller': values.pick(values.words)}
