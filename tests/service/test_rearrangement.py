"""DataRearrangement, as Amazon's own material spells it and as it does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.service.faults import InvalidInputException
from understudy.service.rearrangement import Rearrangement


@pytest.mark.parametrize("text", [None, "", "  ", "{}", '{"splitting": {}}', '{"splitting": null}'])
def test_nothing_said_takes_all_rows(text):
    """Without percentages all rows are taken."""
    assert Rearrangement.from_json(text) == Rearrangement()
    assert Rearrangement.from_json(text).takes_all


@pytest.mark.parametrize(
    ("splitting", "expected"),
    [
        ({"percentBegin": 0, "percentEnd": 70}, Rearrangement(0, 70)),
        ({"percentBegin": 70}, Rearrangement(70, 100)),
        ({"percentEnd": 30.0}, Rearrangement(0, 30)),
        ({"percentBegin": 0, "percentEnd": 70, "complement": True}, Rearrangement(0, 70, True)),
        ({"percentBegin": 0, "percentEnd": 70, "complement": "true"}, Rearrangement(0, 70, True)),
        ({"percentBegin": 0, "percentEnd": 70, "complement": "false"}, Rearrangement(0, 70)),
        ({"percentEnd": 70, "strategy": "random"}, Rearrangement(0, 70, strategy="random")),
        ({"percentEnd": 70, "strategy": "sequential"}, Rearrangement(0, 70)),
        ({"strategyParams": {"randomSeed": "a"}, "strategy": "random"}, Rearrangement(strategy="random", seed="a")),
        ({"randomSeed": "a", "strategy": "random"}, Rearrangement(strategy="random", seed="a")),
        ({"randomSeed": 7, "strategy": "random", "strategyParams": None}, Rearrangement(strategy="random", seed="7")),
    ],
)
def test_splitting_is_read(splitting, expected):
    """Percentages, complement in both spellings, strategy, and the seed in both of its places."""
    assert Rearrangement.from_json(json.dumps({"splitting": splitting})) == expected


def test_seed_may_stand_beside_splitting():
    """Amazon's sample writes the seed at the top level."""
    text = '{"splitting": {"percentEnd": 70, "strategy": "random"}, "randomSeed": "0"}'
    assert Rearrangement.from_json(text) == Rearrangement(0, 70, strategy="random", seed="0")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", r"^DataRearrangement is \[\], not an object"),
        ('{"split": {}}', "^DataRearrangement has the unknown key 'split'"),
        ('{"splitting": {"strategyParams": []}}', r"^strategyParams of DataRearrangement is \[\], not an object"),
        ('{"splitting": []}', "splitting .* not an object"),
        ('{"splitting": {"percentBegn": 0}}', "unknown key 'percentBegn'"),
        ('{"splitting": {"percentBegin": -1}}', "percentBegin .* is -1"),
        ('{"splitting": {"percentEnd": 101}}', "percentEnd .* is 101"),
        ('{"splitting": {"percentEnd": 0.5}}', "percentEnd .* is 0.5"),
        ('{"splitting": {"percentEnd": NaN}}', "percentEnd .* is nan"),
        ('{"splitting": {"percentEnd": true}}', "percentEnd .* is True"),
        ('{"splitting": {"percentEnd": "70"}}', "percentEnd .* is '70'"),
        ('{"splitting": {"percentBegin": 70, "percentEnd": 70}}', "from 70 to 70 percent, which are none"),
        ('{"splitting": {"complement": "yes"}}', "complement .* is 'yes'"),
        ('{"splitting": {"strategy": "stable"}}', "strategy .* is 'stable'"),
        ('{"splitting": {"strategy": ["random"]}}', "strategy"),
        ('{"splitting": {"strategyParams": "a"}}', "strategyParams"),
        ('{"splitting": {"randomSeed": 1.5}}', "randomSeed .* is 1.5"),
        ('{"splitting": {"percentEnd": 70}, "complement": true}', "unknown key 'complement'"),
    ],
)
def test_what_cannot_be_meant_is_said(text, words):
    """A misspelt or contradictory choice is refused, never taken for all rows."""
    with pytest.raises(InvalidInputException, match=words):
        Rearrangement.from_json(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["splitting", "percentBegin", "percentEnd", "complement", "strategy", "randomSeed", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(_JSON)
def test_any_json_is_read_or_refused(document):
    """Whatever JSON is given, it is a choice of rows or one clear refusal."""
    try:
        chosen = Rearrangement.from_json(json.dumps(document))
    except InvalidInputException:
        return
    assert 0 <= chosen.begin < chosen.end <= 100
