"""`SafeTradingState`: what the bot knows of its money and orders, changed whole or not at all.

For freqtrade's threads and for tasks, at the same time:

    with state.atomic_trade("BTC/USDT", order_id) as change:         # a thread
    async with state.atomic_trade("BTC/USDT", order_id) as change:   # a task
        change.place(order_id, "BTC/USDT", OrderSide.BUY, amount, spend)

A block that fails leaves nothing behind. Blocks are short and wait for nothing but their locks; what takes
the venue's time belongs into a `turn`, which keeps others from trading the pair and locks no values.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import MappingProxyType, TracebackType

from adaptive_pkg.exchange.account import Account, AccountView
from adaptive_pkg.exchange.lock_names import Holder, LockKind, LockName, LockStats
from adaptive_pkg.exchange.locks import Hold, OrderedLocks, Owner, current_owner
from adaptive_pkg.exchange.transaction import Transaction
from adaptive_pkg.settings.exchange import StateSettings

_BALANCE = LockName(LockKind.BALANCE)


class SafeTradingState:
    """Balances, positions and orders behind ordered locks.

    Args:
        settings: lock timeout, and from when on a hold is worth a warning.
        clock: monotonic seconds, for statistics and messages.
    """

    def __init__(self, settings: StateSettings | None = None, clock: Callable[[], float] = time.monotonic):
        self.locks = OrderedLocks(settings, clock)
        self._account = Account()
        self._mutex = threading.Lock()  # for moments: whole transactions in, whole views out
        self._open: dict[Owner, _Open] = {}

    def atomic_balance(self, timeout: float | None = None) -> Atomic:
        """A block that may change balances."""
        return Atomic(self, (_BALANCE,), timeout)

    def atomic_position(self, pair: str, timeout: float | None = None) -> Atomic:
        """A block that has the pair's position to itself."""
        return Atomic(self, (LockName(LockKind.POSITION, pair),), timeout)

    def atomic_order(self, order_id: str, timeout: float | None = None) -> Atomic:
        """A block that may change one order and the balances it reserves."""
        return Atomic(self, (LockName(LockKind.ORDER, order_id), _BALANCE), timeout)

    def atomic_trade(self, pair: str, *order_ids: str, timeout: float | None = None) -> Atomic:
        """A block that may change everything of one trade: position, these orders, balances."""
        orders = (LockName(LockKind.ORDER, order_id) for order_id in order_ids)
        names = (LockName(LockKind.TRADE, pair), LockName(LockKind.POSITION, pair), *orders, _BALANCE)
        return Atomic(self, names, timeout)

    def turn(self, *pairs: str, timeout: float | None = None) -> Hold:
        """Keep others from trading these pairs, for as long as the venue takes. Atomic blocks go inside."""
        return self.locks.hold(*(LockName(LockKind.TRADE, pair) for pair in pairs), timeout=timeout)

    def view(self) -> AccountView:
        """Everything as it is now; nobody's half-done change is in it, and nobody is waited for."""
        with self._mutex:
            return AccountView(
                MappingProxyType(dict(self._account.balances)),
                MappingProxyType(dict(self._account.positions)),
                MappingProxyType(dict(self._account.orders)),
            )

    def statistics(self) -> dict[LockKind, LockStats]:
        """Waits, holds and contention so far, by kind of lock."""
        return self.locks.statistics()

    def holders(self) -> list[Holder]:
        """Who holds which lock at this moment."""
        return self.locks.holders()

    def begin(self, owner: Owner, hold: Hold) -> Transaction:
        """Start a transaction, or join the one its owner is in."""
        with self._mutex:
            current = self._open.get(owner)
            if current is None:
                current = self._open[owner] = _Open(self._account)
            current.enter(hold)
            return current.transaction

    def end(self, owner: Owner, failed: bool) -> None:
        """Leave a block: undo it if it failed; when it was the outermost, commit and unlock."""
        with self._mutex:
            current = self._open[owner]
            current.leave(failed)
            if current.depth:
                return
            del self._open[owner]
            current.transaction.commit()
        for hold in reversed(current.holds):
            hold.release()


class _Open:
    """A transaction under way: its locks are kept until the outermost block ends, so nobody sees a part."""

    def __init__(self, account: Account):
        self.names: set[LockName] = set()
        self.holds: list[Hold] = []
        self.transaction = Transaction(account, self.names.__contains__)
        self._before: list[dict] = []

    @property
    def depth(self) -> int:
        return len(self._before)

    def enter(self, hold: Hold) -> None:
        self.holds.append(hold)
        self.names.update(hold.names)
        self._before.append(dict(self.transaction.writes))

    def leave(self, failed: bool) -> None:
        before = self._before.pop()
        if failed:
            self.transaction.writes.clear()
            self.transaction.writes.update(before)


class Atomic:
    """One atomic block, for `with` in a thread and `async with` in a task. Gives its transaction."""

    def __init__(self, state: SafeTradingState, names: tuple[LockName, ...], timeout: float | None):
        self._state = state
        self._hold = state.locks.hold(*names, timeout=timeout)

    def __enter__(self) -> Transaction:
        self._hold.__enter__()
        return self._state.begin(current_owner(), self._hold)

    async def __aenter__(self) -> Transaction:
        await self._hold.__aenter__()
        return self._state.begin(current_owner(), self._hold)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._state.end(current_owner(), error is not None)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._state.end(current_owner(), error is not None)
