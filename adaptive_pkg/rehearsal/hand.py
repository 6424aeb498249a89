"""What a person does at the exchange by hand: cancel an order, sell what nobody watches."""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from adaptive_pkg.rehearsal.fast_time import RehearsalError
from adaptive_pkg.rehearsal.ledger import VenueOrder
from adaptive_pkg.rehearsal.live_bot import KEY, SECRET, Rehearsal


def close_by_hand(run: Rehearsal, order: VenueOrder) -> list[str]:
    """Cancel the order if it is open and sell what it has bought. Returns the ids of all orders involved.

    Raises:
        RehearsalError: the venue does not accept that.
    """
    symbol, involved = order.pair.replace("/", ""), [order.order_id]
    filled = order.filled
    if order.is_open:
        answer = _ask(run, "DELETE", symbol=symbol, orderId=order.order_id)
        filled = float(answer.get("executedQty", filled))
    if order.buys and filled:
        free = {row["asset"]: float(row["free"]) for row in run.account()["balances"]}
        amount = min(filled, free.get(order.pair.partition("/")[0], 0.0))
        lot = 10.0 ** -len(f"{order.amount:.8f}".rstrip("0").partition(".")[2])
        amount = int(amount / lot + 1e-6) * lot
        if amount > 0:
            sold = _ask(run, "POST", symbol=symbol, side="SELL", type="MARKET", quantity=f"{amount:.8f}")
            involved.append(str(sold["orderId"]))
    return involved


def _ask(run: Rehearsal, method: str, **values: Any) -> dict[str, Any]:
    values |= {"timestamp": round(run.now().timestamp() * 1000), "recvWindow": 60_000}
    query = urlencode(values)
    signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"{run.url}/api/v3/order?{query}&signature={signature}", method=method, headers={"X-MBX-APIKEY": KEY}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        body = error.read().decode(errors="replace")
        if method == "DELETE" and "-2011" in body:
            return {}  # it has filled meanwhile
        raise RehearsalError(f"{method} of {values} by hand: {body}") from error
