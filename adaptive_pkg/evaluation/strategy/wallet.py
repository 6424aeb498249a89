"""The account day by day, from what freqtrade noted of the wallet candle by candle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def daily_wallet(
    captures: Sequence[tuple], start: pd.Timestamp, end: pd.Timestamp, first: float, last: float
) -> pd.DataFrame:
    """Equity at each midnight, and mean exposure and open positions of the day before it.

    Args:
        captures: (time, currency, price, amount) of everything held, each candle; the stake currency, whose
            price is 1, comes first of its time. Positions are worth their candle's open.
        first, last: money before the first candle and after the last position is closed.

    Returns:
        index: midnights from start to end; columns as `JobResult.daily`.
    """
    index = pd.date_range(start, end, freq="D", name="date").as_unit("s")
    daily = pd.DataFrame({"equity": np.nan, "exposure": np.nan, "open_trades": np.nan}, index=index)
    if captures:
        times, currencies, prices, amounts = zip(*captures, strict=True)
        noted = pd.DataFrame(
            {
                "time": pd.DatetimeIndex(times).as_unit("s"),
                "value": np.asarray(prices, dtype=float) * np.asarray(amounts, dtype=float),
                "held": np.asarray(currencies) != currencies[0],
            }
        )
        noted["in_positions"] = noted["value"].where(noted["held"], 0.0)
        by_time = noted.groupby("time")[["value", "in_positions", "held"]].sum()
        daily["equity"] = by_time["value"].reindex(index)
        share = pd.DataFrame(
            {"exposure": by_time["in_positions"] / by_time["value"], "open_trades": by_time["held"]}
        )
        # a candle's state counts for the day that its midnight begins; it is told at the day's end
        means = share.groupby(share.index.floor("D")).mean()
        means.index = (means.index + pd.Timedelta(days=1)).as_unit("s")
        daily[["exposure", "open_trades"]] = means.reindex(index)
    daily.loc[index[0], "equity"], daily.loc[index[-1], "equity"] = first, last
    daily["equity"] = daily["equity"].ffill()
    return daily
