"""Values of the workload: names and texts from Faker, numbers and keys from dice; the same for the same seed."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar
from uuid import UUID

from faker import Faker

_LOCALES = ("en_US", "de_DE", "fr_FR", "ja_JP", "pl_PL", "ar_EG")
_POOL = 120  # values of Faker cost a hundred times those of dice: made once, picked often
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_GREGORIAN = datetime(1582, 10, 15, tzinfo=UTC)
_NODE = 0x1A2B3C4D5E6F
_T = TypeVar("_T")


class Address(NamedTuple):
    """The type `address`, in the order of its fields."""

    street: str
    city: str | None
    postcode: str


class Values:
    """Draws values. `keys` is the number of customers, which bounds all other keys."""

    def __init__(self, seed: int, keys: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - a workload that can be had again
        self.keys = keys
        fake = Faker(list(_LOCALES))
        fake.seed_instance(seed)
        self.names = _pool(fake.name)
        self.emails = _pool(fake.email)
        self.streets = _pool(fake.street_address)
        self.cities = _pool(fake.city)
        self.postcodes = _pool(fake.postcode)
        self.phones = _pool(fake.phone_number)
        self.sentences = _pool(fake.sentence)
        self.agents = _pool(fake.user_agent)
        self.words = sorted(set(_pool(fake.word)))

    def pick(self, pool: list[_T]) -> _T:
        """Return one of them."""
        return self.dice.choice(pool)

    def chance(self, share: float) -> bool:
        """Return true in that share of the cases."""
        return self.dice.random() < share

    def customer(self) -> int:
        """Return a customer's number; some are busier than others."""
        return int(self.keys * self.dice.random() ** 2) + 1

    def address(self) -> Address:
        return Address(self.pick(self.streets), self.pick([*self.cities[:9], None]), self.pick(self.postcodes))

    def some_words(self, most: int) -> list[str]:
        """Return up to that many words without repetition, in Cassandra's order."""
        return sorted(self.dice.sample(self.words, self.dice.randint(0, most)))

    def counts(self, most: int) -> dict[str, int]:
        """Return a number for each of some words, in Cassandra's order."""
        return {word: self.dice.randint(1, 99) for word in self.some_words(most)}

    def money(self) -> Decimal:
        """Return an amount: two to six decimals, which the mirror has to keep."""
        return Decimal(self.dice.randint(-9_999, 10 ** self.dice.randint(3, 12))).scaleb(-self.dice.randint(2, 6))

    def huge(self) -> int:
        """Return a number that no 64 bits hold, now and then."""
        return self.dice.randint(-(10 ** self.dice.randint(2, 30)), 10**30)

    def octets(self, most: int) -> bytes:
        return self.dice.randbytes(self.dice.randint(0, most))

    def instant(self) -> datetime:
        """Return any instant of the year, in milliseconds."""
        return _EPOCH + timedelta(milliseconds=self.dice.randrange(31_536_000_000))

    def day(self, number: int) -> date:
        """Return a day of the year by its number."""
        return (_EPOCH + timedelta(days=number)).date()

    def slot(self, number: int) -> datetime:
        """Return an instant by its number: those of keys, which come again."""
        return _EPOCH + timedelta(hours=7 * number, milliseconds=number)

    def minute(self, number: int) -> time:
        """Return a time of day by its number."""
        return time(number // 60, number % 60, 30, number)

    def address_of_network(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        if self.chance(0.7):
            return ipaddress.IPv4Address(self.dice.getrandbits(32))
        return ipaddress.IPv6Address((0x20010DB8 << 96) | self.dice.getrandbits(64))


def order_id(customer: int, number: int) -> UUID:
    """Return the identifier of a customer's order by its number."""
    return UUID(int=(0xC0FFEE << 96) | (customer * 2_654_435_761 % 2**32) << 16 | number, version=4)


def started_id(moment: datetime) -> UUID:
    """Return the timeuuid of an instant; one for each."""
    ticks = (moment - _GREGORIAN) // timedelta(microseconds=1) * 10
    low, middle, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF
    return UUID(fields=(low, middle, high | 0x1000, 0x80, 0x01, _NODE))


def _pool(make: Callable[[], str]) -> list[str]:
    return [make() for _ in range(_POOL)]
