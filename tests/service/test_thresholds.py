"""One comparison of scores with a threshold, for single scores and for arrays."""

import numpy as np
import pytest

from understudy.service.thresholds import is_positive


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 0.7, 1.0, float(np.float32(0.3))])
def test_score_is_compared_as_it_is_shown(threshold):
    """Scores next to the threshold are judged by their 32 bits, one by one as in an array."""
    scores = np.array([np.nextafter(threshold, 0), threshold, np.nextafter(threshold, 1), 0.25])
    expected = [float(np.float32(score)) >= threshold for score in scores]
    assert [is_positive(float(score), threshold) for score in scores] == expected
    assert is_positive(scores, threshold).tolist() == expected
    assert is_positive(scores.astype(np.float32), threshold).tolist() == expected


def test_what_a_client_sees_decides():
    """A score of 64 bits that reaches 0.7 is shown below it, and is a 0."""
    assert not is_positive(0.7, 0.7)
    assert is_positive(np.nextafter(float(np.float32(0.75)), 0), 0.75)
