"""How much to stake and where to get out, in six parts. Every number is worked out by adaptive_pkg.

    python examples/risk_management.py [--profile conservative|moderate|aggressive] [--seed 1] [--out DIR]

Paths and records are invented so that everything happens; change them. R is a trade's profit in units of what
its stop would have cost: −1 R is a stop filled as planned.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Profile, Regime, ThresholdSet
from adaptive_pkg.errors import AdaptiveError
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.risk import (
    ClosedTrade,
    SizeDecision,
    StopPlan,
    TradeLedger,
    advance,
    drawdown_multiplier,
    estimate,
    fill_price,
    initial_state,
    is_passed,
    kelly_fraction,
    plan_stop,
    size_position,
    volatility_multiple,
)
from adaptive_pkg.risk.ladder import FilledOrder, LadderState, StepKind, next_step, plan_ladder, rebase
from adaptive_pkg.settings import AdaptiveSettings, load_settings
from adaptive_pkg.simulator.market import simulate_market

EQUITY = 10_000.0
HOUR = 3_600 * 10**9  # nanoseconds


def kelly(settings: AdaptiveSettings, rng: np.random.Generator) -> None:
    print("1. KELLY: the fraction of the account to lose at the stop")
    full = kelly_fraction(p=0.55, b=2.0)
    print(f"   55% wins of 2 R: full Kelly {full:.2%}, a quarter of it {full / 4:.3%} (often quoted as 2.5%)")
    for p in (0.45, 0.34, 0.30):
        fraction = kelly_fraction(p, b=2.0)
        print(f"   {p:.0%} wins of 2 R: {fraction:+.2%}{'' if fraction > 0 else ' → do not bet'}")
    print("   With the true odds unknown, from a record (mean R ± standard error):")
    for name, p in (("an edge, 45%", 0.45), ("no edge, 33%", 1 / 3)):
        results = np.where(rng.random(1_000) < p, 2.0, -1.0)
        for n in (10, 100, 1_000):
            ledger = ledger_of({Regime.STRONG_TREND: results[:n]})
            known = estimate(ledger, Regime.STRONG_TREND, settings.kelly)
            figures = f"{known.mean_r:+.2f} ± {known.standard_error:.2f} R"
            shown = figures if n >= settings.kelly.min_trades else "too few to tell"
            print(f"   {name} {n:5} trades: {shown:15} → {known.fraction:.2%} at risk")
    known = estimate(ledger_of({Regime.CHOPPY: np.full(100, -1.0)}), Regime.CHOPPY, settings.kelly)
    print(f"   100 losses in a row → {known.fraction:.2%} at risk ({known.reason})")


def kelly_by_regime(settings: AdaptiveSettings, rng: np.random.Generator) -> None:
    print("\n2. KELLY BY REGIME: a regime's few trades lean on all trades")
    chance_of_2r = dict(zip(Regime, (0.48, 0.38, 0.42, 0.28, 0.34), strict=True))
    results = {regime: np.where(rng.random(60) < p, 2.0, -1.0) for regime, p in chance_of_2r.items()}
    ledger = ledger_of(results)
    quarter = settings.kelly.fraction
    print(f"   mean R of 60 trades each; 'alone' is {quarter:g} of Kelly on a regime's own 60 trades")
    print("   regime           true R   own R  blended   alone  at risk  × preset")
    for regime, own in results.items():
        true, known = 3 * chance_of_2r[regime] - 1, estimate(ledger, regime, settings.kelly)
        alone = quarter * max(kelly_fraction((own > 0).mean(), 2.0), 0.0)
        final = known.fraction * settings.preset(regime).size_multiplier
        print(f"   {regime:15} {true:+7.2f} {own.mean():+7.2f} {known.mean_r:+8.2f}", end="")
        print(f" {alone:7.2%} {known.fraction:8.2%} {final:9.2%}")


def stops(settings: AdaptiveSettings, seed: int) -> None:
    print("\n3. STOPS IN LOW AND HIGH VOLATILITY: the wilder, the farther, within the profile's limits")
    nearest, farthest = settings.stops.min_fraction, settings.stops.max_fraction
    largest, lost = settings.sizing.max_position_fraction, settings.kelly.start_fraction
    print(f"   meant to be lost at the stop: {lost:.0%} of the account.", end=" ")
    print(f"Limits: stop {nearest:.1%} to {farthest:.1%} away, position {largest:.0%}")
    frame = market_frame(simulate_market("BTC/USDT", 5_000, seed), settings.indicators)
    by_volatility = frame["atr_ratio"].dropna().sort_values().index
    in_atr: dict[str, float] = {}
    for name, part in (("calm", 0.02), ("usual", 0.5), ("wild", 0.98)):
        candle = frame.loc[by_volatility[int(part * len(by_volatility))]]
        print(f"   {name}: ATR {candle['atr_pct']:.2f}% of the price, {candle['atr_ratio']:.2f} × its mean")
        for regime in (Regime.TIGHT_RANGE, Regime.STRONG_TREND, Regime.VOLATILE_TREND):
            plan = plan_stop(
                "long", candle["close"], candle["atr"], candle["atr_pct"], candle["atr_ratio"],
                settings.preset(regime), settings.stops, settings.components, settings.sizing.fee,
            )  # fmt: skip
            size = sized(settings, plan.loss_fraction)
            in_atr[name] = 100 * plan.stop_fraction / candle["atr_pct"]
            limit = f"; limited by {size.capped_by}" if size.capped_by else ""
            print(f"     {regime:15} stop {plan.stop_fraction:.2%} = {in_atr[name]:.1f} ATR away, position "
                  f"{size.notional:5,.0f}, loses {size.risk_fraction:.2%}{limit}")  # fmt: skip
    calm, wild = in_atr["calm"], in_atr["wild"]
    print(f"   in a volatile trend {calm:.1f} ATR when calm, {wild:.1f} when wild:", end=" ")
    print("wider, as the formula means it" if wild > calm else "the farthest stop overrules the formula")
    for atr_pct in (1.49, 1.51):
        multiple = volatility_multiple(ThresholdSet.ABSOLUTE, atr_pct, atr_ratio=1.0)
        print(f"   without limits, no jump anywhere: ATR {atr_pct}% → stop {multiple * atr_pct:.3f}%")


def trailing(settings: AdaptiveSettings) -> pd.DataFrame:
    print("\n4. TRAILING: the stop moves with the closes, one way only (the target is left aside here)")
    plan = plan_at_100(settings, Regime.STRONG_TREND, atr=0.8)
    state, rows = initial_state(plan), []
    for close in (100.6, 101.1, 101.7, 101.2, 102.6, 103.4, 102.9, 104.5, 105.2, 104.4, 103.9):
        if is_passed(plan, state, close):
            print(f"   close {close:6.1f} is beyond the stop: out at {state.stop:.2f}")
            break
        state = advance(plan, state, close, atr=0.8)
        profit = state.stop / 100 - 1 - plan.fee * (1 + state.stop / 100)  # of the position, if it fills
        kept = round(plan.r_multiple(profit, notional=1.0), 6) + 0.0
        rows.append({"close": close, "stage": str(state.stage), "stop": state.stop, "kept_r": kept})
        print(f"   close {close:6.1f}   {state.stage:10} stop {state.stop:6.2f}, filled there {kept:+.2f} R")
    blind = advance(plan, state, close, atr=float("nan"))
    print(f"   without an ATR it stays at {blind.stop:.2f}; highs and lows never move it")
    return pd.DataFrame(rows)


def whole_life(settings: AdaptiveSettings) -> None:
    print("\n5. ONE TRADE'S WHOLE LIFE: entry, a rung below it, breakeven, a part sold, trailing, out")
    regime = Regime.VOLATILE_TREND
    plan = plan_at_100(settings, regime, atr=1.0)
    ladder = plan_ladder(plan, settings.preset(regime), settings.ladder, settings.components)
    size = sized(settings, ladder.loss_fraction, size_multiplier=settings.preset(regime).size_multiplier)
    ladder = ladder.with_stake(size.stake)
    print(f"   {size.reason}")
    amount = ladder.first_stake / plan.entry_price
    orders = [FilledOrder(True, None, plan.entry_price, amount, ladder.first_stake)]
    print(
        f"   buy {amount:.3f} at 100.00; stop {plan.initial_stop:.2f}, target {plan.target_price:.2f}", end=""
    )
    print("".join(f", rung {number} at {price:.2f}" for number, price in enumerate(ladder.rungs, start=1)))
    print(f"   all of it bought, the stop costs {ladder.risk_money():.2f}: that is 1 R")
    state, last = initial_state(plan), plan.entry_price
    for close in (99.2, 98.2, 99.6, 100.9, 101.5, 102.2, 102.9, 102.4, 101.0):
        held = LadderState.from_orders(orders)
        amount = sum(part.amount for part in held.holdings)
        filled = fill_price(plan, state, last, high=max(last, close), low=min(last, close))
        if filled is not None:
            orders.append(FilledOrder(False, "stop", filled, amount, amount * filled))
            break
        before, state, last = state.stop, advance(plan, state, close, atr=1.0), close
        if state.stop != before:
            print(f"   close {close:.2f}: stop {before:.2f} → {state.stop:.2f} ({state.stage})")
        step = next_step(ladder, held, close=close, stage=state.stage, may_add=True, available=EQUITY,
                         min_stake=10.0, amount=amount)  # fmt: skip
        if step.kind is StepKind.ADD:
            orders.append(FilledOrder(True, step.tag, close, step.stake / close, step.stake))
            plan = rebase(plan, sum(o.stake for o in orders) / sum(o.amount for o in orders))
            state = initial_state(plan)
            print(f"   close {close:.2f}: buy {step.tag}; average entry {plan.entry_price:.2f}, same stop")
        elif step.kind is StepKind.REDUCE:
            orders.append(FilledOrder(False, step.tag, close, step.part * amount, step.part * amount * close))
            print(f"   close {close:.2f}: sell {step.part:.0%} ({step.tag})")
    done = LadderState.from_orders(orders)
    profit = done.price_move - plan.fee * done.closed_value
    print(f"   close {close:.2f}: the {state.stage} stop filled at {filled:.2f}:", end=" ")
    print(f"{profit:+.2f} after fees, {profit / ladder.risk_money():+.2f} R into the record")


def drawdown(settings: AdaptiveSettings) -> pd.DataFrame:
    print("\n6. DRAWDOWN: the deeper the account is under its peak, the smaller the next trade")
    rows = []
    for fall in (0.0, 0.01, 0.05, 0.10, 0.149, 0.151, 0.20, 0.30):
        multiplier = drawdown_multiplier(fall, settings.kelly)
        size = sized(settings, loss_fraction=0.04, drawdown_multiplier=multiplier)
        rows.append({"drawdown": fall, "multiplier": multiplier, "stake": size.stake})
        lost = size.risk_fraction
        print(
            f"   {fall:6.1%} down: × {multiplier:.3f}, stake {size.stake:8,.2f}, {lost:.2%} lost at the stop"
        )
    print("   25 losses of 1 R, then 25 wins of 1 R:")
    for name, throttle in (("with", True), ("without", False)):
        components = replace(settings.components, drawdown_throttle=throttle)
        ledger, equity, lowest = TradeLedger(), EQUITY, EQUITY
        for number, r in enumerate([-1.0] * 25 + [1.0] * 25):
            multiplier = drawdown_multiplier(ledger.drawdown(equity), settings.kelly, components)
            profit = r * equity * settings.kelly.start_fraction * multiplier
            ledger.add(ClosedTrade(number, number * HOUR, Regime.CHOPPY, r, profit))
            equity += profit
            lowest = min(lowest, equity)
        low, end = lowest / EQUITY - 1, equity / EQUITY - 1
        print(f"   {name:7} the throttle: lowest {low:+.1%}, in the end {end:+.1%}")
    print("   A smaller fall, and a slower way back: insurance has its price.")
    return pd.DataFrame(rows)


def plan_at_100(settings: AdaptiveSettings, regime: Regime, atr: float) -> StopPlan:
    """A long at 100 in usual volatility, so that prices read as percent."""
    return plan_stop(
        "long", 100.0, atr, atr_pct=atr, atr_ratio=1.0, preset=settings.preset(regime),
        settings=settings.stops, components=settings.components, fee=settings.sizing.fee,
    )  # fmt: skip


def sized(settings: AdaptiveSettings, loss_fraction: float, **multipliers: float) -> SizeDecision:
    """The position of an account of EQUITY that has no record yet."""
    return size_position(
        equity=EQUITY, loss_fraction=loss_fraction, fraction=settings.kelly.start_fraction,
        cap=settings.kelly.cap, settings=settings.sizing, **multipliers,
    )  # fmt: skip


def ledger_of(results: dict[Regime, np.ndarray]) -> TradeLedger:
    """A record of closed trades, one an hour, from their R."""
    ledger = TradeLedger()
    for regime, rs in results.items():
        for r in rs:
            ledger.add(ClosedTrade(len(ledger), len(ledger) * HOUR, regime, float(r), 100.0 * float(r)))
    return ledger


def run(args: argparse.Namespace) -> None:
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    # by_regime: the presets with stops, ladders and targets of their own. The default, hold_trend, holds with
    # one wide stop (8 ATR) and neither target nor ladder; sizes, regimes and drawdown work the same.
    settings = load_settings({"adaptive": {"approach": "by_regime", "profile": args.profile}})
    rng = np.random.default_rng(args.seed)
    kelly(settings, rng)
    kelly_by_regime(settings, rng)
    stops(settings, args.seed)
    tables = {"trailing": trailing(settings)}
    whole_life(settings)
    tables["drawdown"] = drawdown(settings)
    if args.out is not None:
        for name, table in tables.items():
            table.to_csv(args.out / f"{name}.csv", index=False)
        print(f"\nwritten: {', '.join(f'{name}.csv' for name in tables)} in {args.out}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", choices=list(map(str, Profile)), default="conservative", help="of risk")
    parser.add_argument("--seed", type=int, default=1, choices=range(1_000), metavar="N", help="0 to 999")
    parser.add_argument("--out", type=Path, help="folder for the tables of parts 4 and 6 as CSV")
    try:
        run(parser.parse_args())
    except (AdaptiveError, FileExistsError, NotADirectoryError, PermissionError) as error:
        parser.error(str(error))
