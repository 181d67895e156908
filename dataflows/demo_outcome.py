"""How a demo ended: its last line and its exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EXIT_DIFFERENT: Final = 3


@dataclass(frozen=True)
class Outcome:
    """What the comparison found. `dead_letters` are events that should have been applied; nothing compared proves nothing."""

    differing: int
    dead_letters: int = 0
    compared_nothing: bool = False

    @property
    def exit_code(self) -> int:
        return EXIT_DIFFERENT if self.differing or self.dead_letters or self.compared_nothing else 0

    def __str__(self) -> str:
        if self.compared_nothing:
            return "nothing was compared"
        line = _counted(self.differing, "difference")
        return f"{line}, {_counted(self.dead_letters, 'dead letter')}" if self.dead_letters else line


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
