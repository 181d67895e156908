"""Pinned jars: from a repository of the test's own, over HTTP."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from cdc.errors import ServiceFailed
from runtime.embedded import download_progress, jars
from runtime.embedded.jars import Jar, ensure, read_lock
from runtime.embedded.maven import Repository

COORDINATE = "org.example:thing:1.0"
CONTENT = b"not really a jar" * 1000


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository that serves one jar, and an empty cache."""
    root = tmp_path / "repository"
    place = root / "org/example/thing/1.0"
    place.mkdir(parents=True)
    (place / "thing-1.0.jar").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(root))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("CASSMIRROR_MAVEN_REPOSITORY", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("CASSMIRROR_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield root
        server.shutdown()


def lock_file(tmp_path: Path, sha256: str, coordinate: str = COORDINATE) -> Path:
    path = tmp_path / "jars.lock"
    entry = f'{{ coordinate = "{coordinate}", sha256 = "{sha256}", size = {len(CONTENT)} }}'
    path.write_text(f"[thing]\nroots = []\njars = [{entry}]\n")
    return path


RIGHT = hashlib.sha256(CONTENT).hexdigest()


def test_a_jar_is_downloaded_once(repository: Path, tmp_path: Path) -> None:
    lock = lock_file(tmp_path, RIGHT)
    (got,) = ensure("thing", lock=lock)
    assert got == tmp_path / "cache/jars/org/example/thing/1.0/thing-1.0.jar"
    assert got.read_bytes() == CONTENT
    (repository / "org/example/thing/1.0/thing-1.0.jar").unlink()
    assert ensure("thing", lock=lock) == [got]


def test_a_jar_with_another_sha_256_is_refused_and_not_kept(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match=f"{COORDINATE} is not the file that was pinned: SHA-256 {RIGHT}, wanted 0000"):
        ensure("thing", lock=lock_file(tmp_path, "0" * 64))
    assert list((tmp_path / "cache").rglob("*.jar")) == []


@pytest.mark.parametrize("damage", [b"x", b"y" * len(CONTENT)])
def test_a_jar_that_was_damaged_in_the_cache_is_downloaded_again(repository: Path, tmp_path: Path, damage: bytes) -> None:
    lock = lock_file(tmp_path, RIGHT)
    (got,) = ensure("thing", lock=lock)
    got.write_bytes(damage)
    assert [jar.read_bytes() for jar in ensure("thing", lock=lock)] == [CONTENT]


def test_a_jar_that_the_repository_does_not_have_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match=r"org\.example:other:1\.0 could not be downloaded"):
        ensure("thing", lock=lock_file(tmp_path, RIGHT, "org.example:other:1.0"))


def test_a_repository_that_does_not_answer_is_said(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASSMIRROR_MAVEN_REPOSITORY", "http://127.0.0.1:1")
    with pytest.raises(ServiceFailed, match=r"could not be downloaded.*check the network"):
        ensure("thing", lock=lock_file(tmp_path, RIGHT))


def test_the_lock_file_pins_everything_and_names_no_host() -> None:
    text = jars.LOCK_FILE.read_text()
    assert "://" not in text
    pinned = read_lock()
    assert set(pinned) == set(jars.ROOTS)
    for name, roots in jars.ROOTS.items():
        assert set(roots) <= {jar.coordinate for jar in pinned[name]}
        assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in pinned[name])


def test_a_root_with_a_classifier_is_taken_alone(repository: Path, tmp_path: Path) -> None:
    root = "org.example:fat:jar:with-all:1.0"  # whose pom the repository does not have
    assert Repository(tmp_path / "staging").runtime_closure([root]) == [root]


@pytest.mark.parametrize(
    ("coordinate", "path"),
    [
        ("org.a.b:c:1", "org/a/b/c/1/c-1.jar"),
        ("org.a:c:jar:with-all:1", "org/a/c/1/c-1-with-all.jar"),
    ],
)
def test_a_jar_lies_where_maven_would_put_it(coordinate: str, path: str) -> None:
    assert Jar(coordinate, "", 0).path == Path(path)


def test_the_cache_directory_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CASSMIRROR_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert jars.cache_dir() == tmp_path / "xdg" / "cassmirror"
    monkeypatch.setenv("CASSMIRROR_CACHE", str(tmp_path / "own"))
    assert jars.cache_dir() == tmp_path / "own"


@pytest.mark.parametrize(("terminal", "expected"), [(True, "━"), (False, "fetching, 50%")])
def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(terminal: bool, expected: str) -> None:
    screen = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with download_progress.progress("fetching", 100, screen) as advance:
        advance(50)
        advance(50)
    assert isinstance(screen.file, io.StringIO)
    assert expected in screen.file.getvalue()
