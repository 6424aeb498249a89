from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.evaluation.forecast.models import FoldForecast
from adaptive_pkg.evaluation.forecast.store import JobStore

RESULT = FoldForecast({"gru": np.array([[1.0, np.nan, 2.0]])}, {"label": {"gru": 1.0}})


def test_what_is_written_is_read(tmp_path):
    store = JobStore(tmp_path / "jobs")
    assert store.read("abc") is None
    store.write("abc", RESULT)
    got = store.read("abc")
    np.testing.assert_array_equal(got.values["gru"], RESULT.values["gru"])
    assert got.weights == RESULT.weights


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_a_file_cut_short_is_no_result(tmp_path, keep):
    store = JobStore(tmp_path)
    store.write("abc", RESULT)
    whole = store.path("abc").read_bytes()
    store.path("abc").write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    assert store.read("abc") is None
    store.write("abc", RESULT)
    assert store.read("abc") is not None


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    store = JobStore(tmp_path)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write("abc", RESULT)
    assert list(tmp_path.iterdir()) == []
