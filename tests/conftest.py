"""Fixtures of the whole test suite live as plugins in tests/fixtures."""

pytest_plugins = ["tests.fixtures.examples", "tests.fixtures.servers", "tests.fixtures.live"]
