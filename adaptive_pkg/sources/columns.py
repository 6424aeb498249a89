"""Slow outside data as columns of a frame of candles: the same code in backtest and live.

| column | is | from |
|---|---|---|
| fear_greed, reddit, x | moods from −1 to 1 | their series |
| sentiment | weighted mean of those that are there | `sentiment.composite` |
| mvrv, net_inflow, active_addresses_change, funding_z, open_interest_change | see `onchain.derived` | |

Each has a second column `<name>_known`; where that is False the value is NaN: treat it as neutral.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd

from adaptive_pkg.onchain.coin_metrics import coin_metrics_spec
from adaptive_pkg.onchain.derived import funding_z, log_change, net_inflow
from adaptive_pkg.onchain.futures import funding_spec, interest_spec
from adaptive_pkg.sentiment.composite import composite, index_mood
from adaptive_pkg.sentiment.fear_greed import fear_greed_spec
from adaptive_pkg.sentiment.reddit import reddit_spec
from adaptive_pkg.sentiment.x import x_spec
from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.store.as_of import KNOWN_SUFFIX, Column, add_columns

MOODS = ("x", "reddit", "fear_greed")
SENTIMENT = "sentiment"
ONCHAIN_COLUMNS = ("mvrv", "net_inflow", "active_addresses_change")
FUTURES_COLUMNS = ("funding_z", "open_interest_change")
SOURCE_COLUMNS = (*MOODS, SENTIMENT, *ONCHAIN_COLUMNS, *FUTURES_COLUMNS)

History = Callable[[str], pd.DataFrame]


def source_columns(coin: str, history: History, settings: SourcesSettings) -> dict[str, Column]:
    """The columns of one coin, not yet laid on candles; without `sentiment`.

    Args:
        coin: such as BTC. history: of a series, empty for an unknown one (`ObservationStore.history`).
    """
    index = history("fear_greed")
    moods = {
        "x": Column(history(f"x/{coin}"), x_spec(coin, settings.x).max_age),
        "reddit": Column(history(f"reddit/{coin}"), reddit_spec(coin, settings.reddit).max_age),
        "fear_greed": Column(
            index.assign(value=index_mood(index["value"])), fear_greed_spec(settings.fear_greed).max_age
        ),
    }
    day_age = coin_metrics_spec("mvrv", coin, settings.coin_metrics).max_age
    flow = net_inflow(
        history(f"exchange_inflow/{coin}"),
        history(f"exchange_outflow/{coin}"),
        history(f"supply/{coin}"),
    )
    addresses = log_change(history(f"active_addresses/{coin}"), timedelta(days=7))
    interest = log_change(history(f"open_interest/{coin}"), timedelta(days=1))
    return {
        **moods,
        "mvrv": Column(history(f"mvrv/{coin}"), day_age),
        "net_inflow": Column(flow, day_age),
        "active_addresses_change": Column(addresses, day_age),
        "funding_z": Column(
            funding_z(history(f"funding/{coin}")), funding_spec(coin, settings.futures).max_age
        ),
        "open_interest_change": Column(interest, interest_spec(coin, settings.futures).max_age),
    }


def add_source_columns(
    candles: pd.DataFrame, coin: str, history: History, settings: SourcesSettings, timeframe_seconds: int
) -> pd.DataFrame:
    """Candles with every column of `SOURCE_COLUMNS` and its `_known`, as of each candle's close.

    With `settings.enabled` off all of them are NaN and False: the same columns, all neutral.
    """
    if not settings.enabled:
        nothing = dict.fromkeys(SOURCE_COLUMNS, np.nan)
        return candles.assign(**nothing, **{name + KNOWN_SUFFIX: False for name in SOURCE_COLUMNS})
    frame = add_columns(candles, source_columns(coin, history, settings), timeframe_seconds)
    mood = composite({name: frame[name] for name in MOODS}, settings.composite)
    return frame.assign(**{SENTIMENT: mood, SENTIMENT + KNOWN_SUFFIX: ~np.isnan(mood)})
