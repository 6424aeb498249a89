"""Outside data in the strategy: the mood of a store in the candles, and what it may do to an entry."""

from __future__ import annotations

import cloudpickle
import pandas as pd
import pytest

from adaptive_pkg.settings.schema import parse
from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.sources.columns import SOURCE_COLUMNS
from adaptive_pkg.sources.files import FileKind, import_file
from adaptive_pkg.store.observations import ObservationStore

PAIR = "BTC/USDT"


@pytest.fixture(scope="module")
def sources(market, tmp_path_factory):
    """Settings of a store that knows fear (0) and greed (100), ten days each in turn."""
    folder = tmp_path_factory.mktemp("sources")
    dates = market[PAIR]["date"]
    days = pd.date_range(dates.iloc[0].floor("D"), dates.iloc[-1], freq="D")
    # the first half only: of the second nothing is known
    rows = pd.DataFrame({"date": days, "value": [100 * (n // 10 % 2) for n in range(len(days))]})
    rows = rows.head(len(rows) // 2).assign(classification="")
    rows.to_csv(folder / "fng.csv", index=False)
    settings = {"enabled": True, "path": str(folder / "s.sqlite")}
    with ObservationStore(settings["path"]) as store:
        import_file(
            store,
            folder / "fng.csv",
            FileKind.FEAR_GREED,
            parse(SourcesSettings, settings, "adaptive.sources"),
        )
    return settings


def test_without_sources_the_candles_hold_no_outside_data(default_run):
    assert not default_run.strategy.settings.sources.enabled
    assert "sentiment" not in default_run.strategy.desk.candles.get(PAIR).row(0)


@pytest.fixture
def analysed(make_config, load_strategy, market, analyse, sources):
    def make(**adaptive):
        strategy = load_strategy(make_config({"adaptive": {"sources": sources} | adaptive}))
        strategy.ft_bot_start()
        try:
            return analyse(strategy, market[PAIR])
        finally:
            strategy.services.end()

    return make


def test_the_candles_hold_what_was_known_at_their_close_and_nothing_where_nothing_was(analysed):
    frame = analysed().set_index("date")
    assert set(SOURCE_COLUMNS) <= set(frame.columns)
    known = frame["sentiment_known"]
    half = len(frame) // 2
    assert known.iloc[100 : half - 100].all() and not known.iloc[half + 100 :].any()
    assert frame["sentiment"][known].abs().max() <= 1 and frame["sentiment"][known].nunique() > 1
    assert frame["sentiment"][~known].isna().all()


def test_a_mood_moves_the_score_only_with_an_effect_and_only_where_it_is_known(analysed):
    plain, moved = analysed(), analysed(confidence={"sentiment_effect": 1.0})
    both = plain["confidence"].notna()
    assert both.sum() > 50
    gap = (moved["confidence"] - plain["confidence"])[both]
    known = plain["sentiment_known"][both]
    assert (gap[known] != 0).all() and (gap[~known] == 0).all()
    assert (gap[known & (plain["sentiment"][both] > 0)] > 0).all()


def test_by_default_a_mood_changes_no_trade_and_with_an_effect_it_does(
    make_config, run_backtest, default_run, sources
):
    def decisions(**confidence):
        return run_backtest(
            make_config({"adaptive": {"sources": sources, "confidence": confidence}})
        ).decisions

    assert decisions() == default_run.decisions
    # its weight is a twentieth: with a larger one it is seen in a short span
    weights = {"sentiment": 0.25, "volume": 0.10}
    assert decisions(**weights, sentiment_effect=1.0) != decisions(**weights)


def test_what_lives_beside_the_strategy_can_be_sent_to_hyperopts_workers(
    make_config, load_strategy, sources, analyse, market
):
    strategy = load_strategy(make_config({"adaptive": {"sources": sources}}))
    strategy.ft_bot_start()
    analyse(strategy, market[PAIR].head(1_000))
    sent = cloudpickle.loads(cloudpickle.dumps(strategy.services))
    assert sent.outside_data(market[PAIR], PAIR) is market[PAIR]
    assert "sentiment" in strategy.services.outside_data(market[PAIR], PAIR)
    strategy.services.end()
