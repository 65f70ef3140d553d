import numpy as np
import pytest

from understudy import compiling as nb
from understudy.learner.kernels import (
    FIRST_SUM,
    LOGISTIC,
    PULL,
    SOFTMAX,
    SQUARED,
    STARTLE,
    SparseRows,
    follow_weights,
    inverse_root32,
    judge_rows,
    learn_rows,
)

FEATURES, ROWS, ENTRIES = 30, 400, 5


def block(code, outputs, seed=0):
    """Draw rows of five features out of thirty, with values on several scales."""
    rng = np.random.default_rng(seed)
    ids = np.concatenate([rng.choice(np.arange(1, FEATURES + 1), ENTRIES, replace=False) for _ in range(ROWS)])
    labels = rng.normal(size=ROWS) if code == SQUARED else rng.integers(0, max(outputs, 2), ROWS)
    return SparseRows(
        np.arange(ROWS + 1) * ENTRIES,
        ids.astype(np.uint32),
        (rng.normal(size=ROWS * ENTRIES) * 10.0 ** rng.integers(-1, 2, ROWS * ENTRIES)).astype(np.float32),
        labels.astype(np.float32),
        rng.uniform(0.5, 2, ROWS).astype(np.float32),
    )


def fresh_state(width):
    """Start with no weight and the first sums."""
    state = np.zeros((FEATURES + 1, 2 * width), np.float32)
    state[:, width:] = FIRST_SUM
    return state


def amounts(candidates, outputs):
    """Give every candidate other amounts."""
    steps = np.arange(1, candidates + 1, dtype=np.float32)
    return [np.repeat(each.astype(np.float32), outputs) for each in (0.1 * steps, 1e-3 * steps, 1e-2 * steps)]


def traits():
    """Scales and frequencies that differ from feature to feature."""
    rng = np.random.default_rng(9)
    result = np.stack([rng.uniform(0.2, 2, FEATURES + 1), rng.uniform(1, 5, FEATURES + 1)], 1)
    result[0] = 1, 0
    return result.astype(np.float32)


def inverse_root(squares):
    """Estimate 1 / sqrt(squares): the plain twin of `kernels.inverse_root32` and `lanes.inverse_root`."""
    x = np.asarray(squares, np.float32)
    guess = (0x5F1FFFF9 - (x.view(np.int32) >> 1)).astype(np.int32).view(np.float32)
    return np.float32(0.703952253) * guess * (np.float32(2.38924456) - x * guess * guess)


def plain_pass(code, rows, known, amounts_of_one, outputs):
    """Learn one candidate as the papers write it, but for the root, in float64: the plain twin of `learn_rows`."""
    rates, l1, l2 = amounts_of_one
    weights, sums = np.zeros((FEATURES + 1, outputs)), np.full((FEATURES + 1, outputs), FIRST_SUM)
    for i in range(ROWS):
        ids = rows.ids[rows.indptr[i] : rows.indptr[i + 1]]
        x = rows.values[rows.indptr[i] : rows.indptr[i + 1]].astype(float) * known[ids, 0]
        scores = weights[0] + x @ weights[ids]
        if code == SQUARED:
            gradient = np.clip(scores - rows.labels[i], -STARTLE, STARTLE)
        elif code == LOGISTIC:
            gradient = 1 / (1 + np.exp(-scores)) - rows.labels[i]
        else:
            gradient = np.exp(scores - scores.max())
            gradient = gradient / gradient.sum() - np.eye(outputs)[int(rows.labels[i])]
        touched = [(0, 1.0, 0.0), *zip(ids, np.clip(x, -PULL, PULL), known[ids, 1], strict=True)]
        for feature, value, decay in touched:
            slope = rows.weights[i] * gradient * value
            sums[feature] += slope**2
            pace = rates * inverse_root(sums[feature])
            moved = weights[feature] - pace * slope
            kept = np.sign(moved) * np.maximum(np.abs(moved) - pace * l1 * decay, 0)
            weights[feature] = kept / (1 + pace * l2 * decay)
    return weights, sums


def test_inverse_root_is_off_by_less_than_a_thousandth():
    """From sums of 1, where they start, to a billion, the estimate is within 7e-4 of the root, and that of its twin."""
    estimate = nb.njit(lambda numbers: [inverse_root32(number) for number in numbers])
    numbers = np.geomspace(1, 1e9, 16 * 500).astype(np.float32)
    found = np.array(estimate(numbers), np.float32)
    np.testing.assert_allclose(found, inverse_root(numbers), rtol=1e-6)
    np.testing.assert_allclose(found, 1 / np.sqrt(numbers.astype(float)), rtol=7e-4)


@pytest.mark.parametrize(("code", "outputs"), [(LOGISTIC, 1), (SQUARED, 1), (SOFTMAX, 3)])
def test_pass_agrees_with_its_plain_twin_in_every_lane(code, outputs):
    """Side by side, each candidate gets the weights that the plain twin gives it alone, within 1e-4."""
    candidates = 4
    rows, known = block(code, outputs), traits()
    rates, l1, l2 = amounts(candidates, outputs)
    state = fresh_state(candidates * outputs)
    learn_rows(code, rows, np.arange(ROWS), known, state, rates, l1, l2, np.zeros(candidates))
    for candidate in range(candidates):
        lanes = slice(candidate * outputs, (candidate + 1) * outputs)
        weights, sums = plain_pass(code, rows, known, (rates[lanes], l1[lanes], l2[lanes]), outputs)
        np.testing.assert_allclose(state[:, lanes], weights, atol=1e-4)
        np.testing.assert_allclose(
            state[:, candidates * outputs :][:, lanes], sums, rtol=1e-3, err_msg="sums of squared gradients"
        )


@pytest.mark.parametrize(("code", "outputs"), [(LOGISTIC, 1), (SQUARED, 1), (SOFTMAX, 120)])
def test_one_row_at_a_time_is_one_pass_bit_for_bit(code, outputs):
    """A pass over all rows and a call for each row run the same code: weights, sums and losses have the same bits."""
    rows, known = block(code, outputs), traits()
    whole, single = fresh_state(outputs), fresh_state(outputs)
    losses, one_by_one = np.zeros(1), np.zeros(1)
    learn_rows(code, rows, np.arange(ROWS), known, whole, *amounts(1, outputs), losses)
    for i in range(ROWS):
        learn_rows(code, rows, np.array([i]), known, single, *amounts(1, outputs), one_by_one)
    assert whole.tobytes() == single.tobytes()
    assert losses.tobytes() == one_by_one.tobytes()


def test_progressive_loss_is_taken_before_the_step():
    """The loss that a pass reports for its first row is the loss of the untouched weights."""
    rows, known = block(LOGISTIC, 1), traits()
    state, losses = fresh_state(1), np.zeros(1)
    learn_rows(LOGISTIC, rows, np.arange(1), known, state, *amounts(1, 1), losses)
    assert losses[0] == pytest.approx(rows.weights[0] * np.log(2), rel=1e-6)


def test_judging_changes_no_weight():
    """Judging rows reads the weights and leaves them alone."""
    rows, known = block(LOGISTIC, 1), traits()
    state = fresh_state(1)
    learn_rows(LOGISTIC, rows, np.arange(ROWS), known, state, *amounts(1, 1), np.zeros(1))
    before = state.tobytes()
    judge_rows(LOGISTIC, rows, np.arange(ROWS), known, state, 1, np.zeros(1))
    assert state.tobytes() == before


@pytest.mark.parametrize("code", [LOGISTIC, SQUARED])
def test_weights_stay_finite_when_values_and_rates_are_extreme(code):
    """Neither values of 1e30 nor a learning rate of 1,000 makes a weight that is not finite."""
    rows, known = block(code, 1), traits()
    rows.values[::7] = 1e30
    rates, l1, l2 = amounts(1, 1)
    state, losses = fresh_state(1), np.zeros(1)
    for _ in range(3):
        learn_rows(code, rows, np.arange(ROWS), known, state, rates * 10_000, l1 * 0, l2 * 0, losses)
    assert np.isfinite(state).all()
    assert np.isfinite(losses).all()


def test_regularisation_weighs_on_rare_and_frequent_features_alike():
    """With no signal in the labels, one pass shrinks a rare feature's weight as much as a frequent one's."""
    ids = np.ones(1000, np.uint32)
    ids[::20] = 2
    labels = np.full(1000, 0.0, np.float32)
    rows = SparseRows(np.arange(1001), ids, np.ones(1000, np.float32), labels, np.zeros(1000, np.float32))
    known = np.array([[1, 0], [1, 1000 / 950], [1, 20]], np.float32)
    state = np.ones((3, 2), np.float32)
    one = np.ones(1, np.float32)
    learn_rows(SQUARED, rows, np.arange(1000), known, state, one, one * 0, one * 1e-3, np.zeros(1))
    assert state[1, 0] == pytest.approx(np.exp(-1), rel=0.02)
    assert state[2, 0] == pytest.approx(np.exp(-1), rel=0.02)
    assert state[0, 0] == 1


def test_mean_of_the_weights_counts_later_passes_more():
    """After passes 1, 2, 3 the mean is one part of the first weights, two of the second, three of the third."""
    states = [np.random.default_rng(seed).normal(size=(5, 4)).astype(np.float32) for seed in range(3)]
    mean = np.zeros((5, 2), np.float32)
    for number, state in enumerate(states, 1):
        follow_weights(mean, state, np.float32(2 / (number + 1)))
    expected = sum(part * state[:, :2] for part, state in enumerate(states, 1)) / 6
    np.testing.assert_allclose(mean, expected, atol=1e-6)
