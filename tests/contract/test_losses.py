"""Every loss of the dict keeps the same promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import UsageError
from understudy.learner.kernels import DISMAY, STARTLE, judge
from understudy.learner.losses import LOSSES, loss_named, probabilities

each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def judged(loss, scores, label, weight=1.0):
    """Return one candidate's loss and gradients at these scores."""
    gradients = np.array(scores, np.float32)
    losses = np.zeros(1)
    judge(loss.code, gradients, np.float32(label), np.float32(weight), losses)
    return losses[0], gradients


def some_scores(loss, seed):
    """Draw scores and a label for a loss: three classes, or one score."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=3 if loss.name == "softmax" else 1), float(rng.integers(0, 2))


def plain_loss(loss, scores, label):
    """Write the loss as a textbook does: the plain twin."""
    if loss.name == "squared":
        return (scores[0] - label) ** 2 / 2
    if loss.name == "logistic":
        return np.logaddexp(0, scores[0]) - label * scores[0]
    return np.logaddexp.reduce(scores) - scores[int(label)]


@each_loss
@given(seed=st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_loss_agrees_with_its_plain_twin(loss, seed):
    """The compiled loss is the textbook's within 2e-6."""
    scores, label = some_scores(loss, seed)
    assert judged(loss, scores, label)[0] == pytest.approx(plain_loss(loss, scores, label), abs=2e-6, rel=2e-6)


@each_loss
@given(seed=st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_gradient_is_the_loss_s_slope(loss, seed):
    """The compiled gradient is the finite difference of the textbook's loss within 1e-5."""
    scores, label = some_scores(loss, seed)
    _, gradients = judged(loss, scores, label)
    for place in range(len(scores)):
        nudge = np.zeros(len(scores))
        nudge[place] = 1e-5
        slope = (plain_loss(loss, scores + nudge, label) - plain_loss(loss, scores - nudge, label)) / 2e-5
        assert gradients[place] == pytest.approx(slope, abs=1e-5)


@each_loss
@pytest.mark.parametrize("size", [1e4, -1e4, 1e30, -1e30])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_loss_and_gradient_stay_finite_at_extreme_scores(loss, size, label):
    """No score is so far off that a loss or a gradient overflows, and no row costs more than its bound."""
    scores = np.zeros(3 if loss.name == "softmax" else 1)
    scores[0] = size
    value, gradients = judged(loss, scores, label)
    assert 0 <= value <= max(DISMAY, STARTLE**2 / 2)
    assert np.isfinite(gradients).all()
    assert np.abs(gradients).max() <= STARTLE


@each_loss
def test_loss_is_never_negative_when_prediction_is_sure_and_right(loss):
    """Being right costs nothing, or hardly anything, and never less than nothing."""
    scores = [-40.0, 40.0, -40.0] if loss.name == "softmax" else [1.0 if loss.name == "squared" else 40.0]
    assert 0 <= judged(loss, scores, 1.0)[0] < 1e-6


@each_loss
def test_weight_multiplies_loss_and_gradient(loss):
    """A row of importance 3 counts like three rows."""
    scores, label = some_scores(loss, 5)
    once, gradients = judged(loss, scores, label)
    thrice, threefold = judged(loss, scores, label, weight=3.0)
    assert thrice == pytest.approx(3 * once, rel=1e-6)
    np.testing.assert_allclose(threefold, 3 * gradients, rtol=1e-6)


@each_loss
def test_probabilities_stay_in_bounds_at_extreme_scores(loss):
    """Probabilities lie in [0, 1], a row's classes sum to 1, and numbers stay as they are."""
    scores = np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]]) if loss.name == "softmax" else np.array([[1e4], [-1e4]])
    result = probabilities(scores, loss.name)
    if loss.name == "squared":
        assert (result == scores).all()
    else:
        assert ((result >= 0) & (result <= 1)).all()
    if loss.name == "softmax":
        np.testing.assert_allclose(result.sum(axis=1), 1)


def test_unknown_loss_is_refused_with_the_names_of_all():
    """A name that is no loss is wrong usage, and the hint lists what there is."""
    with pytest.raises(UsageError, match="hinge") as caught:
        loss_named("hinge")
    assert "logistic" in caught.value.hint
