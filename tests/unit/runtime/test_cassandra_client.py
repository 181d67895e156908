"""How the cluster is reached, as far as that shows without a node."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from cdc.errors import SettingsError
from runtime.cassandra.client import open_cluster
from runtime.settings import CassandraSettings
from runtime.settings_loading import load_settings

CERTIFICATE = [
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-subj",
    "/CN=nodes",
]


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """A certificate made a moment ago."""
    file = tmp_path / "ca.pem"
    subprocess.run([*CERTIFICATE, "-keyout", tmp_path / "key.pem", "-out", file], check=True, capture_output=True)
    return file


def context_of(**settings: object) -> ssl.SSLContext | None:
    cluster = open_cluster(CassandraSettings.model_validate({"contact_points": "127.0.0.1", **settings}))
    try:
        found: ssl.SSLContext | None = cluster.ssl_context
        return found
    finally:
        cluster.shutdown()


def test_without_tls_nothing_is_encrypted() -> None:
    assert context_of() is None


def test_with_tls_a_node_must_prove_who_it_is() -> None:
    context = context_of(tls="true")
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_ca_file_sets_tls_and_is_all_that_is_believed(ca_file: Path) -> None:
    context = context_of(tls_ca_file=str(ca_file))
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert [found["subject"] for found in context.get_ca_certs()] == [((("commonName", "nodes"),),)]


@pytest.mark.parametrize(("content", "want"), [(None, "No such file or directory"), ("no PEM", "no certificates in PEM")])
def test_a_ca_file_that_cannot_be_used_is_told_with_the_other_problems(tmp_path: Path, content: str | None, want: str) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with pytest.raises(SettingsError) as caught:
        load_settings({"CDC_CASSANDRA__TLS_CA_FILE": str(file), "CDC_HTTP__PORT": "many"})
    lines = str(caught.value).splitlines()
    assert f"cassandra.tls_ca_file: {file}: {want} (CDC_CASSANDRA__TLS_CA_FILE)" in lines
