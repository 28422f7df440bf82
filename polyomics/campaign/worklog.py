"""A worker's log: JSON lines for people and machines, kept until they are shipped to the store."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from polyomics.store.markers import now

if TYPE_CHECKING:
    from collections.abc import Mapping


class WorkLog:
    """Collects lines and writes each to stderr at once.

    Parameters
    ----------
    shared
        Fields of every line: campaign, attempt, node.
    """

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = dict(shared)
        self._kept: list[str] = []

    def say(self, message: str, *, level: str = "info", task: str = "", stage: str = "", **fields: Any) -> None:
        """Add one line."""
        line = {"time": now(), "level": level, **self._shared, "task": task, "stage": stage, "message": message}
        text = json.dumps({**line, **fields}, default=str)
        self._kept.append(text)
        print(text, file=sys.stderr, flush=True)

    def take(self) -> bytes:
        """Return the lines since the last call; empty where there are none."""
        lines, self._kept = self._kept, []
        return "".join(f"{line}\n" for line in lines).encode()
