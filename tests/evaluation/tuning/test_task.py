from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adaptive_pkg.errors import DataError, ForecastError
from adaptive_pkg.evaluation.tuning import task as task_module
from adaptive_pkg.evaluation.tuning.task import scored_rows
from adaptive_pkg.forecast.fingerprint import fingerprint
from adaptive_pkg.forecast.forecaster import Forecast, RecurrentForecaster


def test_the_held_out_folds_come_after_every_candle_of_the_search(make_task):
    task = make_task()
    search, later = task.folds()
    assert (list(search), list(later)) == ([0, 1, 2, 3], [4, 5])
    panel = task.plan.panel("AAA/USDT")
    last_known = max(
        scored_rows(panel, pairs["AAA/USDT"], task.longest_window)[-1] + panel.horizon
        for pairs in search.values()
    )
    assert last_known < min(pairs["AAA/USDT"].test_first for pairs in later.values())


def test_a_fold_is_judged_on_the_same_rows_whatever_the_window(make_task, monkeypatch):
    task = make_task()
    fold = task.folds()[0][0]["AAA/USDT"]
    counts = set()
    for window in (4, 8, 12):
        settings = replace(task.plan.forecaster, window=window, epochs=1)
        counts.add(task.score("AAA/USDT", fold, settings).rows)
    assert counts == {12 * 24 - task.plan.horizon}


@pytest.mark.parametrize(("known", "loss"), [(0.0, 1.0), (1.0, 0.0), (0.5, 0.25)])
def test_the_loss_is_the_squared_error_over_that_of_the_zero_forecast(make_task, monkeypatch, known, loss):
    task = make_task()
    panel, fold = task.plan.panel("AAA/USDT"), task.folds()[0][1]["AAA/USDT"]

    class PartlyRight:
        def predict(self, features, dates):
            labels = np.nan_to_num(panel.labels.to_numpy()[features.index])
            return Forecast(known * labels, np.ones(len(labels), dtype=bool))

    monkeypatch.setattr(task_module.RecurrentForecaster, "fit", lambda span, settings: PartlyRight())
    score = task.score("AAA/USDT", fold, task.plan.forecaster)
    assert score.return_mse_over_zero == pytest.approx(loss)
    assert score.loss == pytest.approx(loss)


def test_a_fit_is_given_no_label_that_reaches_into_its_fold(make_task, monkeypatch):
    task = make_task()
    panel, fold = task.plan.panel("AAA/USDT"), task.folds()[0][2]["AAA/USDT"]
    spans, honest = [], RecurrentForecaster.fit
    monkeypatch.setattr(
        task_module.RecurrentForecaster, "fit", lambda span, s: spans.append(span) or honest(span, s)
    )
    task.score("AAA/USDT", fold, task.plan.forecaster)
    (span,) = spans
    last = fold.first + np.flatnonzero(np.isfinite(span.labels).all(axis=1))[-1]
    assert last + panel.horizon + task.plan.schedule.embargo_candles < fold.test_first
    assert len(span.features) == fold.test_first - fold.first


def test_too_short_a_span_says_how_many_folds_it_holds(make_task):
    with pytest.raises(
        DataError, match="3 folds of 12 days between 2022-02-20 and 2022-03-28: the search and"
    ):
        make_task(days=36).folds()


def test_candles_without_history_name_their_pair(make_task):
    task = make_task()
    early = replace(task.plan.schedule, train_days=500)
    with pytest.raises(DataError, match=r"AAA/USDT: candles .* hold no fold"):
        replace(task, plan=replace(task.plan, schedule=early)).folds()


def test_an_unknown_pair_is_named(make_task):
    with pytest.raises(DataError, match="CCC/USDT: no candles"):
        make_task(pairs=("CCC/USDT",)).folds()


def test_a_setting_that_cannot_be_fitted_names_its_fold(make_task):
    task = make_task()
    settings = replace(task.plan.forecaster, window=700, chunk_candles=800)
    with pytest.raises(ForecastError, match="AAA/USDT, fold 0: "):
        task.score("AAA/USDT", task.folds()[0][0]["AAA/USDT"], settings)


def test_other_inputs_are_another_study(make_task):
    task = make_task()
    others = [
        make_task(seed=4),
        make_task(pairs=("AAA/USDT",)),
        make_task(held_out_share=0.5),
        make_task(space=replace(task.space, units=(4, 9))),
        make_task(forecaster=replace(task.plan.forecaster, epochs=3)),
        make_task(days=84),
    ]
    names = {fingerprint(other.inputs()) for other in [task, *others]}
    assert len(names) == 1 + len(others)
    assert fingerprint(make_task().inputs()) == fingerprint(task.inputs())
