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
_CHUNK_BYTES = 1 << 18

Advance = Callable[[int], None]


class Repository:
    """Maven Central, or the mirror that the environment names; files arrive in `staging`."""

    def __init__(self, staging: Path, advance: Advance = lambda _: None) -> None:
        _trust_what_the_environment_names()
        mirror = os.environ.get(MIRROR_VARIABLE)
        self._context = jgo.maven.MavenContext(
            resolver=_Resolver(advance),
            repo_cache=staging,
            local_repos=[],
            remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
        )

    def runtime_closure(self, roots: Sequence[str]) -> list[str]:
        """Return the coordinates of the roots and of all they need at run time.

        A root with a classifier is taken alone: it holds what it needs, or is a part of something else.
        """
        alone = [root for root in roots if root.count(":") > 2]
        inputs = [self._context.create_dependency(root) for root in roots if root not in alone]
        return sorted({*alone, *(self._needed(inputs) if inputs else ())})

    def _needed(self, inputs: list[jgo.maven.Dependency]) -> set[str]:
        with _explained(", ".join(map(str, inputs))):
            _, nodes = self._context.resolver.get_dependency_list(inputs)
        found = [*inputs, *(node.dep for node in nodes if node.dep.scope in {"compile", "runtime"})]
        return {f"{dep.groupId}:{dep.artifactId}:{dep.version}" for dep in found}

    def download(self, coordinate: str) -> Path:
        """Download one artifact and return its file."""
        with _explained(coordinate):
            return Path(self._context.create_dependency(coordinate).artifact.resolve())


class _Resolver(jgo.maven.PythonResolver):
    """Resolve as jgo does, but leave no connection open and no half file behind, and try again what may pass."""

    def __init__(self, advance: Advance) -> None:
        super().__init__()
        self._advance = advance

    def download(self, artifact: jgo.maven.Artifact) -> Path:
        """Download the artifact from the first repository that has it."""
        directory, name = artifact.component.path_prefix.as_posix(), artifact.filename
        target = artifact.context.repo_cache / directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for repository in artifact.context.remote_repos.values():
            if _again_and_again(_fetch, f"{repository}/{directory}/{name}", target, self._advance):
                return target
        raise RuntimeError(f"not found in {', '.join(artifact.context.remote_repos)}")


def _fetch(url: str, target: Path, advance: Advance) -> bool:
    """Write the file, whole or not at all; False if the repository does not have it."""
    partial = target.with_name(f"{target.name}.partial")
    with requests.get(url, stream=True, timeout=_TIMEOUT_S) as response:
        if response.status_code == requests.codes.not_found:
            return False
        response.raise_for_status()
        with partial.open("wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                advance(len(chunk))
    partial.replace(target)
    return True


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code == requests.codes.too_many_requests or error.response.status_code >= 500
    return isinstance(error, requests.RequestException)


_again_and_again = tenacity.Retrying(
    retry=tenacity.retry_if_exception(_may_pass),
    stop=tenacity.stop_after_attempt(4),
    wait=tenacity.wait_exponential(multiplier=0.5, max=5),
    reraise=True,
)


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
