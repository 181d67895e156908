"""Fixtures of the whole test suite live as plugins in tests/fixtures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.fixtures.examples", "tests.fixtures.servers", "tests.fixtures.live"]
SLOW = ("tests/integration/flow", "tests/integration/embedded", "tests/integration/demo", "tests/integration")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Put first, in random order, what starts processes: else one worker still has minutes of it when the others end."""
    yield
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, folder in enumerate(SLOW) if item.nodeid.startswith(folder)), len(SLOW))
