"""The documented columns, made of histories. Pure: histories in, histories out.

A derived value is known when the last of what it is made of was known. It is made of what each figure was
when it first came out; later corrections are left aside, so that what was once computed stays.

| column | is |
|---|---|
| mvrv | market value over realised value |
| net_inflow | (exchange inflow − outflow) of the day ÷ supply |
| active_addresses_change | log of active addresses over those 7 days before |
| funding_z | funding rate in standard deviations from its mean of the last 90 settlements (30 days) |
| open_interest_change | log of open interest over that 24 hours before |
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from adaptive_pkg.store.as_of import check_history

FUNDING_WINDOW, FUNDING_LEAST = 90, 30


def first_releases(history: pd.DataFrame) -> pd.DataFrame:
    """Each period's value as it first came out, ordered by period."""
    first = check_history(history).drop_duplicates("about", keep="first")
    return first.sort_values("about", ignore_index=True)


def in_order(history: pd.DataFrame) -> pd.DataFrame:
    """First releases without those that came out after a newer period's: what a running window has seen."""
    first = check_history(history).drop_duplicates("about", keep="first")
    newest = first["about"].cummax().shift(fill_value=np.iinfo(np.int64).min)
    return first[first["about"] > newest].reset_index(drop=True)


def log_change(history: pd.DataFrame, span: timedelta) -> pd.DataFrame:
    """History of log(value ÷ value exactly `span` before); periods without both, or not above 0, are out."""
    first = first_releases(history)
    earlier = first.assign(about=first["about"] + span // timedelta(milliseconds=1))
    both = first.merge(earlier, on="about", suffixes=("", "_before"))
    both = both[(both["value"] > 0) & (both["value_before"] > 0)]
    return _history(
        both["about"],
        np.maximum(both["known"], both["known_before"]),
        np.log(both["value"] / both["value_before"]),
    )


def net_inflow(inflow: pd.DataFrame, outflow: pd.DataFrame, supply: pd.DataFrame) -> pd.DataFrame:
    """History of the part of all coins that moved to exchanges, less what left them."""
    both = first_releases(inflow).merge(first_releases(outflow), on="about", suffixes=("_in", "_out"))
    every = both.merge(first_releases(supply), on="about")
    every = every[every["value"] > 0]
    known = every[["known_in", "known_out", "known"]].max(axis=1)
    return _history(every["about"], known, (every["value_in"] - every["value_out"]) / every["value"])


def funding_z(
    history: pd.DataFrame, window: int = FUNDING_WINDOW, least: int = FUNDING_LEAST
) -> pd.DataFrame:
    """History of the rate's z-score over the last `window` settlements known by then, itself included.

    None with fewer than `least` settlements, or where the rate has not moved.
    """
    first = in_order(history)
    rolling = first["value"].rolling(window, min_periods=least)
    spread = rolling.std()
    # a rate that stands still leaves rounding noise: no spread to speak of
    score = (first["value"] - rolling.mean()) / spread.where(spread > 1e-9)
    there = score.notna()
    return _history(first["about"][there], first["known"][there], score[there])


def _history(about: pd.Series, known: pd.Series, value: pd.Series) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"about": about.astype("int64"), "known": known.astype("int64"), "value": value.astype(float)}
    )
    return check_history(frame.reset_index(drop=True))
