import numpy as np
import pytest

from learner.test_kernels import amounts, plain_pass
from understudy.learner.block import Block, join
from understudy.learner.candidates import aligned
from understudy.learner.kernels import FIRST_SUM, LOGISTIC, SOFTMAX, SQUARED, SparseRows
from understudy.learner.passes import filled_up, judge_rows, learn_rows

FEATURES, ROWS = 30, 400
ONES, NUMBERS, TOKENS = 3, 2, 2


def block(code, outputs, seed=0):
    """Draw rows with three features of value 1, two numbers, some of them missing or 0, and two tokens."""
    rng = np.random.default_rng(seed)
    numbers = (rng.normal(size=(ROWS, NUMBERS)) * 10.0 ** rng.integers(-1, 2, (ROWS, NUMBERS))).astype(np.float32)
    numbers[rng.random((ROWS, NUMBERS)) < 0.2] = np.nan
    numbers[rng.random((ROWS, NUMBERS)) < 0.1] = 0
    ones = np.stack([rng.integers(first, first + 6, ROWS) for first in (1, 7, 13)], axis=1)
    ones[:, 1][rng.random(ROWS) < 0.1] = 0
    labels = rng.normal(size=ROWS) if code == SQUARED else rng.integers(0, max(outputs, 2), ROWS)
    return Block(
        np.arange(ROWS),
        ones.astype(np.uint32),
        numbers,
        np.array([19, 20], np.uint32),
        np.array([21, 22], np.uint32),
        np.arange(ROWS + 1) * TOKENS,
        np.stack([rng.integers(23, 27, ROWS), rng.integers(27, 31, ROWS)], axis=1).ravel().astype(np.uint32),
        rng.uniform(0.1, 1, ROWS * TOKENS).astype(np.float32),
        labels.astype(np.float32),
        rng.uniform(0.5, 2, ROWS).astype(np.float32),
    )


def sparse(rows):
    """Write the same rows as the plain twin reads them."""
    ids, values, lengths = [], [], []
    for row in range(len(rows.labels)):
        found = [(f, 1.0) for f in rows.ones[row] if f]
        for number, f, missing in zip(rows.numbers[row], rows.number_ids, rows.missing_ids, strict=True):
            if np.isnan(number):
                found.append((missing, 1.0))
            elif number != 0:
                found.append((f, number))
        places = range(rows.indptr[row], rows.indptr[row + 1])
        found += [(rows.ids[place], rows.values[place]) for place in places]
        ids += [f for f, _ in found]
        values += [value for _, value in found]
        lengths.append(len(found))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return SparseRows(indptr, np.array(ids), np.array(values, np.float32), rows.labels, rows.weights)


def traits():
    """Scales and frequencies that differ from feature to feature; what has value 1 has scale 1."""
    rng = np.random.default_rng(9)
    result = np.stack([rng.uniform(0.2, 2, FEATURES + 1), rng.uniform(1, 5, FEATURES + 1)], 1)
    result[:19, 0] = result[21:23, 0] = 1
    result[0] = 1, 0
    return result.astype(np.float32)


def learned(code, outputs, candidates, rows):
    """Learn these rows once; return state, width, amounts and losses."""
    lanes = candidates * outputs
    width = filled_up(lanes, code)
    state = aligned(FEATURES + 1, 2 * width)
    state[:, width:] = FIRST_SUM
    filled = tuple(np.zeros(width, np.float32) for _ in range(3))
    for amount, lanes_of_it in zip(amounts(candidates, outputs), filled, strict=True):
        lanes_of_it[:lanes] = amount
    losses = learn_rows(code, rows, np.arange(ROWS), traits(), state, lanes, filled, candidates)
    return state, width, filled, losses


@pytest.mark.parametrize("candidates", [1, 3, 6, 12])
@pytest.mark.parametrize(("code", "outputs"), [(LOGISTIC, 1), (SQUARED, 1), (SOFTMAX, 3), (SOFTMAX, 20)])
def test_pass_agrees_with_its_plain_twin_in_every_lane(code, outputs, candidates):
    """Whatever the width of the vectors, each candidate gets the weights that the plain twin gives it, within 1e-4."""
    rows = block(code, outputs)
    state, width, (rates, l1, l2), _ = learned(code, outputs, candidates, rows)
    for candidate in range(candidates):
        lanes = slice(candidate * outputs, (candidate + 1) * outputs)
        weights, sums = plain_pass(code, sparse(rows), traits(), (rates[lanes], l1[lanes], l2[lanes]), outputs)
        np.testing.assert_allclose(state[:, lanes], weights, atol=1e-4)
        np.testing.assert_allclose(state[:, width:][:, lanes], sums, rtol=1e-3, err_msg="sums of squared gradients")


@pytest.mark.parametrize(("code", "outputs"), [(LOGISTIC, 1), (SQUARED, 1), (SOFTMAX, 3)])
def test_lanes_beyond_the_candidates_stay_as_they_were(code, outputs):
    """What fills up the last vector is never moved."""
    state, width, _, _ = learned(code, outputs, 3, block(code, outputs))
    assert (state[:, 3 * outputs : width] == 0).all()


@pytest.mark.parametrize(("code", "outputs"), [(LOGISTIC, 1), (SQUARED, 1), (SOFTMAX, 120)])
def test_blocks_one_after_the_other_are_one_pass_bit_for_bit(code, outputs):
    """Where a block ends changes no bit of the weights."""
    rows = block(code, outputs)
    whole, width, filled, losses = learned(code, outputs, 1, rows)
    cut, known = aligned(FEATURES + 1, 2 * width), traits()
    cut[:, width:] = FIRST_SUM
    parts = [rows.take(np.arange(0, 150)), rows.take(np.arange(150, ROWS))]
    sums = [learn_rows(code, part, np.arange(len(part.labels)), known, cut, outputs, filled, 1) for part in parts]
    assert whole.tobytes() == cut.tobytes()
    assert sums[0] + sums[1] == pytest.approx(losses)


def test_joined_parts_are_the_rows_again():
    """Taking rows apart and joining them gives every column back."""
    rows = block(LOGISTIC, 1)
    again = join([rows.take(np.arange(0, 7)), rows.take(np.arange(7, ROWS))])
    assert all((one == other).all() or np.isnan(one).any() for one, other in zip(rows, again, strict=True))
    np.testing.assert_array_equal(rows.numbers, again.numbers)


@pytest.mark.parametrize("outputs", [3, 16, 20])
def test_row_of_untouched_weights_costs_what_a_guess_among_all_classes_does(outputs):
    """Lanes that fill up the last vector are no classes: without a weight a row costs the logarithm of their number."""
    rows = block(SOFTMAX, outputs)
    width = filled_up(outputs, SOFTMAX)
    losses = judge_rows(SOFTMAX, rows, np.arange(ROWS), traits(), aligned(FEATURES + 1, width), width, outputs, 1)
    assert losses[0] == pytest.approx(rows.weights.sum() * np.log(outputs), rel=1e-6)


@pytest.mark.parametrize(("code", "outputs"), [(LOGISTIC, 1), (SQUARED, 1), (SOFTMAX, 20)])
@pytest.mark.parametrize(("l1", "l2"), [(0, 0), (1e-3, 0), (0, 1e-2)])
def test_amounts_of_zero_are_no_regularisation(code, outputs, l1, l2):
    """Where there is no L1, or no L2, its part of the step is left out: the weights are those of the plain twin."""
    rows, width = block(code, outputs), filled_up(outputs, code)
    state = aligned(FEATURES + 1, 2 * width)
    state[:, width:] = FIRST_SUM
    filled = tuple(np.repeat(np.float32([amount, 0]), [outputs, width - outputs]) for amount in (0.1, l1, l2))
    learn_rows(code, rows, np.arange(ROWS), traits(), state, outputs, filled, 1)
    of_one = tuple(amount[:outputs] for amount in filled)
    weights, _ = plain_pass(code, sparse(rows), traits(), of_one, outputs)
    np.testing.assert_allclose(state[:, :outputs], weights, atol=1e-4)


@pytest.mark.parametrize(("code", "outputs"), [(LOGISTIC, 1), (SQUARED, 1), (SOFTMAX, 3)])
def test_losses_are_those_from_before_the_steps(code, outputs):
    """Judging untouched weights gives the loss of the first row that learning reports, and moves nothing."""
    rows = block(code, outputs)
    first = rows.take(np.arange(1))
    state, width, filled, _ = learned(code, outputs, 3, rows)
    fresh = np.zeros_like(state)
    fresh[:, width:] = FIRST_SUM
    judged = judge_rows(code, first, np.arange(1), traits(), fresh, width, 3 * outputs, 3)
    assert (fresh[:, :width] == 0).all()
    reported = learn_rows(code, first, np.arange(1), traits(), fresh, 3 * outputs, filled, 3)
    np.testing.assert_allclose(judged, reported)
    assert judged[0] > 0


@pytest.mark.parametrize("code", [LOGISTIC, SQUARED])
def test_weights_stay_finite_when_values_and_rates_are_extreme(code):
    """Neither values of 1e30 nor a learning rate of 1,000 makes a weight that is not finite."""
    rows = block(code, 1)
    rows.values[::7] = 1e30
    rows.numbers[::5] = -1e30
    state, amount = aligned(FEATURES + 1, 2), np.full(1, 1000, np.float32)
    state[:, 1:] = FIRST_SUM
    for _ in range(3):
        losses = learn_rows(code, rows, np.arange(ROWS), traits(), state, 1, (amount, amount * 0, amount * 0), 1)
    assert np.isfinite(state).all()
    assert np.isfinite(losses).all()
