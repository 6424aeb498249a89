"""A connection to the WebSocket API, as far as an account's own events need it.

Source: Binance's public reference, "WebSocket API": a request is {"id", "method", "params"}, signed over its
sorted parameters, and weighs like its REST sister; the account's events come on the same connection, wrapped
with the number of their subscription.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import WSMsgType

from adaptive_pkg.simulator.desk import Desk
from adaptive_pkg.simulator.limits import LimitedError
from adaptive_pkg.simulator.service import Service
from adaptive_pkg.simulator.sessions import Session
from adaptive_pkg.simulator.streams import Message
from adaptive_pkg.simulator.wire import BinanceError

WEIGHTS = {"userDataStream.subscribe.signature": 2, "userDataStream.unsubscribe": 2}
EVENTS = "userData"  # the name faults know these messages by

Join = Callable[[Desk, Callable[[dict[str, Any]], None]], Callable[[], None]]


class ApiSession(Session):
    """Answers requests, and passes on the events of the accounts that were subscribed.

    Args:
        service: checks signatures and counts weight.
        skew_ms: how wrong the clock is that judges timestamps.
        join: makes an account's events known to a listener; gives what ends that.
        settings: as `Session` takes them.
    """

    def __init__(
        self, service: Service, skew_ms: Callable[[], int], join: Join, *settings: Any, **named: Any
    ):
        super().__init__(*settings, combined=False, open_stream=lambda stream: None, **named)
        self._service, self._skew_ms, self._join = service, skew_ms, join
        self._numbers = itertools.count()
        self._ends: dict[int, Callable[[], None]] = {}

    def close_subscriptions(self) -> None:
        """No event is passed on any more."""
        for end in self._ends.values():
            end()
        self._ends.clear()

    def _too_many(self, kind: WSMsgType) -> bool:
        return kind is not WSMsgType.TEXT and super()._too_many(kind)  # requests are limited by their weight

    def _answer(self, text: str) -> dict[str, Any]:
        number = None
        try:
            body = json.loads(text)
            number, method, params = body["id"], body["method"], body.get("params") or {}
            answer = {"id": number, "status": 200, "result": self._result(method, params)}
        except LimitedError as error:
            until = self._clock() + error.retry_after_seconds * 1000
            return self._error(number, error) | {
                "error": error.body | {"data": {"serverTime": self._clock(), "retryAfter": until}}
            }
        except BinanceError as error:
            return self._error(number, error)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return self._error(number, BinanceError(-1135, f"Invalid JSON: {error!r}"))
        limits = self._service.limits
        if limits:
            used = int(limits.headers(self._clock())["X-MBX-USED-WEIGHT-1M"])
            answer["rateLimits"] = [limits.plan.rows()[0] | {"count": used}]
        return answer

    def _result(self, method: str, params: Mapping[str, Any]) -> Any:
        now_ms = self._clock()
        if self._service.limits:
            self._service.limits.take(now_ms, WEIGHTS.get(method, 1))
        if method == "ping":
            return {}
        if method == "time":
            return {"serverTime": now_ms + self._skew_ms()}
        if method == "session.subscriptions":
            return [{"subscriptionId": number} for number in self._ends]
        if method == "userDataStream.subscribe.signature":
            asked = {name: str(value) for name, value in params.items()}
            desk = self._service.signed_in(asked, now_ms + self._skew_ms())
            number = next(self._numbers)
            self._ends[number] = self._join(desk, lambda event: self._pass_on(number, event))
            return {"subscriptionId": number}
        if method == "userDataStream.unsubscribe":
            chosen = [params["subscriptionId"]] if "subscriptionId" in params else list(self._ends)
            for number in chosen:
                self._ends.pop(number, lambda: None)()
            return {}
        raise BinanceError(-1020, f"This operation is not supported: {method}.")

    def _pass_on(self, number: int, event: dict[str, Any]) -> None:
        if self._stalled_until is None:
            key = f"{number}|{event.get('e')}|{json.dumps(event, sort_keys=True)}"
            self._say(Message(EVENTS, key, {"subscriptionId": number, "event": event}))

    @staticmethod
    def _error(number: Any, error: BinanceError) -> dict[str, Any]:
        return {"id": number, "status": error.status, "error": error.body}
