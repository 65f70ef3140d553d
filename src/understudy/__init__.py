"""Understudy: a model behind a stable name, kept fresh without anybody looking after it.

Rows are extracted, transformed into observations, described by a data source, learned into a model, judged by an
evaluation, admitted by a promotion, answered by an endpoint.
"""

__version__ = "0.1.0"
