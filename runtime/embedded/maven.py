"""Resolve and download Maven artifacts with jgo, which needs neither Maven nor Java."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jgo.maven
import requests
import tenacity

from cdc.errors import ServiceFailed

MIRROR_VARIABLE = "CASSMIRROR_MAVEN_REPOSITORY"
_TIMEOUT_S = 60

Advance = Callable[[int], None]


class Repository:
    """Maven Central, or the mirror that the environment names; files arrive in `staging`."""

    def __init__(self, staging: Path, advance: Advance = lambda _: None) -> None:
        _trust_what_the_environment_names()

        @contextmanager
        def progress(_name: str, _size: int) -> Iterator[Advance]:
            yield advance

        mirror = os.environ.get(MIRROR_VARIABLE)
        self._context = jgo.maven.MavenContext(
            resolver=jgo.maven.PythonResolver(progress_callback=progress),
            repo_cache=staging,
            local_repos=[],
            remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
            timeout=_TIMEOUT_S,
        )

    def runtime_closure(self, roots: Sequence[str]) -> list[str]:
        """Return the coordinates of the roots and of all they need at run time, as `group:artifact:version`."""
        inputs = [self._context.create_dependency(root) for root in roots]
        with _explained(", ".join(roots)):
            _, nodes = self._context.resolver.get_dependency_list(inputs)
        found = [*inputs, *(node.dep for node in nodes if node.dep.scope in {"compile", "runtime"})]
        return sorted({f"{dep.groupId}:{dep.artifactId}:{dep.version}" for dep in found})

    def download(self, coordinate: str) -> Path:
        """Download one artifact and return its file."""
        artifact = self._context.create_dependency(coordinate).artifact
        with _explained(coordinate):
            return Path(_patiently(_fetch, artifact))


def _fetch(artifact: jgo.maven.Artifact) -> Path:
    if artifact.cached_path is not None:
        artifact.cached_path.unlink(missing_ok=True)  # a cut-off download would be taken for the file
    return Path(artifact.resolve())


def _patiently(call: Callable[[jgo.maven.Artifact], Path], artifact: jgo.maven.Artifact) -> Path:
    passing = tenacity.retry_if_exception_type((requests.ConnectionError, requests.Timeout))
    wait = tenacity.wait_exponential(multiplier=0.5, max=5)
    return tenacity.Retrying(retry=passing, stop=tenacity.stop_after_attempt(4), wait=wait, reraise=True)(call, artifact)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; jgo raises RuntimeError for a missing artifact
        raise ServiceFailed(
            f"{what} could not be downloaded: {error}",
            hint="check the network; behind a proxy set HTTPS_PROXY, for its own authority set REQUESTS_CA_BUNDLE or "
            f"SSL_CERT_FILE, for a mirror set {MIRROR_VARIABLE}; what has been downloaded is kept",
        ) from error


def _trust_what_the_environment_names() -> None:
    """Let SSL_CERT_FILE count for requests too, which knows only variables of its own."""
    given = os.environ.get("SSL_CERT_FILE")
    if given and not (os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")):
        os.environ["REQUESTS_CA_BUNDLE"] = given
