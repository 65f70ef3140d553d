"""Metrics: plain functions of arrays, one-pass accumulators that merge, and the catalogue of their names.

The catalogue is all that most modules need; what computes is imported from where it stands, by whoever computes.
"""

from understudy.metrics.catalogue import DEFAULT_METRIC, METRICS, Metric

__all__ = ["DEFAULT_METRIC", "METRICS", "Metric"]
