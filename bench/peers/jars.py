"""The jars of Kafka Connect and of Debezium's JDBC sink: pinned like those of the embedded servers.

`python -m bench.peers.jars lock` resolves them anew and writes the lock file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.embedded.jars import ensure, write_lock

LOCK_FILE = Path(__file__).with_name("jars.lock")
CONNECT, JDBC_SINK = "connect", "jdbc_sink"
CONNECT_VERSION, JDBC_SINK_VERSION = "4.3.1", "3.5.0.Final"
ROOTS = {
    CONNECT: (
        f"org.apache.kafka:connect-runtime:{CONNECT_VERSION}",
        f"org.apache.kafka:connect-json:{CONNECT_VERSION}",
        "org.slf4j:slf4j-simple:1.7.36",
    ),
    JDBC_SINK: (f"io.debezium:debezium-connector-jdbc:{JDBC_SINK_VERSION}",),
}
# Drivers of other databases, what Debezium's own distribution leaves to Kafka Connect, and what else Kafka Connect has.
LEFT_OUT = frozenset(
    """
    com.microsoft.sqlserver:mssql-jdbc com.mysql:mysql-connector-j com.oracle.database.jdbc:ojdbc11
    org.mariadb.jdbc:mariadb-java-client org.checkerframework:checker-qual
    com.fasterxml.jackson.datatype:jackson-datatype-jsr310
    """.split()
)
OF_CONNECT = frozenset(
    """
    com.fasterxml.jackson.core:jackson-annotations com.fasterxml.jackson.core:jackson-core
    com.fasterxml.jackson.core:jackson-databind com.github.luben:zstd-jni org.lz4:lz4-java org.xerial.snappy:snappy-java
    org.apache.kafka:connect-api org.apache.kafka:kafka-clients org.slf4j:slf4j-api jakarta.ws.rs:jakarta.ws.rs-api
    """.split()
)


def connect_jars() -> list[Path]:
    """Return the class path of a worker, downloaded if it is not there."""
    return ensure(CONNECT, lock=LOCK_FILE)


def sink_jars() -> list[Path]:
    """Return the jars of the sink without what it shares with the worker: two of a class in one program do not agree."""
    shared = {name.split(":")[1] for name in OF_CONNECT}
    return [jar for jar in ensure(JDBC_SINK, lock=LOCK_FILE) if jar.parent.parent.name not in shared]


def main(argv: Sequence[str]) -> int:
    """Write the lock file."""
    if list(argv) != ["lock"]:
        sys.stderr.write("usage: python -m bench.peers.jars lock\n")
        return 2
    count = write_lock(LOCK_FILE, ROOTS, without=LEFT_OUT, command="bench.peers.jars")
    sys.stdout.write(f"{LOCK_FILE.name}: {count} jars\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
