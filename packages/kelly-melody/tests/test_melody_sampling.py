"""Drawing tokens: the written-out vectors, and what the settings promise."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_core.errors import UserError
from kelly_melody.sampling import SplitMix64, Taste, draw

VECTORS = json.loads((Path(__file__).parent / "sampling_vectors.json").read_text())
LOGITS = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=20)
NUMBER = st.floats(0, 1, exclude_max=True)


def test_the_generator_gives_its_published_numbers():
    numbers = SplitMix64(1234567)
    assert [numbers.next_word() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_draws_are_those_of_the_vectors(case):
    numbers = SplitMix64(case["seed"])
    logits = np.array(case["logits"], np.float32)
    taste = Taste(case["temperature"], case["top_k"], case["top_p"])
    drawn = [draw(logits, case["allowed"], taste, numbers.next_number()) for _ in case["drawn"]]
    assert drawn == case["drawn"]


@given(LOGITS, NUMBER)
def test_temperature_0_and_top_1_take_the_likeliest(logits, number):
    allowed = [True] * len(logits)
    for taste in (Taste(0.0), Taste(top_k=1), Taste(top_p=1e-9)):
        assert draw(logits, allowed, taste, number) == int(np.argmax(logits))


@given(LOGITS, NUMBER, st.integers(1, 20), st.floats(0.01, 1.0), st.data())
def test_only_what_is_allowed_and_likely_is_drawn(logits, number, top_k, top_p, data):
    allowed = data.draw(st.lists(st.booleans(), min_size=len(logits), max_size=len(logits)).filter(any))
    drawn = draw(logits, allowed, Taste(1.0, top_k, top_p), number)
    assert allowed[drawn]
    assert sum(ok and logit > logits[drawn] for ok, logit in zip(allowed, logits, strict=True)) < top_k


def test_draws_follow_the_probabilities():
    logits, numbers = [0.0, 1.0, 2.0], SplitMix64(5)
    drawn = [draw(logits, [True] * 3, Taste(2.0), numbers.next_number()) for _ in range(4000)]
    wanted = np.exp(np.array(logits) / 2)
    np.testing.assert_allclose(np.bincount(drawn) / 4000, wanted / wanted.sum(), atol=0.03)


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"top_k": -1}])
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(UserError, match="can't draw"):
        Taste(**wrong)
