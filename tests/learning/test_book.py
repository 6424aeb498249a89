"""A book is read as of a candle's close, the same after it was written; and a wrong file does no harm."""

import pickle

import numpy as np
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.learning.book import ModelBook
from adaptive_pkg.learning.features import FEATURES
from adaptive_pkg.learning.training import Target
from adaptive_pkg.learning.walk_forward import learn
from adaptive_pkg.settings import LearningSettings

SETTINGS = LearningSettings()


def nothing(n):
    return np.zeros((n, len(FEATURES)))


def test_a_candle_uses_the_newest_chapter_that_began_by_its_close(make_chapter):
    book = ModelBook([make_chapter(2000, win=0.8), make_chapter(1000, win=0.3)], "a" * 12, "1h")
    closed = np.array([999, 1000, 1999, 2000, 9999])
    assert book.in_force(closed).tolist() == [-1, 0, 0, 1, 1]
    said = book.predict(nothing(5), closed)[Target.WIN]
    np.testing.assert_allclose(said, [np.nan, 0.3, 0.3, 0.8, 0.8])


def test_the_effect_is_bounded_and_zero_without_a_chapter_or_a_weight(make_chapter):
    chapters = [
        make_chapter(1000, win=0.99, r=9.0),
        make_chapter(2000, earned=0.0),
        make_chapter(3000, 0.45, 0.05),
    ]
    book = ModelBook(chapters, "a" * 12, "1h")
    closed = np.array([500, 1500, 2500, 3500])
    effect = book.effect(nothing(4), np.zeros(4, int), closed, SETTINGS)
    # the last: win 0.05 of 0.10 above its past rate, R 0.05 of 0.25 above its mean
    np.testing.assert_allclose(effect, [0.0, 1.0, 0.0, (0.5 + 0.2) / 2])
    against = ModelBook([make_chapter(0, win=0.01, r=-9.0)], "a" * 12, "1h")
    assert against.effect(nothing(1), np.zeros(1, int), np.array([5]), SETTINGS).tolist() == [-1.0]


def test_what_is_written_is_read_back_and_says_the_same(tmp_path, make_sample, few):
    sample = make_sample(edge=1.5, n=900)
    learned = learn(sample, few, int(sample.ended_ms.max()))
    book = ModelBook(learned.chapters, "a" * 12, "1h")
    book.save(tmp_path / "deep" / "book.npz")
    again = ModelBook.load(tmp_path / "deep" / "book.npz")
    said = again.predict(sample.x, sample.closed_ms)
    for target in Target:
        np.testing.assert_array_equal(said[target], learned.forecasts.said[target])
    assert (again.rules, again.timeframe) == ("a" * 12, "1h")
    assert [one.earned for one in again.chapters] == [one.earned for one in book.chapters]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["book.npz"]


def test_no_book_is_said_with_what_to_do(tmp_path):
    with pytest.raises(DataError, match="there is no such book; write it with `adaptive journal learn`"):
        ModelBook.load(tmp_path / "none.npz")


@pytest.mark.parametrize("content", [b"", b"words", b"PK\x03\x04 half a zip"])
def test_a_damaged_book_is_refused(tmp_path, content):
    path = tmp_path / "book.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no book of models"):
        ModelBook.load(path)


def test_a_file_that_would_run_code_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    path = tmp_path / "book.npz"
    np.savez(path.with_suffix(""), meta=np.array([Trap()], dtype=object))
    with pytest.raises(DataError, match="no book of models"):
        ModelBook.load(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match="no book of models"):
        ModelBook.load(path)
    assert not (tmp_path / "ran").exists()


def test_models_of_other_features_are_refused(tmp_path, make_chapter, monkeypatch):
    path = tmp_path / "book.npz"
    ModelBook([make_chapter(0)], "a" * 12, "1h").save(path)
    monkeypatch.setattr("adaptive_pkg.learning.book.VERSION", 2)
    with pytest.raises(DataError, match="read other features"):
        ModelBook.load(path)
