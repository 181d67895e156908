"""Keep the jars of the Java servers: pinned by SHA-256 in `jars.lock`, downloaded once, verified before every use.

`python -m runtime.embedded.jars lock` resolves the roots anew and writes the lock file.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cdc.errors import ServiceFailed
from runtime.embedded.capacity import MIB, require_disk
from runtime.embedded.download_progress import progress

if TYPE_CHECKING:
    from runtime.embedded.maven import Repository

LOCK_FILE = Path(__file__).with_name("jars.lock")
CACHE_VARIABLE = "CASSMIRROR_CACHE"
ROOTS = {
    # slf4j-simple: without a binding Kafka logs nothing.
    "kafka": ("org.apache.kafka:kafka_2.13:4.1.2", "org.slf4j:slf4j-simple:1.7.36"),
    # Native parts are asked for by a classifier, which is not followed.
    "cassandra": (
        "org.apache.cassandra:cassandra-all:5.0.9",
        "com.github.jnr:jffi:jar:native:1.3.11",
        "io.netty:netty-transport-native-epoll:jar:linux-aarch_64:4.1.130.Final",
        "io.netty:netty-transport-native-epoll:jar:linux-x86_64:4.1.130.Final",
    ),
    "connector": ("io.debezium:debezium-connector-cassandra-5:jar:jar-with-dependencies:3.5.0.Beta1",),
}
_AT_ONCE = 6


@dataclass(frozen=True)
class Jar:
    """One pinned artifact; the coordinate is `group:artifact:version` or `group:artifact:jar:classifier:version`."""

    coordinate: str
    sha256: str
    size: int

    @property
    def path(self) -> Path:
        """Where it lies in the cache, as in a Maven repository."""
        group, artifact, *kind, version = self.coordinate.split(":")
        classifier = f"-{kind[1]}" if kind else ""
        return Path(*group.split("."), artifact, version, f"{artifact}-{version}{classifier}.jar")


def cache_dir() -> Path:
    """Return the user's cache directory for cassmirror."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "cassmirror"


def read_lock(path: Path = LOCK_FILE) -> dict[str, tuple[Jar, ...]]:
    """Read the pinned jars of each server."""
    sets = tomllib.loads(path.read_text())
    return {name: tuple(Jar(**jar) for jar in entry["jars"]) for name, entry in sets.items()}


def ensure(name: str, *, lock: Path = LOCK_FILE) -> list[Path]:
    """Return the verified jars of a server, downloaded if they are not in the cache.

    Raises ServiceFailed if a download fails or a file is not the pinned one.
    """
    jars = read_lock(lock)[name]
    home = cache_dir() / "jars"
    missing = [jar for jar in jars if not _is_pinned(home / jar.path, jar)]
    if missing:
        _download(name, missing, home)
    return [home / jar.path for jar in jars]


def _download(name: str, missing: Sequence[Jar], home: Path) -> None:
    total = sum(jar.size for jar in missing)
    require_disk(home, total + 64 * MIB, f"downloading {name}")
    home.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="download-", dir=home) as staging,
        progress(f"downloading {name}: {len(missing)} jars", total) as advance,
    ):
        repository = _repository(Path(staging), advance)
        _all_at_once(lambda jar: _take(repository, jar, home), missing)


def _take(repository: Repository, jar: Jar, home: Path) -> None:
    """Download one jar, and put it into the cache only if it is the pinned one."""
    got = repository.download(jar.coordinate)
    if not _is_pinned(got, jar):
        raise ServiceFailed(
            f"{jar.coordinate} is not the file that was pinned: SHA-256 {sha256(got)}, wanted {jar.sha256}",
            hint="it was refused and removed; try again, and if it stays so, do not trust the repository you download from",
        )
    place = home / jar.path
    place.parent.mkdir(parents=True, exist_ok=True)
    got.replace(place)


def _all_at_once(take: Callable[[Jar], None], jars: Iterable[Jar]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = [pool.submit(take, jar) for jar in jars]
        try:
            for one in running:
                one.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _repository(staging: Path, advance: Callable[[int], None]) -> Repository:
    try:
        from runtime.embedded.maven import Repository  # noqa: PLC0415 - jgo is optional, and slow to import
    except ImportError as error:
        raise ServiceFailed("jgo is not installed", hint="pip install 'cassmirror[embedded]'") from error
    return Repository(staging, advance)


def _is_pinned(path: Path, jar: Jar) -> bool:
    return path.is_file() and path.stat().st_size == jar.size and sha256(path) == jar.sha256


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lock(
    path: Path = LOCK_FILE,
    sets: Mapping[str, Sequence[str]] = ROOTS,
    *,
    without: Collection[str] = (),
    command: str = "runtime.embedded.jars",
) -> int:
    """Resolve the roots, download what they need, write the lock file; return the number of jars.

    `without` are artifacts to leave out, as `group:artifact`; `command` is the module that was asked.
    """
    parts, count = [f"# Written by `python -m {command} lock`.\n"], 0
    with tempfile.TemporaryDirectory() as staging:
        repository = _repository(Path(staging), lambda _: None)
        for name, roots in sets.items():
            closure = repository.runtime_closure(roots)
            coordinates = [one for one in closure if ":".join(one.split(":")[:2]) not in without]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                files = list(pool.map(repository.download, coordinates))
            parts.append(f"\n[{name}]\nroots = [{', '.join(map(_quoted, roots))}]\njars = [\n")
            parts += [_entry(coordinate, file) for coordinate, file in zip(coordinates, files, strict=True)]
            parts.append("]\n")
            count += len(files)
    path.write_text("".join(parts))
    return count


def _entry(coordinate: str, file: Path) -> str:
    return f'  {{ coordinate = "{coordinate}", sha256 = "{sha256(file)}", size = {file.stat().st_size} }},\n'


def _quoted(text: str) -> str:
    return f'"{text}"'


def main(argv: Sequence[str]) -> int:
    """Write the lock file."""
    if list(argv) != ["lock"]:
        sys.stderr.write("usage: python -m runtime.embedded.jars lock\n")
        return 2
    sys.stdout.write(f"{LOCK_FILE.name}: {write_lock()} jars\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
