from dataclasses import replace

import numpy as np
import pytest

from learner.worlds import features_of, rows_of, same, take, world
from understudy.errors import InvalidInput, TrainingError
from understudy.learner.kernels import learn_rows
from understudy.learner.learner import Settings, learn
from understudy.learner.live import Learner
from understudy.learner.losses import probabilities
from understudy.learner.scoring import decision

each_loss = pytest.mark.parametrize(("loss", "outputs"), [("logistic", 1), ("squared", 1), ("softmax", 3)])


def fitted(loss="logistic", outputs=1):
    """Learn a small world quickly."""
    features, labels = world(loss=loss)
    return learn(rows_of(features, labels), loss, outputs, Settings(max_passes=3)), features, labels


@each_loss
def test_learner_predicts_as_its_fit_does(loss, outputs):
    """Before any row is learned, the learner and the frozen fit agree within float32."""
    fit, features, _ = fitted(loss, outputs)
    frozen = probabilities(decision(features, fit.keys, fit.weights, fit.intercept), loss)
    learner = Learner(fit)
    live = np.array([learner.predict_one(take(features, np.array([i]))) for i in range(50)])
    np.testing.assert_allclose(live, frozen[:50], rtol=1e-4)


@each_loss
def test_predicting_changes_nothing(loss, outputs):
    """Predict is pure: after a hundred queries the snapshot has the same bits."""
    fit, features, _ = fitted(loss, outputs)
    learner = Learner(fit)
    before = learner.snapshot()
    for i in range(100):
        learner.predict_one(take(features, np.array([i])))
    assert same(before, learner.snapshot())


@each_loss
def test_learning_returns_the_loss_from_before_the_step_and_lowers_it(loss, outputs):
    """The step's loss is what the row cost before it, and a row that cost much costs less after it."""
    fit, features, labels = fitted(loss, outputs)
    learner = Learner(fit)
    single = [(take(features, np.array([i])), labels[i]) for i in range(50)]
    row, label = max(single, key=lambda pair: learner.loss_one(*pair))
    before = learner.loss_one(row, label)
    assert learner.learn_one(row, label) == pytest.approx(before, rel=1e-3)
    assert learner.loss_one(row, label) < before


def test_learner_follows_a_world_that_turns_round():
    """Fed with flipped labels row by row, the learner comes to predict them; the fit it came from stays as it was."""
    fit, features, labels = fitted()
    bits = fit.weights.tobytes()
    learner = Learner(fit)
    for i in [*range(600), *range(600)]:
        learner.learn_one(take(features, np.array([i])), 1 - labels[i])
    after = learner.snapshot()
    found = probabilities(decision(features, after.keys, after.weights, after.intercept), "logistic")[:, 0]
    assert np.mean((found > 0.5) == labels) < 0.3
    assert fit.weights.tobytes() == bits
    assert after.rows == fit.rows + 1200


def test_new_features_are_learned_and_stand_in_the_snapshot():
    """Keys that training never saw get weights of their own, far more of them than the fit had."""
    fit, _, _ = fitted()
    learner = Learner(fit)
    for i in range(300):
        learner.learn_one(features_of([[1000 + i]]), float(i % 2))
    after = learner.snapshot()
    assert len(after.keys) == len(fit.keys) + 300
    assert (after.keys[1:] > after.keys[:-1]).all()
    odd, even = (learner.predict_one(features_of([[1000 + i]]))[0] for i in (1, 2))
    assert odd > even


def test_learning_goes_on_while_room_is_made():
    """Rows of more new features than there is room for are learned whole, and what was learned before stays."""
    fit, features, _ = fitted()
    learner = Learner(fit)
    row = take(features, np.array([0]))
    before = learner.predict_one(row)
    rows = [features_of([list(range(first, first + 700))]) for first in range(10_000, 17_000, 700)]
    for new in rows:
        learner.learn_one(new, 1.0, weight=0.0)
    assert learner.predict_one(row) == pytest.approx(before)
    after = learner.snapshot()
    assert len(after.keys) == len(fit.keys) + 7000
    assert after.rows == fit.rows + 10
    new = ~np.isin(after.keys, fit.keys)
    assert set(after.counts[new].tolist()) == {1}


def test_features_beyond_the_limit_are_dropped():
    """Where the vocabulary is full, new features are left out, and counted; those that are known go on learning."""
    fit, features, labels = fitted()
    learner = Learner(fit)
    learner._vocabulary.limit = learner._vocabulary.size + 2
    for _ in range(3):
        learner.learn_one(features_of([[90_001, 90_002, 90_003, 90_004]]), 1.0)
    assert len(learner.snapshot().keys) == len(fit.keys) + 2
    assert learner._vocabulary.dropped == 6
    before = learner.loss_one(take(features, np.array([0])), 1 - labels[0])
    learner.learn_one(take(features, np.array([0])), 1 - labels[0])
    assert learner.loss_one(take(features, np.array([0])), 1 - labels[0]) < before


@each_loss
def test_rows_one_by_one_are_learned_as_the_kernels_of_a_pass_learn_them(loss, outputs):
    """One call does what looking up, following the scales and a step over sparse rows do one after the other."""
    fit, features, labels = fitted(loss, outputs)
    learner, by_hand = Learner(fit), Learner(fit)
    for i in range(100):
        row = take(features, np.array([i % 40]))
        row = replace(row, keys=row.keys + np.uint64(i // 20), values=row.values * np.float32(1 + i % 3))
        assert learner.learn_one(row, labels[i]) == pytest.approx(step_by_hand(by_hand, row, labels[i]), rel=1e-4)
    np.testing.assert_allclose(learner._state, by_hand._state[: len(learner._state)], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(learner._traits, by_hand._traits[: len(learner._traits)])


def step_by_hand(learner, features, label):
    """Learn one row by the vocabulary and the kernels of a pass."""
    vocabulary, outputs = learner._vocabulary, learner._outputs
    indexed = vocabulary.index(features, grow=True)
    learner._rows += 1
    learner._make_room(vocabulary.size)
    shrink = 1 / vocabulary.scales_of(indexed.ids)
    learner._state[indexed.ids, :outputs] *= (learner._traits[indexed.ids, 0] / shrink)[:, None]
    learner._traits[indexed.ids, 0] = shrink
    learner._traits[indexed.ids, 1] = learner._rows / vocabulary.counts[indexed.ids]
    losses = np.zeros(1)
    row = learner._block(indexed, label, 1.0)
    learn_rows(learner._code, row, np.arange(1), learner._traits, learner._state, *learner._amounts, losses)
    return losses[0] * learner._fit.spread**2


def test_learning_on_from_a_snapshot_is_learning_on():
    """A learner made from a snapshot goes on like the one that the snapshot was taken of, within float32."""
    fit, features, labels = fitted()
    first = Learner(fit)
    for i in range(50):
        first.learn_one(take(features, np.array([i])), labels[i])
    second = Learner(first.snapshot())
    for i in range(50, 150):
        for learner in (first, second):
            learner.learn_one(take(features, np.array([i])), labels[i])
    np.testing.assert_allclose(first.snapshot().weights, second.snapshot().weights, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("value", "label", "weight"), [(np.nan, 1.0, 1.0), (1.0, np.nan, 1.0), (1.0, 1.0, -1.0)])
def test_row_that_cannot_be_learned_is_refused_and_nothing_changes(value, label, weight):
    """NaN among values or labels, or a negative weight, is refused, and the learner keeps its bits."""
    fit, _, _ = fitted()
    learner = Learner(fit)
    before = learner.snapshot()
    with pytest.raises(InvalidInput):
        learner.learn_one(features_of([[900]], value), label, weight)
    with pytest.raises(TrainingError, match="label"):
        learner.learn_one(features_of([[900]]), 7.0)
    assert same(before, learner.snapshot())


def test_learner_of_texts_predicts_as_its_fit_does():
    """Words learned with a pull of their own by rarity are answered with the very scores of the frozen fit."""
    random = np.random.default_rng(2)
    texts = features_of((40 * random.random((300, 4)) ** 2).astype(np.int64), np.full((300, 4), 0.5))
    fit = learn(rows_of(texts, random.integers(0, 2, 300)), "logistic", 1, Settings(max_passes=3))
    frozen = probabilities(decision(texts, fit.keys, fit.weights, fit.intercept), "logistic")
    learner = Learner(fit)
    live = np.array([learner.predict_one(take(texts, np.array([i]))) for i in range(50)])
    np.testing.assert_allclose(live, frozen[:50], rtol=1e-4)
