"""TLS towards servers that leave it to their client's code."""

from __future__ import annotations

import ssl
from pathlib import Path


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return what refuses a server whose certificate is not for its address, or not signed by these authorities.

    Without a file the system's authorities are believed. Raises `OSError`.
    """
    return ssl.create_default_context(cafile=ca_file)
