"""Progress on stderr: bars on a terminal, one line per job elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from polyomics.cli.output import messages

if TYPE_CHECKING:
    from types import TracebackType

    from polyomics.campaign.local import Event

LINE_SECONDS = 30.0


class Display:
    """Shows the jobs of a campaign while they run; use as a context manager and pass ``observe`` on."""

    def __init__(self) -> None:
        self._console = messages()
        self._bars: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[stage]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=False,
        )

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def observe(self, event: Event) -> None:
        """Show one event."""
        if self._console.is_terminal:
            self._bar(event)
        else:
            self._line(event)

    def _bar(self, event: Event) -> None:
        name = event.job.name
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=None, stage="starting")
        bar = self._bars[name]
        if event.ended is not None:
            failed = event.ended.failure
            self._progress.update(bar, total=1, completed=1, stage=f"failed: {failed}" if failed else "done")
            self._progress.stop_task(bar)
            if failed:
                self._progress.console.print(f"{name}: {failed.value}: {event.ended.error}")
        elif event.progress is not None:
            p = event.progress
            speed = f" {p.ns_per_day:.0f} ns/day" if p.ns_per_day else ""
            self._progress.update(bar, total=p.total or None, completed=p.done, stage=p.stage + speed)

    def _line(self, event: Event) -> None:
        name, now = event.job.name, time.monotonic()
        if event.ended is not None:
            failed = event.ended.failure
            self._console.print(f"{name}: {failed.value}: {event.ended.error}" if failed else f"{name}: done")
        elif event.progress is None:
            self._console.print(f"{name}: started")
        elif now - self._said.get(name, 0.0) >= LINE_SECONDS and event.progress.total:
            self._said[name] = now
            p = event.progress
            self._console.print(f"{name}: {p.stage} {100 * p.done / p.total:.0f} % ({p.ns_per_day:.0f} ns/day)")
