"""Clustering ranges: which rows a range deletion covers, by Cassandra's own order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from operator import itemgetter
from typing import Any, Final, TypeAlias

from cdc.event import Bound, RangeDeletion

Place: TypeAlias = tuple[Any, ...]
"""Where a row or the end of a range stands in its partition: for each value a 0 and what it sorts by, then a side."""

_BEFORE, _ROW, _BEHIND = -1, 0, 1
_VALUE: Final = 0  # between the sides: a range that begins before a prefix begins before all rows with it


class ClusteringOrder:
    """The order of the rows of one partition.

    `sort_keys` make Cassandra bytes comparable, a function a clustering column; `descending` says which columns run backwards.
    """

    def __init__(self, sort_keys: Sequence[Callable[[bytes], Any]], descending: Sequence[bool]) -> None:
        self._columns = tuple(zip(sort_keys, descending, strict=True))

    def covers(self, deletion: RangeDeletion, row: Sequence[bytes]) -> bool:
        """Return whether the deletion's range holds the row of these clustering values."""
        return self.after_start(deletion.start, row) and self.before_end(deletion.end, row)

    def after_start(self, bound: Bound, row: Sequence[bytes]) -> bool:
        """Return whether the row stands behind a range's start."""
        side = self._compare(row, bound.values)
        return side > 0 or (side == 0 and bound.inclusive)

    def before_end(self, bound: Bound, row: Sequence[bytes]) -> bool:
        """Return whether the row stands before a range's end."""
        side = self._compare(row, bound.values)
        return side < 0 or (side == 0 and bound.inclusive)

    def place_of(self, bound: Bound, *, opens: bool) -> Place:
        """Return the place of a range's start (`opens`) or end: before or behind all rows that begin with its values."""
        return (*self._sorted_by(bound.values), _BEFORE if bound.inclusive is opens else _BEHIND)

    def place_of_row(self, row: Sequence[bytes]) -> Place:
        """Return the place of the rows that begin with these values, among bounds of no more values."""
        return (*self._sorted_by(row), _ROW)

    def _sorted_by(self, values: Sequence[bytes]) -> Iterator[Any]:
        for (sort_key, descending), value in zip(self._columns, values, strict=False):
            yield _VALUE
            yield _Backwards(sort_key(value)) if descending else sort_key(value)

    def _compare(self, row: Sequence[bytes], prefix: Sequence[bytes]) -> int:
        for (sort_key, descending), mine, theirs in zip(self._columns, row, prefix, strict=False):
            if mine == theirs:
                continue
            left, right = sort_key(mine), sort_key(theirs)
            if left != right:
                return 1 if (left > right) is not descending else -1
        return 0


class Coverage:
    """The newest of the range deletions of one partition that covers a row: what asking each of them would give."""

    def __init__(self, order: ClusteringOrder, deletions: Iterable[RangeDeletion]) -> None:
        self._order = order
        ranges = [(order.place_of(d.start, opens=True), order.place_of(d.end, opens=False), d) for d in deletions]
        self.depth = max((max(len(d.start.values), len(d.end.values)) for *_, d in ranges), default=0)
        """How many clustering values of a row are looked at."""
        ends = [(start, end, d.deletion_ts) for start, end, d in ranges if start < end]
        self._places = sorted([place for start, end, _ in ends for place in (start, end)])
        self._newest = self._swept(sorted(ends, key=itemgetter(0)))

    def newest(self, row: Sequence[bytes]) -> int | None:
        """Return the timestamp of the newest deletion that covers the row of these clustering values, None without any."""
        return self._newest[bisect_left(self._places, self._order.place_of_row(row[: self.depth]))]

    def _swept(self, ends: Sequence[tuple[Place, Place, int]]) -> list[int | None]:
        """Return the newest timestamp before the first place, and behind each."""
        newest: list[int | None] = [None]
        open_ones: list[tuple[int, int]] = []  # a heap: timestamp, newest first, and where it ends
        coming = iter([(bisect_left(self._places, start), bisect_left(self._places, end), ts) for start, end, ts in ends])
        following = next(coming, None)
        for at in range(len(self._places)):
            while following is not None and following[0] <= at:
                heappush(open_ones, (-following[2], following[1]))
                following = next(coming, None)
            while open_ones and open_ones[0][1] <= at:
                heappop(open_ones)
            newest.append(-open_ones[0][0] if open_ones else None)
        return newest


class _Backwards:
    """A sort key of a descending column."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and self.key == other.key

    def __lt__(self, other: _Backwards) -> bool:
        return bool(other.key < self.key)

    __hash__ = None  # type: ignore[assignment]  # only compared
