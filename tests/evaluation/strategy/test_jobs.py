"""A backtest of the laboratory: freqtrade's own, described by plain values that say what it follows from."""

import json
import os
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy import backtester
from adaptive_pkg.evaluation.strategy.backtester import run_job
from adaptive_pkg.evaluation.strategy.conditions import SAMPLE, STRATEGY
from adaptive_pkg.evaluation.strategy.jobs import JobResult, StrategyJob
from adaptive_pkg.evaluation.strategy.wallet import daily_wallet
from adaptive_pkg.forecast.fingerprint import FINGERPRINT_FILE
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.simulator.candles import write_candles

DAY = pd.Timedelta(days=1)


def at(text):
    return pd.Timestamp(text, tz="UTC")


# --- what a job is ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"pairs": ()}, "pairs: none"),
        ({"pairs": ("BTC/USDT", "BTC/USDT")}, "each once"),
        ({"start": pd.Timestamp("2023-02-06")}, "start"),
        ({"end": at("2023-03-01 05:00")}, "midnight"),
        ({"end": at("2023-02-06")}, "not after start"),
        ({"strategy": "MyBot"}, "MyBot"),
        ({"cost_multiple": -1.0}, "cost_multiple"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(job, change, word):
    with pytest.raises(SettingsError, match=word):
        job(**change)


def test_the_key_follows_everything_that_decides_the_result(lab, read_lab, lab_config, job):
    first = job().key(lab)
    others = [
        job({"components": {"kelly": False}}).key(lab),
        job(cost_multiple=2.0).key(lab),
        job(end=at("2023-04-09")).key(lab),
        job(pairs=("BTC/USDT",)).key(lab),
        job(strategy=SAMPLE).key(lab),
        job().key(read_lab({**lab_config, "max_open_trades": 3})),
        job().key(read_lab({**lab_config, "adaptive": {"profile": "moderate"}})),
        job().key(read_lab(fee=0.002)),
        job().key(replace(lab, sources={**lab.sources, STRATEGY: lab.sources[STRATEGY] + "\n# changed"})),
    ]
    assert len({first, *others}) == 1 + len(others)
    assert job().key(read_lab()) == first


def test_the_key_ignores_what_decides_nothing(lab, read_lab, lab_config, job):
    quiet = deepcopy(lab_config)
    quiet["telegram"] = {"enabled": True, "token": "t", "chat_id": "1"}
    quiet["exchange"] |= {"key": "k", "secret": "s"}
    quiet["bot_name"] = "another"
    conditions = read_lab(quiet)
    assert job().key(conditions) == job().key(lab)
    assert "secret" not in json.dumps(conditions.config)


def test_new_candles_after_the_span_leave_the_key_alone_and_changed_ones_in_it_do_not(
    read_lab, lab_market, job, tmp_path
):
    def key(name, market):
        write_candles(market, tmp_path / name, "1h", also=HIGHER_TIMEFRAMES)
        found = read_lab(datadir=tmp_path / name)
        return job(end=at("2023-04-01")).inputs(found)["candles"]

    whole = key("whole", lab_market)
    shorter = {pair: frame[frame["date"] < at("2023-04-08")] for pair, frame in lab_market.items()}
    assert key("shorter", shorter) == whole
    touched = {pair: frame.copy() for pair, frame in lab_market.items()}
    touched["BTC/USDT"].loc[1500, "volume"] *= 1.001
    changed = key("touched", touched)
    assert changed["BTC/USDT"] != whole["BTC/USDT"]
    assert changed["SOL/USDT"] == whole["SOL/USDT"]


def test_a_result_survives_a_file_bit_for_bit(default_result):
    again = JobResult.from_dict(json.loads(json.dumps(default_result.to_dict())))
    assert again.digest == default_result.digest
    pd.testing.assert_frame_equal(again.trades, default_result.trades, check_exact=True)
    pd.testing.assert_frame_equal(again.daily, default_result.daily, check_exact=True, check_freq=False)


def test_what_is_no_result_is_refused():
    with pytest.raises(DataError, match="make it again"):
        JobResult.from_dict({"trades": {}})


# --- what a backtest leaves behind -------------------------------------------------------------------


def test_it_is_freqtrades_own_backtest(lab, job, default_result, tmp_path):
    """The same span through freqtrade's own steps, nothing prepared or shared."""
    from freqtrade.optimize.backtesting import Backtesting
    from freqtrade.persistence import Trade

    known = backtester._known[lab.digest, lab.datadir, None]
    backtesting = Backtesting(known._job_config(job()), exchange=known._exchange)
    try:
        data, timerange = backtesting.load_bt_data()
        backtesting.backtest_one_strategy(backtesting.strategylist[0], data, timerange)
        plain = backtesting.all_bt_content[STRATEGY]
        trades = plain["results"]
    finally:
        Backtesting.cleanup()
        Trade.reset_trades()
    ours = default_result.trades.sort_values(["open_date", "pair"], ignore_index=True)
    theirs = trades.sort_values(["open_date", "pair"], ignore_index=True)
    assert len(ours) == len(theirs) > 20
    for name in ("pair", "enter_tag", "exit_reason"):
        assert ours[name].tolist() == theirs[name].tolist()
    for name in ("open_rate", "close_rate", "stake_amount", "profit_abs", "min_rate", "max_rate"):
        assert ours[name].tolist() == theirs[name].astype(float).tolist()
    assert default_result.equity.iloc[-1] == plain["final_balance"]


def test_one_job_after_another_gives_what_it_gives_alone(lab, job, default_result):
    """Settings that leave the indicators alone share the prepared candles; others get their own."""
    run_job(lab, job({"components": {"confidence": False}, "stops": {"trail_atr": 3.0}}))
    slower = run_job(lab, job({"indicators": {"ema_slow": 60}}))
    assert run_job(lab, job()).digest == default_result.digest
    assert slower.digest != default_result.digest


def test_candles_of_another_folder_never_answer(lab, read_lab, lab_market, job, default_result, tmp_path):
    """Two folders, one process, everything else the same: each job trades on its own folder's candles."""
    half = {pair: frame.copy() for pair, frame in lab_market.items()}
    for frame in half.values():
        frame[["open", "high", "low", "close"]] /= 2.0
    write_candles(half, tmp_path, "1h", also=HIGHER_TIMEFRAMES)
    other = read_lab(datadir=tmp_path)
    assert other.digest == lab.digest
    there = run_job(other, job())
    assert run_job(lab, job()).digest == default_result.digest
    lows = {pair: lab_market[pair]["low"].min() for pair in lab_market}
    assert (default_result.trades["open_rate"] >= default_result.trades["pair"].map(lows)).all()
    assert (there.trades["open_rate"] < default_result.trades["open_rate"].min()).any()
    assert run_job(other, job()).digest == there.digest != default_result.digest


def test_a_folder_whose_candles_are_replaced_is_read_again(read_lab, lab_market, job, tmp_path):
    write_candles(lab_market, tmp_path, "1h", also=HIGHER_TIMEFRAMES)
    first = run_job(read_lab(datadir=tmp_path), job())
    later = {
        pair: frame.assign(volume=frame["volume"][::-1].to_numpy()) for pair, frame in lab_market.items()
    }
    write_candles(later, tmp_path, "1h", also=HIGHER_TIMEFRAMES)
    again = run_job(read_lab(datadir=tmp_path), job())
    backtester._known.clear()
    assert again.digest == run_job(read_lab(datadir=tmp_path), job()).digest != first.digest


def test_the_account_adds_up(default_result):
    equity, trades = default_result.equity, default_result.trades
    assert equity.iloc[0] == 10_000.0
    assert equity.iloc[-1] == pytest.approx(10_000.0 + trades["profit_abs"].sum(), rel=1e-9)
    assert np.prod(1.0 + default_result.returns) == pytest.approx(equity.iloc[-1] / 10_000.0)
    assert default_result.returns.index[0] == at("2023-02-06")
    assert len(default_result.returns) == 63
    exposure = default_result.daily["exposure"].iloc[1:]
    assert exposure.between(0.0, 1.0).all()
    assert exposure.max() > 0.0


def test_a_trade_tells_what_was_known_when_it_was_opened(default_result):
    trades = default_result.trades
    assert trades["confidence"].between(0.0, 1.0).all()
    assert (trades["initial_stop"] < trades["open_rate"]).all()
    assert (trades["atr"] > 0).all()
    assert (trades["turnover"] > 1.9 * trades["stake_amount"]).all()


def test_costs_are_fee_and_slippage_times_their_multiple(lab, job):
    dear = run_job(lab, job(cost_multiple=3.0))
    assert set(dear.trades["fee_open"]) == {3.0 * (0.001 + 0.0005)}


def test_the_sample_strategy_runs_under_the_same_conditions(lab, job):
    sample = run_job(lab, job(strategy=SAMPLE))
    assert len(sample.trades) > 0
    assert sample.trades["initial_stop"].isna().all()
    assert sample.daily.index.equals(run_job(lab, job(cost_multiple=3.0)).daily.index)


def test_equity_is_read_at_midnight_with_positions_at_the_market():
    noon = at("2023-01-01 12:00")
    captures = [
        (noon, "USDT", 1, 900.0),
        (noon, "BTC", 10.0, 10.0),
        (at("2023-01-02"), "USDT", 1, 900.0),
        (at("2023-01-02"), "BTC", 20.0, 10.0),
        (at("2023-01-02 12:00"), "USDT", 1, 1_100.0),
    ]
    daily = daily_wallet(captures, at("2023-01-01"), at("2023-01-03"), 1_000.0, 1_050.0)
    assert daily["equity"].tolist() == [1_000.0, 1_100.0, 1_050.0]
    assert np.isnan(daily["exposure"].iloc[0])
    assert daily["exposure"].tolist()[1:] == pytest.approx([0.1, (200 / 1_100 + 0) / 2])
    assert daily["open_trades"].tolist()[1:] == [1.0, 0.5]


def test_an_account_that_never_held_anything_stands_still():
    daily = daily_wallet([], at("2023-01-01"), at("2023-01-03"), 1_000.0, 1_000.0)
    assert daily["equity"].tolist() == [1_000.0] * 3


# --- what is told instead of run ----------------------------------------------------------------------


def test_a_span_before_the_indicators_have_warmed_up_names_the_first_day_that_works(lab, job):
    with pytest.raises(DataError, match=r"start on 2023-02-05 or later"):
        run_job(lab, job(start=at("2023-01-20")))


def test_a_pair_whose_candles_end_early_is_named(read_lab, lab_market, job, tmp_path):
    short = {**lab_market, "SOL/USDT": lab_market["SOL/USDT"].iloc[:1800]}
    write_candles(short, tmp_path, "1h", also=HIGHER_TIMEFRAMES)
    with pytest.raises(DataError, match=r"SOL/USDT: its candles end on 2023-03-16, before the span does"):
        run_job(read_lab(datadir=tmp_path), job())


def test_a_pair_without_candles_is_named(read_lab, lab_market, tmp_path):
    write_candles({"BTC/USDT": lab_market["BTC/USDT"]}, tmp_path, "1h", also=HIGHER_TIMEFRAMES)
    with pytest.raises(DataError, match="SOL/USDT: no candles"):
        read_lab(datadir=tmp_path)


def test_futures_and_odd_timeframes_are_refused(read_lab, lab_config):
    with pytest.raises(SettingsError, match="spot only"):
        read_lab({**lab_config, "trading_mode": "futures"})
    with pytest.raises(SettingsError, match="does not divide a day"):
        read_lab({**lab_config, "timeframe": "5h"})
    with pytest.raises(SettingsError, match="fee"):
        read_lab(fee=1.5)


def test_a_bad_setting_is_told_before_anything_runs(read_lab, lab_config):
    with pytest.raises(SettingsError, match=r"adaptive\.kelly\.fractoin"):
        read_lab({**lab_config, "adaptive": {"kelly": {"fractoin": 0.2}}})


def test_without_the_strategy_the_folder_is_named(read_lab, tmp_path):
    with pytest.raises(DataError, match="run the command from the bundle's folder"):
        read_lab(user_data=tmp_path)


def test_a_hyperopt_result_beside_the_strategy_counts_as_settings(read_lab, project_root, tmp_path):
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "AdaptiveGRU.py").write_text((project_root / "user_data/strategies/AdaptiveGRU.py").read_text())
    result = folder / "AdaptiveGRU.json"
    result.write_text(json.dumps({"strategy_name": STRATEGY, "params": {"risk": {"trail_atr": 2.25}}}))
    assert read_lab(user_data=tmp_path).config["adaptive"]["stops"] == {"trail_atr": 2.25}
    result.write_text("[]")
    with pytest.raises(SettingsError, match="not a hyperopt result"):
        read_lab(user_data=tmp_path)


@pytest.mark.real_data
def test_a_quarter_of_real_candles(read_lab, real_datadir):
    lab = read_lab(datadir=real_datadir)
    whole = StrategyJob(("BTC/USDT", "SOL/USDT"), at("2023-07-01"), at("2023-10-01"))
    result = run_job(lab, whole)
    assert len(result.returns) == 92
    assert len(result.trades) > 20
    assert result.counts["warnings"] == {}
    assert result.equity.iloc[-1] == pytest.approx(10_000.0 + result.trades["profit_abs"].sum())


# --- with a forecast ----------------------------------------------------------------------------------

TINY = {
    "window": 8, "units": [4], "dense_units": 4, "chunk_candles": 32, "batch_chunks": 8, "epochs": 1,
}  # fmt: skip


@pytest.fixture
def forecasting(lab_config, read_lab, project_root, tmp_path):
    shipped = json.loads((project_root / "user_data/config.json").read_text())["freqai"]
    block = {**shipped, "train_period_days": 15, "backtest_period_days": 10, "conv_width": 8}
    block["model_training_parameters"] = TINY
    return read_lab({**lab_config, "freqai": block}, shelf=tmp_path)


def test_jobs_that_differ_in_rules_share_the_forecasts_that_the_first_one_made(forecasting, job, runner):
    span = {"start": at("2023-03-20"), "end": at("2023-03-30")}
    jobs = {"full": job(**span), "without forecast": job({"components": {"forecast": False}}, **span)}
    trained = replace(runner, conditions=forecasting)
    stages = trained._stages([(name, jobs[name]) for name in jobs])
    assert [[name for name, _ in stage] for stage in stages] == [["full"], ["without forecast"]]
    results = trained.run(jobs)
    (folder,) = forecasting.predictions.iterdir()
    assert folder.name == jobs["full"].forecast_id(forecasting)
    assert len(list((folder / "backtesting_predictions").glob("*.feather"))) == 2  # one a pair
    assert results["full"].digest != results["without forecast"].digest
    assert job({"indicators": {"ema_slow": 60}}, **span).forecast_id(forecasting) != folder.name


def test_a_model_that_is_not_there_is_named(lab_config, read_lab, project_root):
    shipped = json.loads((project_root / "user_data/config.json").read_text())["freqai"]
    with pytest.raises(SettingsError, match="freqaimodel: 'Oracle' is none of EnsembleRegressor"):
        read_lab({**lab_config, "freqai": shipped, "freqaimodel": "Oracle"})


def test_predictions_that_a_crash_cut_short_are_made_again(forecasting, job):
    span = {"start": at("2023-03-20"), "end": at("2023-03-30")}
    first = run_job(forecasting, job(**span))
    (folder,) = forecasting.predictions.iterdir()
    paths = sorted((folder / "backtesting_predictions").glob("*.feather"))
    whole = paths[0].read_bytes()
    paths[0].write_bytes(whole[: len(whole) // 2])
    paths[1].write_bytes(b"")
    backtester._known.clear()  # another process goes on
    assert run_job(forecasting, job(**span)).digest == first.digest
    assert paths[0].read_bytes() == whole


def test_predictions_of_unknown_origin_are_made_again(forecasting, job):
    """The file that says what made them was cut short; a fresh one may be another process's half-written."""
    span = {"start": at("2023-03-20"), "end": at("2023-03-30")}
    first = run_job(forecasting, job(**span))
    (folder,) = forecasting.predictions.iterdir()
    mark = folder / FINGERPRINT_FILE
    mark.write_text(mark.read_text()[:100])
    with pytest.raises(DataError, match="unreadable"):
        run_job(forecasting, job(**span))
    os.utime(mark, (0, 0))
    assert run_job(forecasting, job(**span)).digest == first.digest
    assert json.loads(mark.read_text())["fingerprint"]


def test_an_approach_that_reads_other_candles_before_the_span_has_its_own_forecasts(forecasting, job):
    ours = job().forecast_id(forecasting)
    assert job({"components": {"ladder": False}}).forecast_id(forecasting) == ours
    assert job({"approach": "hold_trend"}).forecast_id(forecasting) != ours
