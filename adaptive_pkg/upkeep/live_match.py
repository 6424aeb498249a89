"""Check: did the bot do what the backtest of the same quarter did, and at what prices?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from adaptive_pkg.evaluation.strategy.bootstrap import estimate_by_block
from adaptive_pkg.evaluation.strategy.conditions import SLIPPAGE
from adaptive_pkg.policy.calibration import wilson_interval
from adaptive_pkg.upkeep.findings import Finding, FindingTable, Verdict, unmeasured
from adaptive_pkg.upkeep.quarter import Quarter

NAME = "live against backtest"
LEAST = 10  # trades of the bot, below which nothing is judged
AGREE = 0.5  # part of the bot's entries that the backtest should have too
DEARER = -2 * SLIPPAGE  # a mean difference of a trade's profit beyond the slippage that is reckoned with


def check_live(quarter: Quarter) -> Finding:
    """Trades opened in the quarter, matched by pair and candle of entry; profits of those that both have.

    The two differ by design where the account decides: free stake, portfolio limits, Kelly's record, halts,
    the market gate. A low share of common entries is a question, a worse price for the same trade an answer.

    Raises:
        DataError, SettingsError: the backtest cannot be run.
    """
    seen = quarter.seen
    own = seen.book.trades
    own = own[(own["open_date"] >= quarter.start) & (own["open_date"] < quarter.end)]
    if own.empty:
        return unmeasured(NAME, f"the bot opened no trade since {quarter.start:%Y-%m-%d}")
    # days on which the bot had been started already: a backtest trades the whole quarter
    first = own["open_date"].min().floor("D")
    theirs = quarter.trades
    theirs = theirs[theirs["open_date"] >= first]
    both = _matched(own, theirs, seen.candle)
    closed = both[both["close_profit"].notna()]
    share = len(both) / len(own)
    low, high = wilson_interval(len(both), len(own))
    done = own[own["close_profit"].notna()]
    rows = (
        ("opened by the bot", str(len(own)), *_profit(done["close_profit"])),
        ("opened by the backtest", str(len(theirs)), *_profit(theirs["profit_ratio"])),
        ("by both: the bot's", str(len(both)), *_profit(closed["close_profit"])),
        ("by both: the backtest's", str(len(both)), *_profit(closed["profit_ratio"])),
    )
    table = FindingTable(("trades", "number", "mean profit", "won"), rows)
    figures: dict[str, object] = {
        "since": first,
        "bot": len(own),
        "backtest": len(theirs),
        "both": len(both),
        "both_share_95": [low, high],
    }
    told = (
        f"since {first:%Y-%m-%d} {len(own)} trades opened, {len(both)} of them by the backtest in the same "
        f"candle ({share:.0%}, {low:.0%} to {high:.0%})"
    )
    if len(own) < LEAST:
        return Finding(NAME, Verdict.OK, f"{told}; too few to judge", "", figures, table)
    if len(closed) >= LEAST:
        gap = (closed["close_profit"] - closed["profit_ratio"]).to_numpy()
        days = closed["open_date"].dt.tz_localize(None).to_numpy().astype("datetime64[D]")
        mean = estimate_by_block(
            np.column_stack([np.ones(len(gap)), gap]), days, lambda sums: sums[..., 1] / sums[..., 0]
        )
        figures["bot_less_backtest"] = [mean.value, mean.low, mean.high]
        words = f"{100 * mean.value:+.2f} % a trade ({100 * mean.low:+.2f} to {100 * mean.high:+.2f})"
        told += f"; the bot's profit less the backtest's on the same trades {words}"
        if mean.high < DEARER:
            return Finding(
                NAME,
                Verdict.ACT,
                f"the bot does worse than its backtest on the same trades, {words}: {told}",
                "compare fills and fees with those of the backtest (`freqtrade show-trades`), and raise the "
                "slippage of your evaluations to what is paid; an edge smaller than that is none",
                figures,
                table,
            )
    if high < AGREE:
        return Finding(
            NAME,
            Verdict.LOOK,
            f"the bot takes other trades than its backtest: {told}",
            "see whether settings, pairs or release were changed within the quarter, whether the bot was "
            "down, and what refused its entries",
            figures,
            table,
        )
    return Finding(NAME, Verdict.OK, told, "", figures, table)


def _matched(own: pd.DataFrame, theirs: pd.DataFrame, candle: pd.Timedelta) -> pd.DataFrame:
    """Trades of both with the same pair, side and candle of entry."""
    left = own.assign(candle=own["open_date"].dt.floor(candle), short=own["is_short"].astype(bool))
    right = theirs.assign(candle=theirs["open_date"].dt.floor(candle), short=theirs["is_short"].astype(bool))
    right = right[["pair", "candle", "short", "profit_ratio"]]
    for frame in (left, right):
        frame["candle"] = frame["candle"].dt.as_unit("s")
    keys = ["pair", "candle", "short"]
    return left.drop_duplicates(keys).merge(right.drop_duplicates(keys), on=keys)


def _profit(ratio: pd.Series) -> tuple[str, str]:
    if not len(ratio):
        return "–", "–"
    return f"{100 * ratio.mean():+.2f} %", f"{(ratio > 0).mean():.0%}"
