from __future__ import annotations

import pytest
from rich.console import Console

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.evaluation.tuning.search import fold_losses, judge, run_trials, settings_of
from adaptive_pkg.evaluation.tuning.study import StudyFile
from adaptive_pkg.evaluation.tuning.task import FoldScore

QUIET = Console(quiet=True)


def by_window(settings, fold, pair):
    """A landscape with its best point at window 12; every fold and seed is a little different."""
    return (
        1.0 - 0.01 * settings.window + 0.001 * fold + 1e-5 * settings.units[0] + 1e-6 * (settings.seed % 97)
    )


@pytest.fixture
def make_file(make_task, tmp_path):
    return lambda name="study.db", **changes: StudyFile(tmp_path / name, make_task(**changes))


def told(file):
    """What a search came to, without its times."""
    return [(r.number, r.state, r.value, r.params, r.scores) for r in file.records()]


def test_the_first_trial_runs_the_settings_to_beat(make_task, make_file, made_up_scores):
    calls, task, file = made_up_scores(by_window), make_task(), make_file()
    run_trials(task, file, 1, 1, QUIET)
    (record,) = file.records()
    assert settings_of(task, record) == task.plan.forecaster
    assert record.params["window"] == task.plan.forecaster.window
    assert record.value == pytest.approx(sum(by_window(calls[0][2], fold, "") for fold in range(4)) / 4)
    assert [(fold, pair) for fold, pair, _ in calls] == [
        (fold, pair) for fold in range(4) for pair in ("AAA/USDT", "BBB/USDT")
    ]


def test_settings_to_beat_outside_the_space_are_run_all_the_same(make_task, make_file, made_up_scores):
    made_up_scores(by_window)
    base = make_task().plan.forecaster.__class__(window=9, units=(6, 5), chunk_candles=32)
    task, file = make_task(forecaster=base), make_file(forecaster=base)
    run_trials(task, file, 10, 1, QUIET)
    assert len(file.records()) == 10
    assert settings_of(task, file.records()[0]) == base


def test_no_trial_sees_a_held_out_fold(make_task, make_file, made_up_scores):
    calls, task, file = made_up_scores(by_window), make_task(), make_file()
    run_trials(task, file, 3, 1, QUIET)
    assert {fold for fold, _, _ in calls} == {0, 1, 2, 3}


def test_the_same_seed_gives_the_same_trials_and_another_seed_others(make_task, make_file, made_up_scores):
    made_up_scores(by_window)
    runs = []
    for name, seed in (("a.db", 3), ("b.db", 3), ("c.db", 4)):
        file = make_file(name, seed=seed)
        run_trials(make_task(seed=seed), file, 10, 1, QUIET)
        runs.append(told(file))
    assert runs[0] == runs[1]
    assert [row[3] for row in runs[0][1:]] != [row[3] for row in runs[2][1:]]


def test_an_interrupted_search_ends_as_if_it_had_not_been(make_task, make_file, made_up_scores):
    task, whole = make_task(), make_file("whole.db")
    made_up_scores(by_window)
    run_trials(task, whole, 10, 1, QUIET)
    for fits in (3, 17, 69):  # within the default, a random trial and one that TPE proposed
        broken, left = make_file(f"{fits}.db"), iter(range(fits))

        def until_interrupted(*given, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return by_window(*given)

        made_up_scores(until_interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_trials(task, broken, 10, 1, QUIET)
        calls = made_up_scores(by_window)
        again = make_file(f"{fits}.db")
        assert again.forget_unfinished() == (1 if fits > 8 else 0)
        run_trials(task, again, 10, 1, QUIET)
        assert told(again) == told(whole)
        assert 0 < len(calls) < 10 * 8
        calls.clear()
        run_trials(task, again, 10, 1, QUIET)
        assert calls == []


def test_bad_trials_are_given_up_after_the_first_folds(make_task, make_file, made_up_scores):
    made_up_scores(by_window)
    task, file = make_task(), make_file()
    run_trials(task, file, 20, 1, QUIET)
    pruned = [record for record in file.records() if record.state == "pruned"]
    complete = [record for record in file.records() if record.state == "complete"]
    assert pruned
    assert all(3 <= len(fold_losses(record.scores)) <= 4 for record in pruned)
    assert min(r.params["window"] for r in complete[-3:]) > min(r.params["window"] for r in pruned)
    assert file.records()[0].state == "complete"


def test_a_setting_that_cannot_be_fitted_is_a_failed_trial_with_its_reason(
    make_task, make_file, made_up_scores
):
    def diverges(settings, fold, pair):
        if settings.window != 8:
            raise ForecastError("training diverged in epoch 1")
        return 0.9

    made_up_scores(diverges)
    task, file = make_task(), make_file()
    run_trials(task, file, 10, 1, QUIET)
    failed = [record for record in file.records() if record.state == "failed"]
    assert failed and all(r.reason == "training diverged in epoch 1" for r in failed)
    assert all(r.params["window"] == 8 for r in file.records() if r.state == "complete")
    calls = made_up_scores(diverges)
    run_trials(task, make_file(), 10, 1, QUIET)
    assert calls == []  # a failure is an answer, not an interruption


def test_default_settings_that_cannot_be_fitted_end_the_search(make_task, make_file, made_up_scores):
    def always(*_):
        raise ForecastError("AAA/USDT, fold 0: too few candles")

    made_up_scores(always)
    file = make_file()
    with pytest.raises(ForecastError, match="AAA/USDT, fold 0: too few candles"):
        run_trials(make_task(), file, 3, 1, QUIET)
    assert file.records() == []


def test_settings_are_judged_on_the_held_out_folds_once_with_the_same_seeds(
    make_task, make_file, made_up_scores
):
    calls, task, file = made_up_scores(by_window), make_task(), make_file()
    run_trials(task, file, 3, 1, QUIET)
    calls.clear()
    judge(task, file, [0, 2], 2, 1, QUIET)
    assert {fold for fold, _, _ in calls} == {4, 5}
    assert len(calls) == 2 * 2 * 2 * 2  # settings × seeds × folds × pairs
    seeds = {
        which: {s.seed for _, _, s in calls if s.window == which} for which in {s.window for *_, s in calls}
    }
    assert all(len(found) == 2 for found in seeds.values())
    assert len(set.union(*seeds.values())) == 2
    calls.clear()
    judge(task, make_file(), [0, 1, 2], 2, 1, QUIET)
    assert len(calls) == 2 * 2 * 2  # only trial 1 was new


def test_two_processes_finish_the_number_asked_for(make_task, make_file):
    task, file = make_task(pairs=("AAA/USDT",)), make_file(pairs=("AAA/USDT",))
    run_trials(task, file, 4, 2, QUIET)
    records = file.records()
    assert [record.number for record in records] == [0, 1, 2, 3]
    assert all(record.state == "complete" for record in records)
    alone = make_file("alone.db", pairs=("AAA/USDT",))
    run_trials(task, alone, 4, 1, QUIET)
    assert told(alone) == told(file)  # random draws do not depend on the others, so not on the processes


def test_folds_weigh_the_same_however_many_pairs_they_have():
    scores = [FoldScore("A", 0, 9, 1.0, 1.0), FoldScore("B", 0, 9, 0.5, 0.7), FoldScore("A", 1, 9, 0.8, 0.8)]
    assert fold_losses(scores) == pytest.approx({0: 0.8, 1: 0.8})
