"""One-pass, mergeable insights per attribute."""

from understudy.statistics.collect import SplitStatistics, Statistics
from understudy.statistics.insights import (
    BinaryInsight,
    Bins,
    CategoricalInsight,
    Insight,
    Insights,
    NumericInsight,
    TextInsight,
    ValueCount,
    Word,
)
from understudy.statistics.numbers import Distribution

__all__ = [
    "BinaryInsight",
    "Bins",
    "CategoricalInsight",
    "Distribution",
    "Insight",
    "Insights",
    "NumericInsight",
    "SplitStatistics",
    "Statistics",
    "TextInsight",
    "ValueCount",
    "Word",
]
