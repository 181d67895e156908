"""What the processes of a flow say of themselves at `/metrics`, read while they run."""

from __future__ import annotations

import http.client
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from runtime.http import METRICS
from runtime.metrics import Sample, read_samples

STAGE_SECONDS, BATCHES = "cdc_stage_cpu_seconds_total", "cdc_processing_seconds_bucket"
QUERY = urllib.parse.urlencode({"name[]": [STAGE_SECONDS, BATCHES]}, doseq=True)  # the whole page costs the flow more
PATIENCE_SECONDS = 2.0
Key = TypeVar("Key")


@dataclass(frozen=True)
class Told:
    """Sums over processes: processor time (seconds) by stage, and batches by the bound (seconds) that they took at most."""

    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    batches: Mapping[float, float] = field(default_factory=dict)

    def since(self, before: Told) -> Told:
        """Return what came after an earlier look."""
        return Told(_less(self.stage_seconds, before.stage_seconds), _less(self.batches, before.batches))

    def quantile(self, share: float) -> float:
        """Return the seconds that this share of the batches took at most, 0 where there are none.

        As Prometheus does it: evenly between two bounds, and the last bound for all that took longer.
        """
        bounds = sorted(self.batches.items())
        wanted = share * bounds[-1][1] if bounds else 0
        for (low, below), (high, within) in pairwise([(0.0, 0.0), *bounds]):
            if below < wanted <= within:
                return low if high == float("inf") else low + (high - low) * (wanted - below) / (within - below)
        return 0.0


class Pages:
    """The pages of processes that listen on ports side by side; of one that answers no more, what it said last."""

    def __init__(self, first_port: int, processes: int) -> None:
        self._said: dict[int, list[Sample]] = {first_port + index: [] for index in range(processes)}

    def look(self) -> Told:
        """Read all of them."""
        for port, before in self._said.items():
            self._said[port] = _page(port) or before
        return told(sample for samples in self._said.values() for sample in samples)


def told(samples: Iterable[Sample]) -> Told:
    """Return what samples of several processes say together."""
    seconds: dict[str, float] = defaultdict(float)
    batches: dict[float, float] = defaultdict(float)
    for sample in samples:
        if sample.name == STAGE_SECONDS:
            seconds[sample.labels["stage"]] += sample.value
        elif sample.name == BATCHES:
            batches[float(sample.labels["le"])] += sample.value
    return Told(seconds, batches)


def _page(port: int) -> list[Sample]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{METRICS}?{QUERY}", timeout=PATIENCE_SECONDS) as answer:
            return read_samples(answer.read().decode())
    except (OSError, http.client.HTTPException):  # not there yet, or no more, perhaps in the middle of its answer
        return []


def _less(after: Mapping[Key, float], before: Mapping[Key, float]) -> dict[Key, float]:
    return {key: value - before.get(key, 0.0) for key, value in after.items()}
