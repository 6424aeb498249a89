"""The plain numbers say what scikit-learn's models say."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from adaptive_pkg.errors import DataError
from adaptive_pkg.learning import training
from adaptive_pkg.learning.estimators import from_arrays, to_arrays
from adaptive_pkg.learning.features import FEATURES
from adaptive_pkg.learning.training import Target, fit_blends, forecast


@pytest.mark.parametrize("classify", [True, False])
def test_exported_trees_predict_as_scikit_learn_does(make_sample, classify):
    sample = make_sample(edge=1.0, n=400)
    y = sample.y[Target.WIN if classify else Target.R]
    ours = training._trees(sample.x, y, classify, seed=4)
    kind = GradientBoostingClassifier if classify else GradientBoostingRegressor
    theirs = kind(
        n_estimators=training.TREES, max_depth=training.DEPTH, learning_rate=training.RATE, subsample=0.5,
        max_features=0.5, min_samples_leaf=8, random_state=4,
    ).fit(sample.x, y)  # fmt: skip
    expected = theirs.decision_function(sample.x) if classify else theirs.predict(sample.x)
    np.testing.assert_allclose(ours.value(sample.x), expected, rtol=1e-9, atol=1e-12)


def test_an_edge_is_found_by_all_that_it_moves_and_noise_stays_at_the_mean(make_sample):
    past, later = make_sample(edge=1.5, n=900), make_sample(edge=1.5, n=900, seed=2)
    blends = fit_blends(past)
    for target, least in ((Target.WIN, 0.3), (Target.R, 0.3), (Target.EXCURSION, 0.3)):
        said = forecast(blends[target], target, later.x)
        assert np.corrcoef(said, later.y[target])[0, 1] > least
    holding = forecast(blends[Target.HOLDING], Target.HOLDING, later.x)
    assert np.std(holding) < 0.1
    assert abs(holding.mean() - past.y[Target.HOLDING].mean()) < 0.05


def test_probabilities_are_in_order_and_no_bolder_than_what_was_seen(make_sample):
    past, later = make_sample(edge=1.5, n=1200), make_sample(edge=1.5, n=1200, seed=2)
    said = forecast(fit_blends(past)[Target.WIN], Target.WIN, later.x)
    assert 0 < said.min() < said.max() < 1
    base = past.y[Target.WIN].mean()
    parts = np.array_split(np.argsort(said), 4)
    seen = [later.y[Target.WIN][part].mean() for part in parts]
    assert seen == sorted(seen)
    for part, share in zip(parts, seen, strict=True):
        assert abs(said[part].mean() - base) < abs(share - base) + 0.06


def test_a_model_survives_its_arrays_and_wrong_ones_are_refused(make_sample):
    sample = make_sample(n=300)
    blend = fit_blends(sample)[Target.R]
    arrays = to_arrays(blend, "m")
    again = from_arrays(arrays, "m", len(FEATURES))
    np.testing.assert_array_equal(again.value(sample.x), blend.value(sample.x))
    for name, wrong in (
        ("m/trees/feature", np.full_like(arrays["m/trees/feature"], 99)),
        ("m/trees/left", np.full_like(arrays["m/trees/left"], 99)),
        ("m/linear/slopes", arrays["m/linear/slopes"][:-1]),
        ("m/trees/leaf", np.full_like(arrays["m/trees/leaf"], np.nan)),
    ):
        with pytest.raises(DataError, match="make no model"):
            from_arrays(arrays | {name: wrong}, "m", len(FEATURES))
    with pytest.raises(DataError, match="mean is missing"):
        from_arrays({k: v for k, v in arrays.items() if k != "m/mean"}, "m", len(FEATURES))
