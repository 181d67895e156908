"""Clustering ranges: which rows a range deletion covers, by Cassandra's own order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cdc.event import Bound, RangeDeletion


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

    def _compare(self, row: Sequence[bytes], prefix: Sequence[bytes]) -> int:
        for (sort_key, descending), mine, theirs in zip(self._columns, row, prefix, strict=False):
            if mine == theirs:
                continue
            left, right = sort_key(mine), sort_key(theirs)
            if left != right:
                return 1 if (left > right) is not descending else -1
        return 0
