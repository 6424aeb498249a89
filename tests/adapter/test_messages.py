"""What is told, to whom, how often; and that nothing told can hurt a trade."""

from __future__ import annotations

import logging
import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from telegram.helpers import escape_markdown

from adaptive_pkg.adapter.messages import HIDDEN, Messages
from adaptive_pkg.adapter.trade_words import WORDS_KEY
from adaptive_pkg.enums import Regime, StopStage
from adaptive_pkg.errors import DataError, RiskError
from adaptive_pkg.policy.decision import Refusal
from adaptive_pkg.policy.explanation import ENTRY_KEY, EntryExplanation
from adaptive_pkg.risk.stop_plan import StopPlan
from adaptive_pkg.risk.stops import StopState, initial_state
from adaptive_pkg.settings import AdaptiveSettings
from adaptive_pkg.settings.messages import MessageSettings

PAIR = "BTC/USDT"
PLAN = StopPlan(
    side="long", entry_price=100.0, atr=1.0, fee=0.001, initial_stop=97.5, breakeven_stop=100.2002,
    target_price=104.0, breakeven_trigger=0.015, trail_trigger=0.025, trail_atr=1.5, market_gap=0.1,
    breakeven=True, trailing=True, target=True,
)  # fmt: skip
EVEN = StopState(StopStage.BREAKEVEN, 100.2002, 101.6)
TRAILING = StopState(StopStage.TRAILING, 101.8, 103.3)
WHY = EntryExplanation("strong_trend.breakout", 0.7, 0.6, {"rsi": 0.5}, {"rsi": 0.15}, 1.0, 1.0)
QUIET = {f"{kind}_seconds": 0.0 for kind in ("regime", "entry", "stop", "refusal", "model")}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Trade(SimpleNamespace):
    """What is read of freqtrade's, with its stored data."""

    def get_custom_data(self, key):
        return self.stored.get(key)

    def set_custom_data(self, key, value):
        self.writes.append(key)
        self.stored[key] = value


def make_trade(**fields):
    values = {
        "id": 3, "pair": PAIR, "open_date": 1, "open_rate": 100.0, "amount": 10.0, "stake_amount": 1000.0,
        "stop_loss": 90.0, "leverage": 1.0, "is_short": False, "enter_tag": "strong_trend.breakout",
        "entry_side": "buy", "orders": [], "stored": {}, "writes": [],
    }  # fmt: skip
    return Trade(**{**values, **fields})


@pytest.fixture
def teller():
    """Messages that are connected; `sent` is what reached the owner, unescaped."""
    return make_teller()


def make_teller(connected=True, secrets=(), **settings):
    latest = {PAIR: 1}
    desk = SimpleNamespace(
        candles=SimpleNamespace(latest=latest.get),
        plan=lambda trade: PLAN,
        ladder=lambda trade: None,
        explain=lambda trade: WHY,
    )
    raw, clock = [], Clock()
    messages = Messages(MessageSettings(**{**QUIET, **settings}), desk, clock)
    messages.raw, messages.clock, messages.latest, messages.desk = raw, clock, latest, desk
    if connected:
        messages.connect(SimpleNamespace(send_msg=raw.append), secrets)
    return messages


def sent(messages):
    return [text.replace("\\", "") for text in messages.raw]


def judgement(*regimes, refusal=Refusal.NONE):
    codes = np.array([regime.code for regime in regimes])
    return SimpleNamespace(
        regimes=SimpleNamespace(codes=codes, confidence=np.full(len(codes), 0.8)),
        decisions=SimpleNamespace(refusal=[refusal], confidence=[0.42]),
    )


def analyse(messages, regime, pair=PAIR, frame=None, **kwargs):
    frame = pd.DataFrame({"close": [1.0]}) if frame is None else frame
    messages.analysed(pair, frame, judgement(regime, **kwargs), AdaptiveSettings())


def forecast(loss, zero=1.0):
    names = {
        "val_loss": loss,
        "val_loss_zero": zero,
        "val_skill_return": -0.001,
        "val_skill_volatility": 0.25,
    }
    return pd.DataFrame({name: [value] for name, value in names.items()})


# --- a new candle -----------------------------------------------------------------------------------------


def test_a_regime_is_told_when_it_changes_and_not_before(teller):
    for regime in (Regime.CHOPPY, Regime.CHOPPY, Regime.STRONG_TREND, Regime.STRONG_TREND):
        analyse(teller, regime)
    assert sent(teller) == [
        f"{PAIR}: regime choppy → strong trend (confidence 0.80); size × 1.2, trend following"
    ]


def test_pairs_have_regimes_of_their_own(teller):
    analyse(teller, Regime.CHOPPY)
    analyse(teller, Regime.TIGHT_RANGE, "ETH/USDT")
    analyse(teller, Regime.CHOPPY)
    assert sent(teller) == []


def test_a_candidate_that_was_not_taken_stands_in_the_log_alone(teller, caplog):
    caplog.set_level(logging.INFO)
    analyse(teller, Regime.CHOPPY, refusal=Refusal.LOW_CONFIDENCE)
    assert "no entry in choppy: confidence below the regime's threshold (confidence 0.42)" in caplog.text
    assert sent(teller) == []


def test_a_model_is_told_when_its_figures_are_new_ones(teller):
    for frame in (forecast(0.0, 0.0), forecast(0.7), forecast(0.7), forecast(0.0, 0.0), forecast(0.7)):
        analyse(teller, Regime.CHOPPY, frame=frame)
    assert sent(teller) == [
        f"{PAIR}: a newly trained model forecasts: error on later candles 0.700, of a forecast of 0 1.000; "
        "skill over 0: return -0.1%, volatility +25.0%"
    ]
    analyse(teller, Regime.CHOPPY, frame=forecast(0.65))
    assert len(sent(teller)) == 2


def test_a_model_that_was_there_at_the_start_is_not_new(teller):
    analyse(teller, Regime.CHOPPY, frame=forecast(0.7))
    assert sent(teller) == []


# --- entries ----------------------------------------------------------------------------------------------


def test_an_entry_is_told_with_its_reasons_and_its_size(teller):
    trade = make_trade()
    teller.sized(
        PAIR, trade.enter_tag, SimpleNamespace(reason="stake 300, 1.00% of equity (loss_fraction 0.03)")
    )
    teller.entered(trade)
    assert sent(teller) == [f"{PAIR}: {WHY.text}\nsize: stake 300, 1.00% of equity (loss fraction 0.03)"]
    assert trade.stored[ENTRY_KEY]["score"] == 0.7


def test_an_entry_by_hand_says_so(teller):
    teller.entered(make_trade(enter_tag="force_entry"))
    assert sent(teller)[0].startswith(f"{PAIR}: entered by hand, sized as 0.3 of full; the rules would say ")


def test_an_entry_that_cannot_be_explained_is_told_by_its_tag(teller, caplog):
    def explain(trade):
        raise DataError("the candle is too old")

    teller.desk.explain = explain
    trade = make_trade()
    teller.entered(trade)
    assert sent(teller) == [f"{PAIR}: strong_trend.breakout"]
    assert "the candle is too old" in caplog.text
    assert ENTRY_KEY not in trade.stored


# --- stops ------------------------------------------------------------------------------------------------


def test_a_stop_is_told_at_each_new_stage_and_written_at_each_move(teller):
    trade = make_trade()
    higher = StopState(StopStage.TRAILING, 102.1, 103.6)
    for state in (initial_state(PLAN), EVEN, EVEN, TRAILING, higher, higher):
        teller.stop_stands(trade, state)
    first, second = sent(teller)
    assert first.startswith(
        f"{PAIR}: stop of trade 3 initial → breakeven: 97.5 at first, now 100.2002 (entry 100, best close 1"
    )
    assert "breakeven → trailing" in second and "it keeps 15.98 USDT (1.60 %) after fees" in second
    assert trade.writes == [WORDS_KEY] * 4  # the initial plan, breakeven, and two trailing stops
    assert "stop 102.1 (trailing)" in trade.stored[WORDS_KEY]


def test_the_words_are_written_anew_when_the_position_changes(teller):
    trade = make_trade()
    teller.stop_stands(trade, initial_state(PLAN))
    trade.amount = 5.0
    teller.stop_stands(trade, initial_state(PLAN))
    assert trade.writes == [WORDS_KEY] * 2
    assert sent(teller) == []


def test_after_a_restart_nothing_is_told_or_written_twice(teller):
    trade = make_trade(stop_loss=101.8)
    teller.stop_stands(trade, TRAILING)
    again = make_teller()
    again.stop_stands(trade, TRAILING)
    assert sent(teller) == sent(again) == []
    assert trade.writes == [WORDS_KEY]


def test_a_stage_that_came_while_the_bot_was_down_is_told(teller):
    teller.stop_stands(make_trade(stop_loss=97.5), TRAILING)
    assert "initial → trailing" in sent(teller)[0]


# --- refusals ---------------------------------------------------------------------------------------------


def test_a_refusal_is_told_once_a_candle_and_cause(teller):
    for price in (1, 2):
        teller.refused(PAIR, "limits", f"long entry at {price} refused: heat")
    teller.refused(PAIR, "breaker", "long entry refused: entries rest")
    teller.latest[PAIR] = 2
    teller.refused(PAIR, "limits", "long entry at 3 refused: heat")
    assert [text.split(": ", 1)[1] for text in sent(teller)] == [
        "long entry at 1 refused: heat",
        "long entry at 3 refused: heat",
    ], "the breaker tells of itself once, not of every pair"


def test_a_refusal_before_the_first_candle_is_told_once(teller):
    for _ in range(2):
        teller.refused("NEW/USDT", "limits", "refused")
    assert len(sent(teller)) == 1


def test_an_error_of_our_own_shows_its_words_and_a_defect_its_place(teller, caplog):
    teller.failed(PAIR, RiskError(f"{PAIR}: price has run too far"))
    assert caplog.records[-1].exc_info in (None, False)
    teller.failed(PAIR, ZeroDivisionError("division by zero"))
    assert caplog.records[-1].exc_info
    assert sent(teller) == [f"{PAIR}: entry refused: price has run too far"]


# --- how often --------------------------------------------------------------------------------------------


def test_a_kind_that_is_switched_off_stands_in_the_log_alone(caplog):
    caplog.set_level(logging.INFO)
    messages = make_teller(regime=False)
    analyse(messages, Regime.CHOPPY)
    analyse(messages, Regime.STRONG_TREND)
    messages.entered(make_trade())
    assert "regime choppy → strong trend" in caplog.text
    assert sent(messages) == [f"{PAIR}: {WHY.text}"]


def test_words_are_stored_even_if_nobody_wants_messages_of_stops():
    trade = make_trade()
    make_teller(stop=False).stop_stands(trade, initial_state(PLAN))
    assert trade.writes == [WORDS_KEY]


def test_a_topic_is_quiet_for_its_time_and_the_next_message_counts_what_was_held_back():
    messages = make_teller(regime_seconds=600.0)
    regimes = [Regime.CHOPPY, Regime.TIGHT_RANGE, Regime.CHOPPY, Regime.TRANSITIONAL]
    for regime in regimes:
        analyse(messages, regime)
    assert len(sent(messages)) == 1
    messages.clock.now = 600.0
    analyse(messages, Regime.CHOPPY)
    assert sent(messages)[1].endswith("\n(2 earlier messages held back: see the log)")


def test_an_hour_has_room_for_so_many_and_always_for_the_breaker():
    messages = make_teller(per_hour=2)
    for n in range(4):
        messages.refused(f"P{n}/USDT", "limits", "refused")
    messages.breaker("entries rest: 5 failures in a row")
    assert sent(messages) == [
        "P0/USDT: refused",
        "P1/USDT: refused",
        "entries rest: 5 failures in a row\n(2 earlier messages held back: see the log)",
    ]


# --- and never any harm -----------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["send_msg", "plan", "stored"])
def test_a_message_that_fails_stops_nothing(broken, caplog):
    def fail(*args):
        raise OSError("gone")

    messages, trade = make_teller(), make_trade()
    if broken == "send_msg":
        messages.connect(SimpleNamespace(send_msg=fail))
    elif broken == "plan":
        messages.desk.plan = fail
    else:
        trade = make_trade(stored=None)
    for state in (EVEN, TRAILING):
        messages.stop_stands(trade, state)
    assert caplog.text.count("a message could not be told (stop_stands)") == 1


def test_a_backtest_tells_nothing_and_stores_nothing(caplog):
    caplog.set_level(logging.INFO)
    messages, trade = make_teller(connected=False), make_trade()
    analyse(messages, Regime.CHOPPY)
    analyse(messages, Regime.STRONG_TREND)
    messages.sized(PAIR, "tag", SimpleNamespace(reason="stake"))
    messages.entered(trade)
    messages.stop_stands(trade, EVEN)
    messages.refused(PAIR, "limits", "refused")
    messages.breaker("entries rest")
    assert not caplog.records and not trade.writes
    messages.failed(PAIR, RiskError("no candle"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_hyperopt_may_pickle_it():
    messages = Messages(MessageSettings(), SimpleNamespace(), Clock())
    assert isinstance(pickle.loads(pickle.dumps(messages)), Messages)


def test_no_secret_leaves(caplog):
    caplog.set_level(logging.INFO)
    key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
    messages = make_teller(secrets=[key, "abc"])
    url = "https://api.binance.com/api/v3/account?timestamp=1&signature=c8db56825ae71d6d&recvWindow=5"
    telegram = "https://api.telegram.org/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage"
    messages.failed(PAIR, OSError(f"GET {url} {telegram} apiKey={key} {key} abc"))
    messages.breaker(f"{url} {key}")
    for text in (*sent(messages), caplog.text):
        assert HIDDEN in text and "recvWindow=5" in text
        assert not [secret for secret in (key, "c8db56825", "AAHdqTcv") if secret in text]
    assert "abc" in sent(messages)[0]  # too short to be told from a word


def test_marks_are_escaped_as_telegram_wants_them(teller):
    text = "strong_trend.pullback [a] 2*3 `x`"
    teller.breaker(text)
    assert teller.raw == [escape_markdown(text)]


def test_a_message_is_never_longer_than_telegram_takes(teller):
    teller.breaker("x" * 10_000)
    assert len(teller.raw[0]) <= 4096
