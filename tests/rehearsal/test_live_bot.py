"""A rehearsal: the real bot lives, is killed, comes back, and the venue outlives it."""

from datetime import timedelta

import pytest

from adaptive_pkg.rehearsal.busy import merged
from adaptive_pkg.rehearsal.fast_time import RehearsalError
from adaptive_pkg.rehearsal.live_bot import Rehearsal
from adaptive_pkg.rehearsal.market import BEGIN, PAIRS
from adaptive_pkg.rehearsal.played import LIVE_ONLY_OFF, QUICK

pytestmark = pytest.mark.timeout(600)  # a busy machine; nothing here depends on its speed

HOUR = timedelta(hours=1)


def test_a_bot_trades_with_keys_is_killed_and_comes_back(tmp_path, market, project_root):
    with Rehearsal(
        tmp_path / "run",
        market,
        BEGIN,
        PAIRS[2:],
        throttle_seconds=300,
        live=True,
        limits={},
        config_extra=merged(LIVE_ONLY_OFF, QUICK),
        as_backtested=True,
        project=project_root,
    ) as run:
        bot = run.start_bot()
        with pytest.raises(RehearsalError, match="running already"):
            run.start_bot()
        bot.kill_on("POST /api/v3/order done")  # bought, and the bot does not know yet
        run.wait_until(run.trap_sprung, 120, bot_may_end=True)
        run.wait_until(lambda: not bot.is_running, 20, bot_may_end=True)
        assert bot.exit_code == -9
        assert not any(trade.orders for trade in run.trades()), "killed before it wrote the order down"
        fills = run.account()["fills"]
        assert len(fills) >= 1, "the venue lives on and knows the order"

        killed_at = run.now()
        run.leap(600)
        bot = run.start_bot()
        assert bot.started >= killed_at + timedelta(seconds=600)
        run.wait_until(run.now() + 2 * HOUR, 120)
        shape = bot.footprint()
        assert shape.rss_mb > 50
        assert shape.threads >= 1
        assert shape.sockets >= 1
        run.wait_until(run.now() + HOUR / 2, 60)
        bot.stop()

        report = run.venue_report()
        assert report["violations"] == {}
        assert report["requests"]["/api/v3/klines"] > 0
        candles = {opened for _, opened, _ in run.analysed()}
        assert max(candles) - min(candles) == HOUR * (len(candles) - 1), "no candle skipped"
        assert run.log_counts()["INFO"] > 50
        assert all(BEGIN <= line.at <= run.now() for line in run.log())


def test_a_bot_that_ends_is_not_waited_for(tmp_path, market, project_root):
    with Rehearsal(
        tmp_path / "run",
        market,
        BEGIN,
        PAIRS[:1],
        config_extra={"stake_currency": "EUR"},  # no such pair at the venue
        project=project_root,
    ) as run:
        run.start_bot()
        with pytest.raises(RehearsalError, match=r"the bot ended with(.|\n)*EUR"):
            run.wait_until(BEGIN + HOUR, 120)


def test_faults_come_and_go_while_it_runs(tmp_path, market, project_root):
    with Rehearsal(tmp_path / "run", market, BEGIN, PAIRS[:1], project=project_root) as run:
        number = run.add_fault(kind="status", where="GET /api/v3/time", status=503)
        run.remove_fault(number)
        run.add_fault(kind="drop", where="ws *")
        run.clear_faults()
        with pytest.raises(RehearsalError, match="kind"):
            run.add_fault(kind="earthquake")
        assert run.venue_report()["faults_struck"] == {}


def test_outside_its_context_a_rehearsal_says_so(tmp_path, market, project_root):
    run = Rehearsal(tmp_path / "run", market, BEGIN, PAIRS[:1], project=project_root)
    with pytest.raises(RehearsalError, match="context manager"):
        run.now()


def test_at_an_even_pace_time_passes_by_itself(tmp_path, market, project_root):
    with Rehearsal(tmp_path / "run", market, BEGIN, PAIRS[:1], speed=3600, project=project_root) as run:
        began = run.now()
        assert run.wait_until(began + HOUR, 60) >= began + HOUR
        with pytest.raises(RehearsalError, match="leap"):
            run.leap(60)
        with pytest.raises(RehearsalError, match="not reached"):
            run.wait_until(lambda: False, 0.1)
