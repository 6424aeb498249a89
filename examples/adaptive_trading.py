"""Follow the strategy candle by candle: regime → preset → forecast → confidence → decision → size → stop.

    python examples/adaptive_trading.py [--approach by_regime|hold_trend] [--seed 6] [--out DIR]

A synthetic market and the very functions that the strategy calls; one pair, long only, one order a trade (no
ladder, no portfolio limits, no slippage). It tells what happens and draws a chart. Change SETTINGS and see.

by_regime trades each regime with a style of its own; hold_trend, the bundle's default, holds long trends in
all of them and lets the regime set the size.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from adaptive_pkg.adapter.forecast_columns import INTERVAL_RETURN, forecast_columns
from adaptive_pkg.enums import Approach, Regime
from adaptive_pkg.errors import AdaptiveError, DataError, RiskError
from adaptive_pkg.forecast import RETURN_SIGMA, GRUForecaster, TrainingSpan, future_return_sigma
from adaptive_pkg.market.closed_candles import PairCandles
from adaptive_pkg.market.features import forecast_features
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.higher_trend import add_higher_trends
from adaptive_pkg.policy.decision import regime_of_tag
from adaptive_pkg.policy.explanation import explain_entry
from adaptive_pkg.policy.judgement import judge
from adaptive_pkg.policy.signals import exit_signals
from adaptive_pkg.reports.chart import REGIME_COLORS, regime_bands
from adaptive_pkg.risk import (
    ClosedTrade,
    StopPlan,
    StopState,
    TradeLedger,
    advance,
    fill_price,
    initial_state,
)
from adaptive_pkg.risk.planner import CANDLE_COLUMNS, EntryPlanner
from adaptive_pkg.settings import AdaptiveSettings, ForecastSettings, load_settings
from adaptive_pkg.simulator.market import simulate_market

SETTINGS = {"profile": "conservative", "components": {"ladder": False}}  # what a config says as "adaptive"
NETWORK = ForecastSettings(window=48, units=(32,))
HORIZON = 24  # candles that a forecast looks ahead
HISTORY = 6_000  # candles to train on; those that are traded follow
START_EQUITY = 10_000.0
HOUR = pd.Timedelta(hours=1)


@dataclass
class Trade:
    tag: str
    plan: StopPlan  # fixed at the entry
    state: StopState  # moves with every candle
    amount: float
    stops: list[tuple[pd.Timestamp, float]]  # since when, price: for the chart
    exit: tuple[pd.Timestamp, float] | None = None


def tell(when: pd.Timestamp | None, words: str) -> None:
    print(f"{when:%m-%d %H:%M}  {words}" if when else f"{'':13}{words}")


def judged(candles: pd.DataFrame, settings: AdaptiveSettings) -> pd.DataFrame:
    """The candles with all that is thought of them: indicators, forecast, regime, confidence, decision.

    Every column of a candle knows only what had closed by then, so all candles may be judged at once.
    """
    frame = add_higher_trends(market_frame(candles, settings.indicators), settings.indicators)
    features, past = forecast_features(candles, settings.indicators), frame[:HISTORY]
    labels = pd.DataFrame({RETURN_SIGMA: future_return_sigma(past["close"], past["sigma"], HORIZON)})
    gru = GRUForecaster.fit(
        TrainingSpan.from_frames(features[:HISTORY], labels, past["date"], NETWORK, HORIZON), NETWORK
    )
    skill, kept = gru.validation.skills[0], gru.gains[0]
    print(f"A GRU has learned from the {HISTORY} candles before. On its validation rows its squared error is")
    print(f"{abs(skill):.1%} {'below' if skill > 0 else 'above'} a forecast of zero's;", end=" ")
    print(f"the skill gate passes {kept:.0%} of it on.\n")
    forecast = gru.predict(features, candles["date"])
    frame[RETURN_SIGMA], frame["do_predict"] = forecast.values[:, 0], forecast.valid.astype(int)
    frame[INTERVAL_RETURN] = gru.validation.half_widths[0]
    frame = frame.assign(**forecast_columns(frame, HORIZON, NETWORK.interval_coverage))
    judgement = judge(frame, settings, can_short=False, forecast_sigma=frame["forecast_strength"].to_numpy())
    exit_long, _ = exit_signals(frame, settings.approach)
    return frame.assign(**judgement.columns(), refusal=judgement.decisions.refusal, exit_long=exit_long)


def walk(frame: pd.DataFrame, settings: AdaptiveSettings) -> tuple[list[Trade], TradeLedger]:
    """Live through the candles one by one and tell what happens."""
    planner, ledger, trades = EntryPlanner(settings), TradeLedger(), []
    candles = PairCandles(frame, CANDLE_COLUMNS, timeframe_seconds=3600)
    trade: Trade | None = None
    known: int | None = None  # regime

    for at in range(HISTORY, len(frame)):
        signal, now = frame.iloc[at - 1], frame.iloc[at]

        # At the open: what the last close decided.
        if trade and signal["exit_long"]:
            leave(trade, now["date"], now["open"], "the trend has turned", ledger)
            trade = None
        if not trade and signal["enter_long"]:
            trade = enter(at, frame, candles, planner, ledger)
            trades += [trade] if trade else []

        # Within the candle: the stop before the target, for nobody knows which came first.
        if trade:
            stopped_at = fill_price(trade.plan, trade.state, now["open"], now["high"], now["low"])
            if stopped_at is not None:
                leave(trade, now["date"], stopped_at, f"{trade.state.stage} stop", ledger)
            elif trade.plan.target_reached(now["high"]):
                leave(trade, now["date"], trade.plan.target_price, "target", ledger)
            trade = None if trade.exit else trade

        # At the close: what has changed.
        closed = now["date"] + HOUR
        if now["regime"] != known:
            known = now["regime"]
            regime = Regime.from_code(known)
            preset = settings.preset(regime)
            tell(closed, f"REGIME {regime}: ADX {now['adx']:.0f}, ATR {now['atr_ratio']:.2f} × its mean")
            rules = f"{preset.style}, size × {preset.size_multiplier:g}, stop {preset.stop_atr:g} ATR"
            tell(None, f"its preset: {rules}, confidence from {preset.confidence_threshold:.2f}")
        if now["refusal"] and now["refusal"] != signal["refusal"] and not trade:
            tell(closed, f"candidate refused, confidence {now['confidence']:.2f}: {now['refusal']}")
        if trade:
            state = advance(trade.plan, trade.state, now["close"], now["atr"])
            if state.stop != trade.state.stop:
                tell(closed, f"stop {trade.state.stop:,.0f} → {state.stop:,.0f} ({state.stage})")
                trade.stops.append((closed, state.stop))
            trade.state = state

    if trade:
        leave(trade, closed, now["close"], "the candles end here", ledger)
    ledger.advance_to(closed + HOUR)
    return trades, ledger


def enter(
    at: int, frame: pd.DataFrame, candles: PairCandles, planner: EntryPlanner, ledger: TradeLedger
) -> Trade | None:
    """Plan the stop, size by it, buy at the open of candle `at`; None: refused."""
    tag, when, price = frame["enter_tag"].iloc[at - 1], frame["date"].iloc[at], frame["open"].iloc[at]
    ledger.advance_to(when)  # sizing may know the trades that closed before now, and no more
    equity, regime = START_EQUITY + ledger.profit, regime_of_tag(tag)
    try:
        plan = planner.stop(candles, when, side="long", price=price, regime=regime)
        size = planner.size(plan, candles, when, regime=regime, equity=equity, ledger=ledger,
                            leverage=1.0, min_stake=10.0, max_stake=equity)  # fmt: skip
    except RiskError as error:
        return tell(when, f"{tag} refused: {error}")
    if not size.first_stake:
        return tell(when, f"{tag} refused: {size.reason}")
    target = f"target {plan.target_price:,.0f}" if plan.target else "no target"
    tell(when, f"ENTRY at {price:,.0f}, stop {plan.initial_stop:,.0f}, {target}")
    tell(None, f"forecast: {frame['forecast_sigma'].iloc[at - 1]:+.2f} σ over {HORIZON} candles")
    tell(None, f"why:  {explain_entry(frame.iloc[[at - 1]], tag, 1, planner.settings).text}")
    tell(None, f"size: {size.reason}")
    return Trade(tag, plan, initial_state(plan), size.first_stake / price, [(when, plan.initial_stop)])


def leave(trade: Trade, when: pd.Timestamp, price: float, reason: str, ledger: TradeLedger) -> None:
    plan, opened = trade.plan, trade.stops[0][0]
    profit = trade.amount * (price * (1 - plan.fee) - plan.entry_price * (1 + plan.fee))
    r = plan.r_multiple(profit, notional=trade.amount * plan.entry_price)
    trade.exit = (when, price)
    trade.stops.append((when, trade.state.stop))
    ledger.record(ClosedTrade(str(opened), when, regime_of_tag(trade.tag), r, profit))
    tell(when, f"EXIT at {price:,.0f}, {reason}: {r:+.2f} R, {profit:+,.2f}")


def draw(frame: pd.DataFrame, trades: list[Trade], path: Path) -> None:
    """One page with everything in it: regimes as bands, entries, exits, and the stop of each trade."""
    prices = {name: frame[name] for name in ("open", "high", "low", "close")}
    chart = go.Figure(go.Candlestick(x=frame["date"], name="price", **prices))
    for band in regime_bands(frame):
        chart.add_shape(
            type="rect", x0=band["start"], x1=band["end"], yref="paper", y0=0, y1=1,
            fillcolor=band["color"], line_width=0, layer="below",
        )  # fmt: skip
    for regime, colour in REGIME_COLORS.items():  # the legend of the bands
        square = {"symbol": "square", "size": 14, "color": colour}
        chart.add_scatter(x=[None], y=[None], mode="markers", marker=square, name=str(regime))
    gap = [(None, None)]  # between one trade's stop line and the next one's
    times, stops = zip(*[point for trade in trades for point in [*trade.stops, *gap]] or gap, strict=True)
    chart.add_scatter(x=times, y=stops, name="stop", line={"shape": "hv", "color": "#cf222e"})
    for name, symbol, points in (
        ("entry", "triangle-up", [(trade.stops[0][0], trade.plan.entry_price) for trade in trades]),
        ("exit", "x", [trade.exit for trade in trades]),
    ):
        times, at = zip(*points or gap, strict=True)
        marker = {"symbol": symbol, "size": 12, "color": "#0969da"}
        chart.add_scatter(x=times, y=at, mode="markers", marker=marker, name=name)
    chart.update_layout(template="plotly_white", height=720, xaxis_rangeslider_visible=False)
    # plotly.js goes into the file: it opens without internet
    chart.write_html(path, include_plotlyjs=True, div_id="chart", config={"plotlyServerURL": ""})


def run(args: argparse.Namespace) -> None:
    if args.candles < 48:
        raise DataError(f"--candles {args.candles}: too few to trade on; give at least 48")
    args.out.mkdir(parents=True, exist_ok=True)
    settings = load_settings({"adaptive": {"approach": args.approach, **SETTINGS}})
    market = simulate_market("BTC/USDT", HISTORY + args.candles, args.seed)
    frame = judged(market.drop(columns="regime"), settings)
    trades, ledger = walk(frame, settings)

    lived = frame[HISTORY:].reset_index(drop=True)
    true = market["regime"][HISTORY:].map(lambda name: Regime(name).code).to_numpy()
    seen, commonest = np.mean(lived["regime"] == true), np.bincount(true).max() / len(true)
    print(
        f"\nThe detector named the true regime at {seen:.0%} of the candles, always naming the commonest one"
    )
    print(f"would have at {commonest:.0%}: it looks back, and", end=" ")
    print(f"a change must hold for {settings.regime.min_dwell_candles} candles to be believed.")
    record = ledger.pooled
    error = np.nan  # of the mean, with trades taken as independent; one trade tells nothing about it
    if record.n > 1:
        error = 1.96 * ((record.square_sum / record.n - record.mean**2) / (record.n - 1)) ** 0.5
    held = lived["close"].iloc[-1] / lived["open"].iloc[0] - 1
    print(f"{record.n} trades, mean {record.mean:+.2f} ± {error:.2f} R (95%):", end=" ")
    print(f"{ledger.profit / START_EQUITY:+.2%} of the account; holding the coin: {held:+.2%}.")
    print("A few trades on an invented market prove nothing: `adaptive evaluate strategy` asks real candles.")
    chart = args.out / "adaptive_trading.html"
    draw(lived, trades, chart)
    print(f"chart: {chart}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--approach", choices=list(map(str, Approach)), default="by_regime", help="presets")
    parser.add_argument("--candles", type=int, default=600, help="hours to trade, after those to learn from")
    parser.add_argument("--seed", type=int, default=6, choices=range(1_000), metavar="N", help="0 to 999")
    parser.add_argument("--out", type=Path, default=Path("example-output"), help="folder for the chart")
    try:
        run(parser.parse_args())
    except (AdaptiveError, FileExistsError, NotADirectoryError, PermissionError) as error:
        parser.error(str(error))
