"""An event loop whose time only passes when nothing is left to do, so that hours of waiting take seconds."""

from __future__ import annotations

import asyncio
import selectors


class _VirtualSelector(selectors.DefaultSelector):
    """Instead of waiting for a timeout, moves its loop's clock to the end of it."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(1.0)  # nothing planned: another thread has to wake us
        self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 1,000 s. For code without real sockets: an answer from outside would come too late."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _VirtualSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Seconds since an arbitrary moment."""
        return self.now
