"""What the bot tells its owner while it trades: to the log, and through freqtrade to Telegram."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Hashable, Iterable
from functools import wraps
from typing import Any, Protocol

import pandas as pd

from adaptive_pkg.adapter.open_trade import OpenTrade, ladder_state, trade_key
from adaptive_pkg.adapter.throttle import Throttle
from adaptive_pkg.adapter.trade_desk import TradeDesk
from adaptive_pkg.adapter.trade_words import (
    WORDS_KEY,
    next_move,
    outcome,
    plan_in_words,
    price,
    stop_in_force,
)
from adaptive_pkg.enums import Regime, StopStage
from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.policy.decision import Refusal, regime_of_tag
from adaptive_pkg.policy.explanation import ENTRY_KEY
from adaptive_pkg.policy.judgement import Judgement
from adaptive_pkg.risk.ladder_state import LadderState
from adaptive_pkg.risk.planner import FORCED_ENTRY_TIER, EntrySize
from adaptive_pkg.risk.stop_plan import StopPlan
from adaptive_pkg.risk.stops import StopState
from adaptive_pkg.settings.messages import MessageKind, MessageSettings

logger = logging.getLogger(__name__)

MAX_LENGTH = 3900  # Telegram takes 4,096, and escaping adds some
HIDDEN = "(hidden)"
_ABOUT_MONEY = (MessageKind.ENTRY, MessageKind.STOP)
MANY_TRADES = 1000  # whose last words are remembered
# What an HTTP client's error may carry of a signed request.
_SIGNED = re.compile(r"\b(signature|listenKey|apiKey|api_key|token)=[^&\s'\"]+", re.IGNORECASE)
_BOT_TOKEN = re.compile(r"\bbot\d+:[\w-]+")  # in every address of Telegram's
# freqtrade sends Markdown, and Telegram drops a message whose marks do not match: strong_trend has one.
_MARKS = re.compile(r"([_*`\[])")


class Channel(Protocol):
    """Where messages go; freqtrade's DataProvider has it."""

    def send_msg(self, message: str) -> None: ...


def _harmless(tell: Callable[..., None]) -> Callable[..., None]:
    """Do nothing until there is somebody to tell; and never let a message break a trade."""

    @wraps(tell)
    def guarded(self: Messages, *args: Any, **kwargs: Any) -> None:
        if self._channel is None:
            return
        try:
            tell(self, *args, **kwargs)
        except Exception as error:
            failure = (tell.__name__, type(error))
            level = logging.DEBUG if failure in self._failures else logging.WARNING  # not at every loop
            self._failures.add(failure)
            logger.log(level, f"a message could not be told ({tell.__name__})", exc_info=True)

    return guarded


class Messages:
    """Tells what happened, once: each kind can be switched off and has its throttle, and so has the hour.

    Silent until `connect`, which only a trading bot calls: a backtest tells nothing and stores nothing.

    Args:
        desk: plans, stops and candles of what is told.
        clock: seconds that never run backwards.
    """

    def __init__(
        self, settings: MessageSettings, desk: TradeDesk, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._throttle = Throttle(settings.per_hour, clock)
        self._channel: Channel | None = None
        self._secrets: tuple[str, ...] = ()
        self._refused: dict[Hashable, int | None] = {}  # the candle of the last refusal
        self._regimes: dict[str, Regime] = {}
        self._models: dict[str, tuple[float, ...]] = {}
        self._sizes: dict[str, str] = {}  # by pair: why the entry that may follow is that big
        self._stops: dict[Hashable, tuple] = {}  # what was last written of a trade
        self._failures: set[tuple[str, type]] = set()  # that were logged

    def connect(self, channel: Channel, secrets: Iterable[str] = ()) -> None:
        """Begin to tell. `secrets` are never told, whatever an error's words hold."""
        self._channel = channel
        # the longest first: one secret may be part of another; a very short one is part of everything
        self._secrets = tuple(sorted({s for s in secrets if len(s) > 3}, key=len, reverse=True))

    # --- a new candle --------------------------------------------------------------------------------

    @_harmless
    def analysed(self, pair: str, frame: pd.DataFrame, judgement: Judgement, settings: Any) -> None:
        """A candle was judged: say if its regime, or the model behind its forecast, is a new one."""
        codes, decisions = judgement.regimes.codes, judgement.decisions
        if not len(codes):
            return
        regime = Regime.from_code(int(codes[-1]))
        if decisions.refusal[-1] != Refusal.NONE:
            logger.info(
                f"{pair}: no entry in {regime}: {decisions.refusal[-1]} "
                f"(confidence {decisions.confidence[-1]:.2f})"
            )
        before = self._regimes.get(pair, regime)
        self._regimes[pair] = regime
        if before is not regime:
            preset = settings.preset(regime)
            self._tell(
                MessageKind.REGIME,
                pair,
                f"{pair}: regime {_plain(before)} → {_plain(regime)} "
                f"(confidence {judgement.regimes.confidence[-1]:.2f}); size × {preset.size_multiplier:g}, "
                f"{'no entries' if preset.pause else _plain(preset.style)}",
            )
        self._model(pair, frame)

    def _model(self, pair: str, frame: pd.DataFrame) -> None:
        """FreqAI trains in a thread of its own: a new model shows by the figures it brings along."""
        if "val_loss" not in frame:
            return
        names = ("val_loss", "val_loss_zero", "val_skill_return", "val_skill_volatility")
        loss, zero, returns, volatility = figures = tuple(float(frame[name].iloc[-1]) for name in names)
        before = self._models.get(pair, figures)  # the first one seen was loaded, not trained
        if loss > 0.0 or pair not in self._models:  # 0: no model yet, or it has expired
            self._models[pair] = figures
            if figures != before:
                self._tell(
                    MessageKind.MODEL,
                    pair,
                    f"{pair}: a newly trained model forecasts: error on later candles {loss:.3f}, of a "
                    f"forecast of 0 {zero:.3f}; skill over 0: return {returns:+.1%}, volatility "
                    f"{volatility:+.1%}",
                )

    # --- an entry ------------------------------------------------------------------------------------

    @_harmless
    def sized(self, pair: str, tag: str | None, size: EntrySize) -> None:
        """An entry was sized: to the log, and kept for the message of the entry it may become."""
        self._log(f"{pair}: {tag}: {size.reason}")
        self._sizes[pair] = size.reason

    @_harmless
    def entered(self, trade: OpenTrade) -> None:
        """The first entry has filled: why, and how big, to all channels and into the trade's own data."""
        size = self._sizes.pop(trade.pair, "")
        try:
            words = self._desk.explain(trade)
        except Exception as error:
            logger.warning(f"{trade.pair}: entry of trade {trade.id} cannot be explained: {error}")
            text = trade.enter_tag or "no tag"
        else:
            trade.set_custom_data(ENTRY_KEY, words.to_dict())
            text = words.text
            if regime_of_tag(trade.enter_tag) is None:
                text = f"entered by hand, sized as {FORCED_ENTRY_TIER:g} of full; the rules would say {text}"
        sized = f"\nsize: {_plain(size)}" if size else ""
        self._tell(MessageKind.ENTRY, trade.pair, f"{trade.pair}: {text}{sized}")

    # --- the open trade ------------------------------------------------------------------------------

    @_harmless
    def stop_stands(self, trade: OpenTrade, state: StopState) -> None:
        """Where a trade's stop stands: told when its stage is a new one, written in words when it moved."""
        key = trade_key(trade)
        stood = self._stops.get(key)
        stands = (state.stage, state.stop, trade.stop_loss, trade.open_rate, trade.amount)
        if stands == stood:
            return
        plan = self._desk.plan(trade)
        if len(self._stops) > MANY_TRADES:
            self._stops.clear()  # the closed ones; an open one is compared with what freqtrade stored
        before = stood[0] if stood else _stage_before(trade, plan, state)
        self._stops[key] = stands
        if state.stage is not before:
            self._tell(MessageKind.STOP, trade.pair, _stage_words(trade, plan, before, state))
        self._write_words(trade, plan, state)

    def _write_words(self, trade: OpenTrade, plan: StopPlan, state: StopState) -> None:
        ladder = self._desk.ladder(trade)
        filled = ladder_state(trade) if ladder else LadderState.from_orders(())
        entry = trade.get_custom_data(ENTRY_KEY)
        words = plan_in_words(trade, plan, state, ladder, filled, entry)
        if trade.get_custom_data(WORDS_KEY) != words:  # each write is a commit
            trade.set_custom_data(WORDS_KEY, words)

    # --- entries that are not to be ------------------------------------------------------------------

    @_harmless
    def refused(self, pair: str, cause: str, text: str, candle: int | None = None) -> None:
        """An entry was refused. Told once a candle and cause: freqtrade asks again all the time.

        Args:
            cause: what refused, in a word ("limits", "breaker", "order book"). text: what to say.
            candle: by which "again" is told; default: the pair's newest.
        """
        latest = self._desk.candles.latest(pair) if candle is None else candle
        if cause == "breaker":  # told once, when it opened
            self._log(f"{pair}: {text}")
            return
        topic = (pair, cause)
        if topic in self._refused and self._refused[topic] == latest:
            return
        self._refused[topic] = latest
        self._tell(MessageKind.REFUSAL, pair, f"{pair}: {text}", cause)

    def failed(self, pair: str, error: Exception) -> None:
        """An entry was refused by an error. What is not one of our own is a defect: show where."""
        text = f"entry refused: {str(error).removeprefix(f'{pair}: ')}"
        try:
            logger.warning(self._hide(f"{pair}: {text}"), exc_info=not isinstance(error, AdaptiveError))
        except Exception:  # the caller refuses the entry next, and must come to that
            logger.exception(f"{pair}: an error could not be told")
        self.refused(pair, "error", text)

    @_harmless
    def breaker(self, text: str) -> None:
        """The circuit breaker has opened or closed. Never held back."""
        self._tell(MessageKind.BREAKER, "", text)

    # --- telling -------------------------------------------------------------------------------------

    def _tell(self, kind: MessageKind, pair: str, text: str, cause: str = "") -> None:
        self._log(text)
        if not self._settings.wants(kind):
            return
        seconds = self._settings.seconds(kind)
        # refusals must not use up the hour of what happens to money
        urgent = kind is MessageKind.BREAKER or (kind in _ABOUT_MONEY and seconds == 0)
        if not self._throttle.admits((kind, pair, cause), seconds, urgent=urgent):
            return
        text = self._hide(text)[:MAX_LENGTH]
        if held := self._throttle.held_back():
            text += f"\n({held} earlier message{'s' if held > 1 else ''} held back: see the log)"
        assert self._channel is not None
        self._channel.send_msg(_MARKS.sub(r"\\\1", text))

    def _log(self, text: str) -> None:
        logger.info(self._hide(text))

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return _BOT_TOKEN.sub(HIDDEN, _SIGNED.sub(rf"\1={HIDDEN}", text))


def _plain(name: str) -> str:
    return str(name).replace("_", " ")


def _stage_before(trade: OpenTrade, plan: StopPlan, state: StopState) -> StopStage:
    """The stage that was last told of, of a trade met for the first time: just opened, or after a restart.

    The stop that freqtrade stored tells whether the stop had moved before.
    """
    sign = -1.0 if trade.is_short else 1.0
    moved = trade.stop_loss and sign * (trade.stop_loss - plan.initial_stop) > 1e-6 * plan.initial_stop
    return state.stage if moved else StopStage.INITIAL


def _stage_words(trade: OpenTrade, plan: StopPlan, before: StopStage, state: StopState) -> str:
    stop = stop_in_force(trade, state)
    return (
        f"{trade.pair}: stop of trade {trade.id} {before} → {state.stage}: {price(plan.initial_stop)} at "
        f"first, now {price(stop)} (entry {price(trade.open_rate)}, best close {price(state.best)}); it "
        f"{outcome(trade, plan, stop)}; next: {next_move(plan, state)}"
    )
