"""What an account has: free and locked amounts of every currency, in decimals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adaptive_pkg.simulator.wire import BinanceError

ZERO = Decimal(0)


def plain_decimal(number: Decimal) -> str:
    """Eight places, as Binance writes amounts."""
    return f"{number:.8f}"


class Wallet:
    """Balances that can be locked for orders and are never spent twice.

    Args:
        balances: currency → amount at the start.
    """

    def __init__(self, balances: Mapping[str, Decimal | float | str]):
        self._free = {asset: Decimal(str(amount)) for asset, amount in balances.items()}
        self._locked: dict[str, Decimal] = {}

    def free(self, asset: str) -> Decimal:
        return self._free.get(asset, ZERO)

    def locked(self, asset: str) -> Decimal:
        return self._locked.get(asset, ZERO)

    def total(self, asset: str) -> Decimal:
        return self.free(asset) + self.locked(asset)

    @property
    def assets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._free, *self._locked]))

    def lock(self, asset: str, amount: Decimal) -> None:
        """Set aside for an order. Raises BinanceError where there is not enough."""
        if amount > self.free(asset):
            raise BinanceError(-2010, "Account has insufficient balance for requested action.")
        self._free[asset] = self.free(asset) - amount
        self._locked[asset] = self.locked(asset) + amount

    def release(self, asset: str, amount: Decimal) -> None:
        """Give back what an order no longer needs."""
        assert amount <= self.locked(asset), (asset, amount, self.locked(asset))
        self._locked[asset] = self.locked(asset) - amount
        self._free[asset] = self.free(asset) + amount

    def spend(self, asset: str, amount: Decimal) -> None:
        """Pay out of what is locked."""
        assert amount <= self.locked(asset), (asset, amount, self.locked(asset))
        self._locked[asset] = self.locked(asset) - amount

    def receive(self, asset: str, amount: Decimal) -> None:
        self._free[asset] = self.free(asset) + amount

    def rows(self, *assets: str) -> list[dict[str, Any]]:
        """As `account` lists them; all of them without a name."""
        return [
            {"asset": a, "free": plain_decimal(self.free(a)), "locked": plain_decimal(self.locked(a))}
            for a in assets or self.assets
        ]
