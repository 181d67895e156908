"""Say where embedded services keep their state unless told otherwise."""

from __future__ import annotations

import os
from pathlib import Path

STATE_VARIABLE = "CASSMIRROR_STATE"


def default_state_dir() -> Path:
    """Return the directory that the environment names, else the user's own directory for state."""
    given = os.environ.get(STATE_VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "cassmirror" / "services"
