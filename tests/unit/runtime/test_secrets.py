"""Passwords never show."""

from __future__ import annotations

import pytest

from runtime.secrets import mask_address, mask_options


@pytest.mark.parametrize(
    ("address", "want"),
    [
        ("postgresql://u:p@h:5432/db", "postgresql://u:********@h:5432/db"),
        (
            "postgresql://u:p%40:x@h/db?sslmode=require&password=q",
            "postgresql://u:********@h/db?sslmode=require&password=********",
        ),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("redis://:p@h", "redis://:********@h"),
        ("host=h password=p dbname=d", "host=h password=******** dbname=d"),
        ("host=h password = 'p w \\' x' dbname=d", "host=h password = ******** dbname=d"),
        ("host=h sslpassword=p", "host=h sslpassword=********"),
        ("nothing secret", "nothing secret"),
    ],
)
def test_passwords_in_addresses_are_masked(address: str, want: str) -> None:
    assert mask_address(address) == want


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("sasl.password", True),
        ("ssl.key.password", True),
        ("ssl.key.pem", True),
        ("sasl.oauthbearer.client.secret", True),
        ("sasl.jaas.config", True),
        ("security.protocol", False),
        ("sasl.username", False),
    ],
)
def test_options_are_masked_by_their_names(name: str, *, secret: bool) -> None:
    assert mask_options({name: "value"}) == {name: "********" if secret else "value"}
