"""Being asked to stop: a flag that SIGTERM and SIGINT raise, looked at between chunks of steps."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def never() -> bool:
    """Never ask to stop."""
    return False


@contextmanager
def stop_on_signals(signals: tuple[int, ...] = (signal.SIGTERM, signal.SIGINT)) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether a signal has asked to stop; earlier handlers return at the end.

    Outside the main thread, where Python allows no handlers, the flag stays down.
    """
    flag = threading.Event()

    def raise_flag(_number: int, _frame: Any) -> None:
        flag.set()

    if threading.current_thread() is not threading.main_thread():
        yield flag.is_set
        return
    earlier = {number: signal.signal(number, raise_flag) for number in signals}
    try:
        yield flag.is_set
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
