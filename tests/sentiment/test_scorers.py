"""Texts are read as traders mean them; FinBERT is loaded once, late, and its absence is explained."""

import sys

import numpy as np
import pytest

from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.sentiment.lexicon import FINANCE_LEXICON
from adaptive_pkg.sentiment.scorers import FinbertScorer, VaderScorer, make_scorer
from adaptive_pkg.settings.sources import ScorerKind


@pytest.fixture(scope="module")
def vader():
    return VaderScorer()


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("BTC looks bullish after the breakout", "BTC looks bearish after the breakdown"),
        ("ETF approval, inflows surge", "Exchange hacked, outflows and liquidations"),
        ("to the moon!!!", "rekt again, another rugpull"),
        ("SOL rallies to a new ATH", "SOL plummets in a bloodbath"),
    ],
)
def test_finance_words_have_their_tone(vader, good, bad):
    tones = vader.score([good, bad])
    assert tones[0] > 0.2 and tones[1] < -0.2


def test_the_finance_words_are_what_makes_the_difference(vader):
    text = ["bullish uptrend, undervalued"]
    assert vader.score(text)[0] > 0.5 and VaderScorer({}).score(text)[0] == 0


def test_plain_terms_are_no_praise_and_negation_still_turns(vader):
    assert vader.score(["interest on the security and its shares", ""]).tolist() == [0.0, 0.0]
    assert vader.score(["not bullish"])[0] < 0 < vader.score(["very bullish"])[0]


def test_the_lexicon_keeps_to_its_scale_and_spelling():
    for word, tone in FINANCE_LEXICON.items():
        assert word == word.lower().strip() and " " not in word and -4 <= tone <= 4


def answer(positive, negative):
    return [
        {"label": "neutral", "score": 1 - positive - negative},
        {"label": "positive", "score": positive},
        {"label": "negative", "score": negative},
    ]


class Pipelines:
    """Stands in for transformers.pipeline: the model cannot be fetched in a test."""

    def __init__(self, answers):
        self.answers, self.made, self.asked = answers, [], []

    def __call__(self, task, model):
        self.made.append((task, model))

        def pipeline(texts, **options):
            self.asked.append((texts, options))
            return self.answers

        return pipeline


def test_finbert_is_the_good_chance_less_the_bad_and_is_loaded_at_first_use():
    make = Pipelines([answer(0.7, 0.1), answer(0.05, 0.9)])
    scorer = FinbertScorer(make_pipeline=make)
    assert make.made == []
    np.testing.assert_allclose(scorer.score(["a", "b"]), [0.6, -0.85])
    scorer.score(["c", "d"])
    assert make.made == [("text-classification", "ProsusAI/finbert")]
    assert make.asked[0][1] == {"top_k": None, "truncation": True, "batch_size": 16}
    assert scorer.score([]).shape == (0,)


@pytest.mark.parametrize("odd", [[{"label": "LABEL_0", "score": 1.0}], "x", [{"label": "positive"}], None])
def test_a_model_with_other_labels_is_named(odd):
    with pytest.raises(SourceError, match="positive and negative") as caught:
        FinbertScorer(make_pipeline=Pipelines([odd])).score(["a"])
    assert caught.value.failure is Failure.MALFORMED


def test_a_model_that_cannot_be_fetched_is_tried_again_the_next_time():
    tries = []

    def make(task, model):
        tries.append(1)
        raise OSError("We couldn't connect to 'https://huggingface.co'")

    scorer = FinbertScorer(make_pipeline=make)
    for _ in range(2):
        with pytest.raises(SourceError, match="check the network") as caught:
            scorer.score(["a"])
    assert caught.value.failure is Failure.DOWN and len(tries) == 2


def test_without_their_packages_both_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(SourceError, match="transformers and torch"):
        make_scorer(ScorerKind.FINBERT).score(["a"])
    monkeypatch.setitem(sys.modules, "vaderSentiment.vaderSentiment", None)
    with pytest.raises(SourceError, match=r"vaderSentiment==3\.3\.2"):
        make_scorer(ScorerKind.VADER)
