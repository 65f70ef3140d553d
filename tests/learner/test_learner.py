import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learner.worlds import features_of, rows_of, same, take, world
from understudy.errors import TrainingError, UsageError
from understudy.features import FeatureColumns, Features, Number, Single, Tokens
from understudy.learner import candidates
from understudy.learner.learner import Settings, audition, learn
from understudy.learner.losses import probabilities
from understudy.learner.rows import Rows
from understudy.learner.scoring import KeyIndex, decision, decision_by_column

each_loss = pytest.mark.parametrize(("loss", "outputs"), [("logistic", 1), ("squared", 1), ("softmax", 3)])


def scored(fit, features):
    """Return what the fit predicts."""
    return probabilities(decision(features, fit.keys, fit.weights, fit.intercept), fit.loss)


@each_loss
def test_learning_gives_the_same_bits_on_any_number_of_threads(loss, outputs):
    """One thread or three: the same fit and the same log."""
    features, labels = world(loss=loss)
    one, three = (
        learn(rows_of(features, labels), loss, outputs, Settings(max_passes=6, threads=threads)) for threads in (1, 3)
    )
    assert same(one, three)
    assert repr(one.log) == repr(three.log)


def test_learning_gives_the_same_bits_in_memory_and_in_files(tmp_path):
    """Spilled rows, in other batches, are learned to the same fit."""
    features, labels = world()
    spilled = Rows(tmp_path, memory=5_000)
    for first in range(0, 600, 70):
        part = np.arange(first, min(first + 70, 600))
        spilled.append(take(features, part), labels[part])
    chosen = Settings(max_passes=5)
    one, other = learn(rows_of(features, labels), "logistic", 1, chosen), learn(spilled, "logistic", 1, chosen)
    assert one.weights == pytest.approx(other.weights, rel=1e-5)
    assert same(one, other)


@each_loss
def test_learned_model_finds_the_truth_of_a_small_world(loss, outputs):
    """On rows that it has not seen, the fit comes close to what can be known."""
    features, labels = world(2000, loss=loss)
    fit = learn(rows_of(take(features, np.arange(1400)), labels[:1400]), loss, outputs)
    found = scored(fit, take(features, np.arange(1400, 2000)))
    truth = labels[1400:]
    if loss == "squared":
        assert np.sqrt(np.mean((found[:, 0] - truth) ** 2)) < 1.3
    elif loss == "logistic":
        assert np.mean((found[:, 0] > 0.5) == truth) > 0.85
    else:
        assert np.mean(found.argmax(axis=1) == truth) > 0.8


def test_file_sorted_by_class_is_learned_like_a_mixed_one():
    """Sorting the rows by their label costs hardly any loss."""
    features, labels = world(2000)
    order = np.argsort(labels, kind="stable")
    mixed = learn(rows_of(features, labels), "logistic", 1)
    sorted_rows = learn(rows_of(take(features, order), labels[order]), "logistic", 1)
    assert sorted_rows.validation_loss == pytest.approx(mixed.validation_loss, abs=0.02)


@given(exponent=st.integers(-12, -4) | st.integers(0, 12))
@settings(max_examples=8, deadline=None)
def test_unit_of_a_number_makes_no_difference(exponent):
    """In nanometres or light years, the loss is the same within a hundredth; 0.001 to 1 is a size given on purpose."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=400)
    labels = (x + rng.logistic(scale=0.3, size=400) > 0).astype(float)
    plain, scaled = (
        learn(rows_of(features_of(np.zeros((400, 1)), (x * unit)[:, None]), labels), "logistic", 1, Settings(l2=1e-4))
        for unit in (1.0, 10.0**exponent)
    )
    assert scaled.validation_loss == pytest.approx(plain.validation_loss, abs=0.01)


def test_outliers_among_values_do_not_drown_a_signal():
    """Two absurd values among six hundred leave the rest of the rows predictable."""
    features, labels = world()
    values = features.values.copy()
    values[[21, 401]] = 1e9, -1e8
    spoiled = type(features)(features.indptr, features.keys, values)
    fit = learn(rows_of(spoiled, labels), "logistic", 1)
    found = scored(fit, features)[:, 0]
    assert np.mean((found > 0.5) == labels) > 0.85


def test_outlier_among_labels_leaves_the_model_near_the_others():
    """One label a thousand times too large moves predictions by less than the target's own spread."""
    features, labels = world(loss="squared")
    spoiled = labels.copy()
    spoiled[7] = 1e5
    found = scored(learn(rows_of(features, spoiled), "squared", 1), features)[:, 0]
    assert np.sqrt(np.mean((found - labels) ** 2)) < labels.std()


def test_rare_class_keeps_its_frequency():
    """With five positive rows in five hundred, the mean prediction is near one in a hundred."""
    labels = np.zeros(500)
    labels[::100] = 1
    fit = learn(rows_of(features_of(np.arange(500)[:, None] % 7), labels), "logistic", 1)
    assert scored(fit, features_of(np.arange(500)[:, None] % 7)).mean() == pytest.approx(0.01, abs=0.005)


@each_loss
def test_constant_target_is_predicted_as_it_is(loss, outputs):
    """Where every row has the same label, that label is what is predicted."""
    features, _ = world()
    found = scored(learn(rows_of(features, np.ones(600)), loss, outputs), features)
    assert np.isfinite(found).all()
    assert found[:, 1 if loss == "softmax" else 0].min() > 0.98


@each_loss
@pytest.mark.parametrize("count", [1, 2, 7])
def test_handful_of_rows_makes_a_finite_model(loss, outputs, count):
    """One row, two rows, seven rows: a model comes out, and its predictions are finite."""
    features, labels = world(count, loss=loss)
    assert np.isfinite(scored(learn(rows_of(features, labels), loss, outputs), features)).all()


@each_loss
def test_rows_without_features_give_the_target_s_mean(loss, outputs):
    """With nothing known of the rows, the prediction is how often each label comes, or the labels' mean."""
    _, labels = world(loss=loss)
    nothing = type(features_of([[0]]))(np.zeros(601, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.float32))
    fit = learn(rows_of(nothing, labels), loss, outputs)
    expected = np.bincount(labels.astype(int)) / 600 if loss == "softmax" else [labels.mean()]
    assert len(fit.keys) == 0
    np.testing.assert_allclose(scored(fit, nothing)[0], expected, rtol=0.05)


def test_hundred_and_fifty_classes_are_told_apart():
    """More classes than a line of lanes: each is found by its own feature."""
    labels = np.arange(1500) % 150
    features = features_of(labels[:, None])
    found = scored(learn(rows_of(features, labels.astype(float)), "softmax", 150), features)
    assert (found.argmax(axis=1) == labels).mean() > 0.99


def test_importance_weight_counts_like_repeated_rows():
    """A row of weight 3 pulls the mean prediction as three rows would."""
    labels = np.tile([0.0, 1.0], 200)
    fit = learn(rows_of(features_of(np.zeros((400, 1))), labels, np.where(labels == 1, 3.0, 1.0)), "logistic", 1)
    assert scored(fit, features_of([[0]]))[0, 0] == pytest.approx(0.75, abs=0.03)


def test_given_regularisation_is_exactly_what_is_used():
    """Where L1 or L2 is given, every candidate has it, zero included."""
    features, labels = world()
    l2 = learn(rows_of(features, labels), "logistic", 1, Settings(l2=0.25, max_passes=2))
    none = learn(rows_of(features, labels), "logistic", 1, Settings(l1=0.0, max_passes=2))
    assert {(r.candidate.l1, r.candidate.l2) for r in l2.log} == {(0.0, 0.25)}
    assert {(r.candidate.l1, r.candidate.l2) for r in none.log} == {(0.0, 0.0)}
    assert np.abs(l2.weights).max() < np.abs(none.weights).max()
    with pytest.raises(UsageError, match="both L1"):
        learn(rows_of(features, labels), "logistic", 1, Settings(l1=0.1, l2=0.1))


def test_l1_makes_weights_of_noise_vanish():
    """Features without a signal lose their weights, and a weight of 0 is not kept."""
    rng = np.random.default_rng(2)
    signal = rng.integers(0, 2, 1000)
    features = features_of(np.stack([signal, *(rng.integers(0, 5, 1000) for _ in range(6))], 1))
    labels = (signal + rng.normal(size=1000) > 0.5).astype(float)
    dense = learn(rows_of(features, labels), "logistic", 1, Settings(l1=0.0))
    sparse = learn(rows_of(features, labels), "logistic", 1, Settings(l1=0.02))
    assert len(sparse.keys) < len(dense.keys) / 3
    assert np.isin(features.keys[:1] if signal[0] else features.keys[:7][:1], sparse.keys).any()


def test_passes_never_exceed_the_cap():
    """`sgd.maxPasses` bounds the passes of every candidate and of the model."""
    features, labels = world()
    fit = learn(rows_of(features, labels), "logistic", 1, Settings(max_passes=3))
    assert fit.passes <= 3
    assert max(report.passes for report in fit.log) <= 3


def test_size_limit_keeps_the_most_useful_weights():
    """Under a size limit the weights that matter least are dropped, and the intercept stays."""
    features, labels = world()
    whole = learn(rows_of(features, labels), "logistic", 1)
    small = learn(rows_of(features, labels), "logistic", 1, Settings(max_size_bytes=5 * 20))
    assert len(small.keys) == 5
    assert small.intercept == whole.intercept
    number = features.keys[1]
    assert number in small.keys
    assert (np.diff(small.keys.astype(object)) > 0).all()


def test_log_tells_of_every_candidate_after_every_pass():
    """The log holds finite losses, the least of which chose; who listens hears of every row once."""
    features, labels = world()
    heard = []
    fit = learn(rows_of(features, labels), "logistic", 1, Settings(max_passes=3), heard.append)
    assert sum(heard) == 600
    assert all(math.isfinite(report.progressive_loss) for report in fit.log)
    chosen = [report for report in fit.log if report.candidate == fit.candidate]
    assert fit.validation_loss == min(r.validation_loss for r in fit.log if math.isfinite(r.validation_loss))
    assert chosen[-1].updates == 600 * fit.passes


def test_learning_without_rows_or_weight_or_with_wrong_labels_is_refused():
    """No rows, no weight at all, a label beyond the classes: each is refused with what was found."""
    with pytest.raises(TrainingError, match="no rows"):
        learn(Rows(), "logistic", 1)
    with pytest.raises(TrainingError, match="weight 0"):
        learn(rows_of(features_of([[1]]), np.ones(1), np.zeros(1)), "logistic", 1)
    with pytest.raises(TrainingError, match=r"label is 2\.0"):
        learn(rows_of(features_of([[1]]), np.full(1, 2.0)), "logistic", 1)


def test_scores_of_one_row_and_of_a_batch_have_the_same_bits():
    """A row is scored alike by itself and among others, and unknown keys count for nothing."""
    features, labels = world()
    fit = learn(rows_of(features, labels), "logistic", 1, Settings(max_passes=2))
    whole = decision(features, fit.keys, fit.weights, fit.intercept)
    single = [decision(take(features, np.array([i])), fit.keys, fit.weights, fit.intercept)[0] for i in range(600)]
    assert whole.tobytes() == np.array(single).tobytes()
    assert (decision(features_of([[777]]), fit.keys, fit.weights, fit.intercept)[0] == fit.intercept).all()


@each_loss
def test_audition_prefers_the_telling_view_of_the_rows(loss, outputs):
    """Of two ways to see the same rows, the one that shows what labels hang on has the smaller loss."""
    features, labels = world(loss=loss)
    dull = features_of(np.arange(600)[:, None] % 5)
    telling, dumb = (audition(rows_of(f, labels), loss, outputs, Settings(), 0.15) for f in (features, dull))
    assert telling < 0.9 * dumb


@each_loss
def test_audition_holds_out_the_same_rows_however_many_features(loss, outputs):
    """A thousand features that are 0 throughout change nothing of a loss: the same rows are judged in the same way."""
    features, labels = world(loss=loss)
    keys, values = features.keys.reshape(600, -1), features.values.reshape(600, -1)
    keys = np.concatenate([keys, np.tile(np.arange(1000, dtype=np.uint64), (600, 1))], axis=1)
    values = np.concatenate([values, np.zeros((600, 1000), np.float32)], axis=1)
    wide = Features(np.arange(601) * keys.shape[1], keys.ravel(), values.ravel())
    lean, fat = (audition(rows_of(f, labels), loss, outputs, Settings(), 0.02) for f in (features, wide))
    assert lean == fat


@given(st.integers(0, 300), st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_scores_by_column_are_those_by_row_bit_for_bit(rows, outputs, seed):
    """Singles, numbers and tokens, known to the model or not: column by column the sums have the bits of row by row."""
    rng = np.random.default_rng(seed)
    known = np.unique(rng.integers(0, 2**64, 40, dtype=np.uint64))
    some = np.concatenate([known, rng.integers(0, 2**64, 20, dtype=np.uint64)])
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 4, rows))])
    numbers = np.where(rng.random(rows) < 0.3, np.nan, np.round(rng.normal(size=rows)))
    columns = FeatureColumns(
        rows,
        (
            Single(rng.choice(some, 9), rng.integers(0, 9, rows).astype(np.int32)),
            Number(int(rng.choice(some)), int(rng.choice(some)), numbers),
            Tokens(offsets, rng.choice(some, offsets[-1])),
        ),
    )
    weights = rng.normal(size=(len(known), outputs)).astype(np.float32)
    intercept = rng.normal(size=outputs)
    by_row = decision(columns.sparse(), known, weights, intercept)
    assert decision_by_column(columns, KeyIndex(known), weights, intercept).tobytes() == by_row.tobytes()


def test_index_of_no_key_or_one_finds_what_there_is():
    """A model without features, and one with a single one, are indexed like any other."""
    wanted = np.array([0, 5, 2**64 - 1], np.uint64)
    assert KeyIndex(np.zeros(0, np.uint64)).places(wanted).tolist() == [-1, -1, -1]
    assert KeyIndex(np.array([5], np.uint64)).places(wanted).tolist() == [-1, 0, -1]


def test_small_validation_part_may_be_learned_last(monkeypatch, tmp_path):
    """Where few rows were held out, the chosen lanes learn them, too, and no pass is made again; bits and log hold."""
    monkeypatch.setattr(candidates, "CROSS_VALIDATED", 0)
    features, labels = world(n=4000)
    again = learn(rows_of(features, labels), "logistic", 1, Settings(max_passes=2))
    monkeypatch.setattr(candidates, "SMALL_SHARE", 1.0)
    last = learn(rows_of(features, labels), "logistic", 1, Settings(max_passes=2))
    spilled = Rows(tmp_path, memory=5_000)
    spilled.append(features, labels)
    assert same(last, learn(spilled, "logistic", 1, Settings(max_passes=2, threads=1)))
    assert last.candidate == again.candidate
    assert last.log[-1].updates == 4000 * last.passes
    assert not same(last, again)
    likelihood = [
        np.log(np.where(labels == 1, p, 1 - p)).mean() for p in (scored(f, features)[:, 0] for f in (last, again))
    ]
    assert likelihood[0] == pytest.approx(likelihood[1], abs=0.01)


@pytest.mark.parametrize("every", [1, 8000])
@pytest.mark.parametrize(("loss", "outputs"), [("logistic", 1), ("softmax", 3)])
def test_worse_candidates_are_dropped_within_the_first_pass(monkeypatch, tmp_path, loss, outputs, every):
    """Where fewer candidates are cheaper, the worse half goes by its loss so far; in memory and in files alike."""
    monkeypatch.setattr(candidates, "CROSS_VALIDATED", 0)
    monkeypatch.setattr(candidates, "MEAN_ROWS", every)
    monkeypatch.setattr(candidates, "CACHED_BYTES", 0)
    monkeypatch.setattr(candidates, "EARLY_ROWS", 0)
    features, labels = world(n=4000, loss=loss)
    fit = learn(rows_of(features, labels), loss, outputs, Settings(max_passes=3))
    dropped = [report for report in fit.log if math.isinf(report.validation_loss)]
    assert [report.updates for report in dropped] == [250] * 8 + [1000] * 4
    judged = {report.candidate for report in fit.log if report.passes == 1 and math.isfinite(report.validation_loss)}
    assert len(judged) == 4
    assert fit.candidate in judged
    spilled = Rows(tmp_path, memory=5_000)
    spilled.append(features, labels)
    assert same(fit, learn(spilled, loss, outputs, Settings(max_passes=3, threads=1)))


@pytest.mark.parametrize(("loss", "outputs"), [("logistic", 1), ("squared", 1), ("softmax", 3)])
def test_mean_within_passes_is_the_same_from_memory_and_files_and_makes_one_pass_worth_more(
    monkeypatch, tmp_path, loss, outputs
):
    """Of many rows the mean follows the weights within a pass: one pass is better, and its bits hold."""
    monkeypatch.setattr(candidates, "CROSS_VALIDATED", 0)
    features, labels = world(n=40_000, loss=loss)
    once = learn(rows_of(features, labels), loss, outputs, Settings(max_passes=1))
    monkeypatch.setattr(candidates, "MEAN_ROWS", 2_000)
    often = learn(rows_of(features, labels), loss, outputs, Settings(max_passes=1, threads=3))
    spilled = Rows(tmp_path, memory=50_000)
    spilled.append(features, labels)
    assert same(often, learn(spilled, loss, outputs, Settings(max_passes=1, threads=1)))
    assert often.validation_loss < once.validation_loss


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_many_rows_stop_at_the_first_pass_without_progress_and_keep_the_best(monkeypatch, tmp_path, share):
    """Over many rows one idle pass ends learning; the model is that of the best pass, whether kept or learned anew."""
    monkeypatch.setattr(candidates, "CROSS_VALIDATED", 0)
    monkeypatch.setattr(candidates, "MEAN_ROWS", 300)
    monkeypatch.setattr(candidates, "SMALL_SHARE", share)
    features, labels = world(n=6000)
    fit = learn(rows_of(features, labels), "logistic", 1, Settings(threads=3))
    judged = [report for report in fit.log if math.isfinite(report.validation_loss)]
    passes = range(1, 1 + max(report.passes for report in judged))
    losses = [min(report.validation_loss for report in judged if report.passes == number) for number in passes]
    idle = [loss >= 0.999 * min(losses[:number]) for number, loss in enumerate(losses) if number]
    assert idle == [False] * (len(idle) - 1) + [True]
    assert losses[fit.passes - 1] == min(losses)
    spilled = Rows(tmp_path, memory=5_000)
    spilled.append(features, labels)
    assert same(fit, learn(spilled, "logistic", 1, Settings(threads=1)))
