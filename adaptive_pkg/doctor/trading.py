"""Trading: stops, stakes, pairs, candles, and the database real orders are kept in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from adaptive_pkg.doctor.facts import Facts, database_file, database_url
from adaptive_pkg.doctor.findings import Finding, block, error, has_freqai, is_live, note, warning
from adaptive_pkg.enums import Approach
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.market.timeframes import timeframe_hours
from adaptive_pkg.settings import APPROACHES, load_settings

STRATEGY_STOPLOSS = -0.20  # AdaptiveGRU's, where the config names none
STRATEGY_TIMEFRAME = "1h"
NO_STOP = -0.99  # freqtrade's users write this for "no stop"
MAX_EXPOSURE = 1.5  # equities that all positions together may cost before portfolio limits are missed
WHOLE_ACCOUNT = 0.9  # of equity in one position: nothing is left to be wrong with
DEFAULT_BUFFER = 0.05  # freqtrade's liquidation_buffer


def settings(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """The bundle's own block is read as the strategy reads it."""
    try:
        load_settings(config)
    except SettingsError as refusal:
        key, _, problem = str(refusal).partition(": ")
        yield error(key, None, problem, "correct it; `adaptive settings` lists every setting and its bounds")


def database(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """A live bot takes every open trade in its database for real, and sells what it does not own."""
    found, url = facts.database, database_url(config)
    file = database_file(url)
    shown = str(file) if file else url.partition(":")[0]
    fresh = "give real money a database of its own, such as --db-url sqlite:///tradesv3.live.sqlite"
    if not is_live(config):
        if found and found.real_orders:
            yield warning(
                "db_url", shown, f"{found.real_orders} real orders are in the database of a dry run", fresh
            )
        return
    if file and "dryrun" in file.name.replace("-", "").replace("_", "").lower():
        yield error("db_url", shown, "dry_run is false, and this is a dry run's database", fresh)
    elif found and found.dry_run_orders:
        yield error(
            "db_url",
            shown,
            f"holds {found.dry_run_orders} orders and {found.open_dry_run_trades} open trades of a dry run, "
            "which the bot would take for real",
            fresh,
        )
    if found and found.unreadable:
        yield warning(
            "db_url", shown, f"cannot be read: {found.unreadable}", "close what holds it, or repair it"
        )
    if file is None:
        remedy = "see for yourself that no dry run has used it" if "memory" not in url else fresh
        if url.startswith("sqlite"):
            yield error("db_url", "sqlite", "in memory: open trades are forgotten at a restart", fresh)
        else:
            yield note("db_url", shown, "a database server is not looked into", remedy)


def stops(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """Below every plan lies one stop that freqtrade keeps whatever happens."""
    if not is_live(config):
        return
    stoploss = config.get("stoploss", STRATEGY_STOPLOSS)
    remedy = f"remove it: the strategy's is {STRATEGY_STOPLOSS}"
    if isinstance(stoploss, (int, float)) and stoploss <= NO_STOP:
        yield error("stoploss", stoploss, "that is no stop at all", remedy)
    elif isinstance(stoploss, (int, float)) and stoploss < STRATEGY_STOPLOSS:
        yield error("stoploss", stoploss, "wider than the strategy's outer stop", remedy)
    if config.get("use_custom_stoploss") is False:
        yield error(
            "use_custom_stoploss",
            False,
            "switches every trade's own stop off: initial, breakeven and trailing",
            "remove it from the config",
        )
    if not block(config, "order_types").get("stoploss_on_exchange"):
        yield note(
            "order_types.stoploss_on_exchange",
            block(config, "order_types").get("stoploss_on_exchange"),
            "stops hold only while the bot runs and reaches the exchange",
            "set it to true in a complete order_types block, where the exchange offers stop orders",
        )


def state(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """A stopped bot does not watch its open trades: freqtrade starts stopped where nothing is said."""
    initial = config.get("initial_state")
    if is_live(config) and initial in (None, "", "stopped"):
        yield warning(
            "initial_state",
            initial,
            "after a crash and restart nobody watches the stops of open trades until somebody sends /start",
            'set it to "running", or to "paused" to manage open trades without new entries',
        )


def stakes(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """How much money a mistake can reach."""
    unlimited, slots = config.get("stake_amount") == "unlimited", _slots(config)
    ratio = config.get("tradable_balance_ratio", 0.99)
    if is_live(config) and unlimited:
        remedy = "set tradable_balance_ratio to 0.99 or less, or available_capital to what may be risked"
        if isinstance(ratio, (int, float)) and ratio >= 1.0 and not config.get("available_capital"):
            problem = "with an unlimited stake the whole account is traded, and nothing is left for fees"
            yield error("tradable_balance_ratio", ratio, problem, remedy)
        if slots == inf:
            yield error(
                "max_open_trades",
                config.get("max_open_trades"),
                "with an unlimited stake the first trades may take everything",
                "set max_open_trades, such as 5",
            )
    try:
        own = load_settings(config)
    except SettingsError:
        return
    largest = own.sizing.max_position_fraction
    if is_live(config) and unlimited and largest >= WHOLE_ACCOUNT:
        yield error(
            "adaptive.sizing.max_position_fraction",
            largest,
            "with an unlimited stake one trade may take the whole account",
            "lower it, such as to 0.3, or set stake_amount to a number",
        )
    exposure = slots * largest
    if exposure > MAX_EXPOSURE and not own.components.portfolio_limits:
        yield warning(
            "adaptive.components.portfolio_limits",
            False,
            f"{slots} open trades × adaptive.sizing.max_position_fraction {own.sizing.max_position_fraction} "
            f"may cost {exposure:g} times the equity, and nothing bounds their common loss",
            "switch portfolio_limits on, or lower one of the two",
        )


def timeouts(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """freqtrade has no default: an order without a timeout stays open for ever."""
    limits = block(config, "unfilledtimeout")
    for side in ("entry", "exit"):
        if not limits.get(side):
            yield warning(
                f"unfilledtimeout.{side}",
                limits.get(side),
                f"an {side} order that is not filled stays open for ever",
                f'set it, such as "unfilledtimeout": {{"{side}": 10, "unit": "minutes"}}',
            )


def futures(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """The leverage is chosen so that a trade's stop comes before its own liquidation."""
    if config.get("trading_mode", "spot") != "futures":
        return
    mode = config.get("margin_mode")
    if mode != "isolated":
        problem = "leverage and liquidation are computed for isolated margin; else one trade can take all"
        yield error("margin_mode", mode or None, problem, 'set margin_mode to "isolated"')
    buffer = config.get("liquidation_buffer")
    if buffer is None:
        remedy = f"write liquidation_buffer {DEFAULT_BUFFER}, so that it is chosen and not forgotten"
        yield note("liquidation_buffer", None, f"freqtrade takes its default, {DEFAULT_BUFFER}", remedy)
    elif isinstance(buffer, (int, float)) and buffer < DEFAULT_BUFFER:
        finding = error if is_live(config) and buffer <= 0 else warning
        problem = "freqtrade leaves a losing position only just before the exchange liquidates it"
        yield finding("liquidation_buffer", buffer, problem, f"set it to {DEFAULT_BUFFER} or more")


def timeframe(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """The strategy merges 4h and 1d trends into its own candles, which must be no longer."""
    own, longest = config.get("timeframe", STRATEGY_TIMEFRAME), HIGHER_TIMEFRAMES[0]
    remedy = f"use {longest} or shorter, such as {STRATEGY_TIMEFRAME}"
    try:
        too_long = timeframe_hours(str(own)) > timeframe_hours(longest)
    except SettingsError as refusal:
        yield error("timeframe", own, str(refusal).partition(": ")[2], remedy)
        return
    if too_long:
        yield error("timeframe", own, f"longer than the {longest} trend it has to hold", remedy)
    elif own != STRATEGY_TIMEFRAME and _holds_default_channels(config):
        days = max(APPROACHES[Approach.HOLD_TREND]["indicators"]["trend_lookbacks"]) / 24
        yield warning(
            "timeframe",
            own,
            f"approach hold_trend counts its channels in candles: {days:g} days on {STRATEGY_TIMEFRAME} only",
            "set adaptive.indicators.trend_lookbacks for it, and measure",
        )


def _holds_default_channels(config: Mapping[str, Any]) -> bool:
    try:
        found = load_settings(config)
    except SettingsError:
        return False
    usual = tuple(APPROACHES[Approach.HOLD_TREND]["indicators"]["trend_lookbacks"])
    return found.approach is Approach.HOLD_TREND and found.indicators.trend_lookbacks == usual


def pairs(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """Something to trade, and each coin once."""
    whitelist = block(config, "exchange").get("pair_whitelist") or []
    lists = config.get("pairlists") or [{"method": "StaticPairList"}]
    if not whitelist and any(entry.get("method") == "StaticPairList" for entry in lists):
        yield error(
            "exchange.pair_whitelist",
            whitelist or None,
            "empty, and StaticPairList takes its pairs from it",
            'name the pairs, such as "BTC/USDT"',
        )
    by_coin: dict[str, list[str]] = defaultdict(list)
    for pair in dict.fromkeys(whitelist):
        by_coin[pair.split("/")[0]].append(pair)
    for coin, same in by_coin.items():
        if len(same) > 1 and "*" not in coin:
            finding = error if has_freqai(config) else warning
            yield finding(
                "exchange.pair_whitelist",
                " ".join(same),
                f"share the base coin {coin}: one bet placed twice"
                + (
                    ", and FreqAI would overwrite one pair's models with the other's"
                    if finding is error
                    else ""
                ),
                "keep one of them, or run two bots with two identifiers",
            )


def new_candles(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """The rules read closed candles only."""
    if config.get("process_only_new_candles") is False:
        finding = error if has_freqai(config) else warning
        problem = (
            "FreqAI refuses it at the first candle"
            if has_freqai(config)
            else ("every pair is judged again each few seconds, though nothing has changed")
        )
        yield finding("process_only_new_candles", False, problem, "remove it from the config")


def _slots(config: Mapping[str, Any]) -> float:
    slots = config.get("max_open_trades", -1)
    return inf if not isinstance(slots, (int, float)) or slots < 0 else slots
