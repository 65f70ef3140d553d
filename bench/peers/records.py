"""Peers that learn one record at a time, in this process: predict, then learn.

    python records.py WAY FOLDER KNOWN ROWS

WAY is a peer and where it begins: `features` (its own form of a row is there already) or `record` (names and texts).
Every peer sees the same: each number in one of 20 quantile bins, each category as it is. The first KNOWN rows are
learned beside the clock, and the bins cut by them.
"""

from __future__ import annotations

import sys
from bisect import bisect
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from one_by_one import Record, one_by_one, read_records

BINS = 20


class Peer(NamedTuple):
    """What a peer can do."""

    form: Callable[[list[str]], Any]
    """Bring tokens `name=value` into its own form."""
    label: Callable[[Any, int], Any]
    """Give a row in this form its label."""
    predict: Callable[[Any], float]
    learn: Callable[[Any, int], object]


def river(optimizer: str) -> Peer:
    """River's logistic regression."""
    from river import linear_model, optim  # noqa: PLC0415 - who does not take part is not imported

    rates = {"adagrad": optim.AdaGrad(0.1), "sgd": optim.SGD(0.05)}
    model: Any = linear_model.LogisticRegression(rates[optimizer])
    return Peer(
        form=lambda tokens: dict.fromkeys(tokens, 1.0),
        label=lambda row, _: row,
        predict=lambda row: model.predict_proba_one(row)[True],
        learn=lambda row, label: model.learn_one(row, bool(label)),
    )


def vowpal() -> Peer:
    """Vowpal Wabbit as a library: it takes a line of text, or one that it has parsed before."""
    from vowpalwabbit import Workspace  # noqa: PLC0415

    workspace = Workspace("--quiet -b 22 --loss_function logistic --link logistic")

    def learn(row: Any, label: int) -> object:
        return workspace.learn(("1" if label else "-1") + row if isinstance(row, str) else row)

    return Peer(
        form=lambda tokens: " |f " + " ".join(tokens),
        label=lambda row, label: workspace.parse(("1" if label else "-1") + row),
        predict=workspace.predict,
        learn=learn,
    )


PEERS: dict[str, Callable[[], Peer]] = {
    "river_adagrad": lambda: river("adagrad"),
    "river_sgd": lambda: river("sgd"),
    "vowpal": vowpal,
}


def main(way: str, folder: Path, known: int, rows: int) -> None:
    """Learn the known rows, then go through the others one by one."""
    name, _, begins = way.partition(" ")
    peer = PEERS[name]()
    records, labels = read_records(folder / "records.csv", known + rows)
    edges = {name: _edges(records[:known], name) for name in records[0] if name.startswith("number")}
    for record, label in zip(records[:known], labels, strict=False):
        peer.learn(peer.form(_tokens(record, edges)), label)
    records, labels = records[known:], labels[known:]
    if begins == "features":
        ready = [
            peer.label(peer.form(_tokens(record, edges)), label) for record, label in zip(records, labels, strict=True)
        ]
        one_by_one(peer.predict, peer.learn, ready, labels)
    else:
        one_by_one(
            lambda record: peer.predict(peer.form(_tokens(record, edges))),
            lambda record, label: peer.learn(peer.form(_tokens(record, edges)), label),
            records,
            labels,
        )


def _edges(records: list[Record], name: str) -> list[float]:
    return sorted(set(quantiles([float(record[name]) for record in records if record[name]], n=BINS)))


def _tokens(record: Record, edges: dict[str, list[float]]) -> list[str]:
    """Write a record as tokens `name=value`."""
    return [
        f"{name}={bisect(edges[name], float(text)) if text else ''}" if name in edges else f"{name}={text}"
        for name, text in record.items()
    ]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
