"""What was learned moves a decision when it is given a weight, and nothing when it is not."""

import logging
import os

import numpy as np
import pytest

from adaptive_pkg.adapter.journal_desk import JournalDesk
from adaptive_pkg.journal.candidates import closing_times
from adaptive_pkg.journal.rules import rules_fingerprint
from adaptive_pkg.learning.book import ModelBook
from adaptive_pkg.learning.opinion import BookOpinion
from adaptive_pkg.market.frame import market_frame
from adaptive_pkg.market.higher_trend import add_higher_trends
from adaptive_pkg.policy.judgement import judge
from adaptive_pkg.settings import load_settings


@pytest.fixture
def path(tmp_path):
    return tmp_path / "book.npz"


@pytest.fixture
def settings(path):
    learning = {"confidence_weight": 0.3, "book": str(path)}
    return load_settings({"adaptive": {"approach": "by_regime", "journal": {"learning": learning}}})


@pytest.fixture
def frame(random_candles, settings):
    candles = random_candles(n=2500, seed=3)
    return market_frame(add_higher_trends(candles, settings.indicators), settings.indicators)


def write(path, settings, *chapters, timeframe="1h"):
    ModelBook(chapters, rules_fingerprint(settings), timeframe).save(path)


def test_a_book_that_speaks_against_refuses_and_one_that_speaks_for_takes(
    frame, settings, path, make_chapter
):
    plain = judge(frame, settings, can_short=True)
    write(path, settings, make_chapter(0, win=0.01, r=-9.0))
    against = judge(frame, settings, can_short=True, learned=BookOpinion(settings, "1h", 3600))
    write(path, settings, make_chapter(0, win=0.99, r=9.0))
    speaks_for = judge(frame, settings, can_short=True, learned=BookOpinion(settings, "1h", 3600))
    taken = [(one.decisions.side != 0).sum() for one in (against, plain, speaks_for)]
    assert taken[0] < taken[1] < taken[2]
    wanted = plain.decisions.candidates.side != 0
    np.testing.assert_allclose(against.decisions.confidence[wanted], 0.7 * plain.decisions.confidence[wanted])
    np.testing.assert_allclose(against.learned_effect[wanted], -0.3)
    assert (against.learned_effect[~wanted] == 0).all()
    assert "learned_effect" not in plain.columns()


def test_models_speak_only_of_candles_that_closed_after_they_were_trained(
    frame, settings, path, make_chapter
):
    plain = judge(frame, settings, can_short=True)
    closed = closing_times(frame, 3600)
    write(path, settings, make_chapter(int(closed[1500]), win=0.01, r=-9.0))
    judged = judge(frame, settings, can_short=True, learned=BookOpinion(settings, "1h", 3600))
    assert (judged.learned_effect[:1500] == 0).all()
    np.testing.assert_array_equal(judged.decisions.side[:1500], plain.decisions.side[:1500])
    np.testing.assert_array_equal(judged.decisions.confidence[:1500], plain.decisions.confidence[:1500])
    assert (judged.learned_effect[1500:] < 0).any()


def test_without_an_opinion_every_bit_is_as_before(frame, settings, path, make_chapter):
    plain = judge(frame, settings, can_short=True)
    write(path, settings, make_chapter(0, earned=0.0))  # nothing was earned
    judged = judge(frame, settings, can_short=True, learned=BookOpinion(settings, "1h", 3600))
    for name, values in plain.columns().items():
        np.testing.assert_array_equal(judged.columns()[name], values, err_msg=name)


@pytest.mark.parametrize("problem", ["none", "damaged", "other rules", "other timeframe"])
def test_a_book_that_does_not_fit_says_nothing_and_the_log_says_so_once(
    frame, settings, path, make_chapter, caplog, problem
):
    if problem == "damaged":
        path.write_bytes(b"words")
    elif problem == "other rules":
        ModelBook([make_chapter(0, win=0.01)], "b" * 12, "1h").save(path)
    elif problem == "other timeframe":
        write(path, settings, make_chapter(0, win=0.01), timeframe="5m")
    opinion = BookOpinion(settings, "1h", 3600)
    plain = judge(frame, settings, can_short=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            judged = judge(frame, settings, can_short=True, learned=opinion)
    np.testing.assert_array_equal(judged.decisions.side, plain.decisions.side)
    assert len([line for line in caplog.messages if "what was learned is not used" in line]) == 1


def test_a_new_book_is_read_without_a_restart(frame, settings, path, make_chapter):
    opinion = BookOpinion(settings, "1h", 3600)
    write(path, settings, make_chapter(0, win=0.01, r=-9.0))
    first = judge(frame, settings, can_short=True, learned=opinion)
    write(path, settings, make_chapter(0, win=0.99, r=9.0))
    os.utime(path, (1, 1))  # whatever the clock of the file system resolves
    second = judge(frame, settings, can_short=True, learned=opinion)
    assert first.learned_effect.min() < 0
    assert second.learned_effect.max() > 0


@pytest.mark.parametrize("mode", ["live", "backtest", "hyperopt"])
def test_a_bot_asks_by_the_rules_it_trades_by_and_finds_the_book_in_freqtrades_folder(
    frame, make_chapter, tmp_path, monkeypatch, mode
):
    monkeypatch.chdir(tmp_path)
    learning = {"learning": {"confidence_weight": 0.3}}
    config = {"adaptive": {"approach": "by_regime", "journal": learning}, "user_data_dir": tmp_path / "bot"}
    by_config = load_settings(config)
    tuned = by_config.replaced({"stops.profile_scale": 1.7})  # as a hyperopt result does
    (tmp_path / "bot").mkdir()
    write(tmp_path / "bot" / "adaptive_learned.npz", tuned, make_chapter(0, win=0.01, r=-9.0))

    def effect(settings):
        desk = JournalDesk(by_config, "1h", 3600)
        desk.begin(mode, config, settings)
        return judge(frame, settings, can_short=True, learned=desk.opinion).learned_effect

    assert effect(tuned).min() == pytest.approx(-0.3)
    assert (effect(by_config) == 0).all()
