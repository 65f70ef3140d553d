"""What the gate costs and what it saves: false promotions among simulated models, and real weeks with poisoned labels.

    python bench/gate.py                  both tables
    python bench/gate.py --years          simulated years only
    python bench/gate.py --weeks          banking, elec2 and adult only (needs scikit-learn and the shared data sets)

The weeks stand a plain logistic regression in for the product's learner: what is measured is the gate.
"""

from __future__ import annotations

import argparse
import gzip
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from understudy.hashing import fractions, hash_strings
from understudy.promotion import Paired, Promoted, Rule, RuleName, Status, Verdict, anchor_of, judge

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WEEKS_A_YEAR = 52
MARGIN = 0.01
ACCURACY, OWN = 0.8, 0.02
WEEK = 1_500
SHARES = (1.0, 0.5, 0.3, 0.2, 0.1)
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


# Simulated years: every week a challenger whose truth is known. Each model's answers differ from what everybody finds
# easy or hard by themselves on 2 % of the rows, so any two differ on about 4 %, as two refits do.


@dataclass
class Simulated:
    """A model of which this is known: how far below the year's first it truly is, and on which rows it is right."""

    loss: float
    right: Bools

    def meet(self, easy: Bools, random: np.random.Generator) -> None:
        """Answer more rows."""
        share = max(OWN, self.loss)
        falls = random.random(len(easy)) < (share + self.loss) / 2 / ACCURACY
        rises = random.random(len(easy)) < (share - self.loss) / 2 / (1 - ACCURACY)
        self.right = np.append(self.right, np.where(easy, ~falls, rises))


def simulate_year(rows_a_week: int, loss: float, rule: Rule, seed: int, *, remembers: bool) -> tuple[int, float]:
    """Run 52 gates, each challenger truly worse by `loss` than the champion it meets, all on the same held-out rows.

    Held-out rows gather from week to week, or each week shows only its own. Returns the promotions and the true loss
    of the year's last champion against its first.
    """
    random = np.random.default_rng(seed)
    easy = np.zeros(0, np.bool_)
    models = {"0": Simulated(0.0, easy)}
    promotions = [Promoted("0")]
    for week in range(1, WEEKS_A_YEAR + 1):
        new = random.random(rows_a_week) < ACCURACY
        start = len(easy) if remembers else 0
        easy = np.append(easy[:start], new)
        champion, anchor = (models[model_id] for model_id in (promotions[-1].model_id, anchor_of(promotions) or ""))
        challenger = Simulated(champion.loss + loss, new[:0])
        challenger.meet(easy, random)
        for model in [champion] if anchor is champion else [champion, anchor]:
            model.right = model.right[:start]
            model.meet(new, random)
        verdict = judge(
            pairs(champion.right[:start], challenger.right[:start]) if start else None,
            pairs(champion.right[start:], challenger.right[start:]),
            rule,
            anchor=None if anchor is champion else pairs(anchor.right, challenger.right),
        )
        if verdict.status is Status.ADMITTED:
            models[str(week)] = challenger
            promotions.append(promoted(str(week), verdict))
    return len(promotions) - 1, models[promotions[-1].model_id].loss


def promoted(model_id: str, verdict: Verdict) -> Promoted:
    """Note a promotion as the product does."""
    return Promoted(model_id, found=verdict.deciding)


def pairs(champion_right: Bools, challenger_right: Bools) -> Paired:
    """Pair two models of which only right or wrong is known."""
    labels = np.arange(len(champion_right)) % 5
    sure = np.ones(len(labels))
    said = [np.where(right, labels, (labels + 1) % 5) for right in (champion_right, challenger_right)]
    return Paired.multiclass(labels, (said[0], sure), (said[1], sure))


def show_years() -> None:
    print(f"A year of {WEEKS_A_YEAR} weekly challengers, each truly worse than the champion it meets by so much:")
    print(f"promotions, and the true loss of the last champion, mean and worst year (accuracy, margin {MARGIN}, 95 %)")
    for name, remembers in ((RuleName.NOT_WORSE, True), (RuleName.NOT_WORSE, False), (RuleName.BETTER, True)):
        for rows_a_week, years in ((200, 20), (1_000, 10), (5_000, 4))[: 2 if name is RuleName.BETTER else 3]:
            print(f"{name}, {rows_a_week:,} held-out rows a week{', and all before' if remembers else ' alone'}")
            for loss in (0.0, MARGIN / 2, MARGIN, 2 * MARGIN):
                rule = Rule("accuracy", name, margin=MARGIN)
                found = [simulate_year(rows_a_week, loss, rule, seed, remembers=remembers) for seed in range(years)]
                promotions, losses = np.array(found).T
                print(
                    f"    {loss:.3f}: {promotions.mean():5.2f} promoted, loss {losses.mean():.4f}, {losses.max():.3f}"
                )


# Real weeks: a full refit on all rows so far, judged, promoted or not; who serves answers the week after.


@dataclass
class Stream:
    """A data set in order: sparse features, labels, which rows train, and the week of each row."""

    name: str
    features: object
    labels: Floats
    trains: npt.NDArray[np.bool_]
    week: npt.NDArray[np.int64]

    @property
    def last(self) -> int:
        """The number of the last week."""
        return int(self.week.max())


def load(name: str, target: str, without: tuple[str, ...] = (), *, binned: bool = True) -> Stream:
    """Read a data set: the first fifth is week 0, then weeks of 1,500 rows; a hash of the row decides what trains."""
    tables = [
        pa.csv.read_csv(pa.BufferReader(gzip.decompress(path.read_bytes())))
        for path in sorted((DATA / name).glob("*.csv.gz"))
    ]
    table = pa.concat_tables(tables).drop_columns(list(without))
    text = [",".join(map(str, row.values())) for row in table.to_pylist()]
    names, codes = np.unique(table[target].to_numpy(zero_copy_only=False), return_inverse=True)
    assert len(names) == 2, names
    rows = table.num_rows
    week = np.maximum(0, (np.arange(rows) - rows // 5) // WEEK + 1)
    week = np.minimum(week, (rows - rows // 5) // WEEK)
    trains = fractions(hash_strings(pa.array(text), 7)) < 0.7
    return Stream(
        name if binned else f"{name}, unbinned",
        features_of(table.drop_columns([target]), rows // 5, binned=binned),
        codes.astype(np.float64),
        trains,
        week,
    )


def features_of(table: pa.Table, first: int, *, binned: bool) -> object:
    """One-hot every category; cut numbers at the quantiles of the first rows, or standardise them by these."""
    from scipy import sparse  # noqa: PLC0415 (the simulated years need no scikit-learn)

    parts = []
    for name in table.column_names:
        column = table[name].to_numpy(zero_copy_only=False)
        if column.dtype.kind in "if" and not binned:
            spread = column[:first].std() or 1.0
            parts.append(sparse.csr_matrix(((column - column[:first].mean()) / spread)[:, None]))
            continue
        if column.dtype.kind in "if":
            cuts = np.unique(np.quantile(column[:first], np.linspace(0, 1, 13)[1:-1]))
            codes = np.searchsorted(cuts, column, side="right")
        else:
            codes = np.unique(column.astype(str), return_inverse=True)[1]
        parts.append(sparse.csr_matrix((np.ones(len(codes)), (np.arange(len(codes)), codes))))
    return sparse.hstack(parts).tocsr()


def fit(stream: Stream, labels: Floats, week: int) -> Floats:
    """Learn all training rows up to a week; return every row's score."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (as above)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 (as above)

    rows = stream.trains & (stream.week <= week)
    with threadpool_limits(1):  # the solver's vectors are short: threads would only wait for each other
        model = LogisticRegression(max_iter=60).fit(stream.features[rows], labels[rows])
    return model.predict_proba(stream.features)[:, 1]


@dataclass
class Served:
    """What came of the weeks: mean accuracy a week later, against true labels, and the verdicts."""

    accuracy: float
    after: dict[int, float]
    verdicts: dict[int, Status]


def serve(stream: Stream, labels: Floats, models: dict[int, Floats], rule: Rule) -> Served:
    """Let the weeks that have a model pass through the gate."""
    champion, believed, held, after, verdicts = 0, 0, None, {}, {}
    promotions = [Promoted("0")]
    for week in range(1, max(models) + 1):

        def held_out(rival: int, above: int, upto: int, week: int = week) -> Paired:
            rows = ~stream.trains & (stream.week > above) & (stream.week <= upto)
            return Paired.binary(labels[rows], models[rival][rows], models[week][rows])

        anchor = int(anchor_of(promotions) or 0)
        verdict = judge(
            held_out(champion, -1, believed),
            held_out(champion, believed, week),
            rule,
            held_before=None if held is None else held_out(champion, held, week),
            anchor=None if anchor == champion else held_out(anchor, -1, week),
        )
        verdicts[week] = verdict.status
        believed = week if verdict.believed else believed
        if verdict.status is Status.ADMITTED:
            champion, held = week, None
            promotions.append(promoted(str(week), verdict))
        elif verdict.status is Status.HELD:
            held = week
        next_week = stream.week == week + 1
        after[week] = float(((models[champion][next_week] >= 0.5) == (stream.labels[next_week] > 0.5)).mean())
    return Served(float(np.mean(list(after.values()))), after, verdicts)


def bad_week(stream: Stream, week: int, share: float) -> tuple[Floats, Floats]:
    """Flip this share of one week's labels, held-out rows included; return all labels and a model's answers."""
    flipped = (stream.week == week) & (np.random.default_rng(week).random(len(stream.labels)) < share)
    labels = np.where(flipped, 1 - stream.labels, stream.labels)
    return labels, fit(stream, labels, week)


def positions(stream: Stream) -> list[int]:
    """Return the weeks that are poisoned in turn."""
    return [week for week in (2, 5, 9, 13, 17) if week < stream.last]


def show_weeks() -> None:
    streams = [
        load("banking", "y"),
        load("banking", "y", binned=False),
        load("elec2", "class", ("date",)),
        load("adult", "income"),
    ]
    for stream in streams:
        clean = {week: fit(stream, stream.labels, week) for week in range(stream.last)}
        always = serve(stream, stream.labels, clean, Rule("auc", RuleName.ALWAYS))
        never = serve(stream, stream.labels, clean, Rule("auc", RuleName.NEVER))
        print(f"\n{stream.name}: {stream.last - 1} weeks; always {always.accuracy:.4f}, never {never.accuracy:.4f}")
        bad_weeks = {(share, week): bad_week(stream, week, share) for share in SHARES for week in positions(stream)}
        for metric in ("auc", "accuracy"):
            show_gate(stream, clean, bad_weeks, always, Rule(metric, margin=MARGIN))


def show_gate(
    stream: Stream,
    clean: dict[int, Floats],
    bad_weeks: dict[tuple[float, int], tuple[Floats, Floats]],
    always: Served,
    rule: Rule,
) -> None:
    gate = serve(stream, stream.labels, clean, rule)
    holds = sum(status is Status.HELD for status in gate.verdicts.values())
    cost = gate.accuracy - always.accuracy
    print(f"  gate by {rule.metric}, clean weeks: {gate.accuracy:.4f} ({cost:+.4f}), {holds} held")
    for share in SHARES:
        kept, without, stopped = [], [], 0
        weeks = positions(stream)
        for week in weeks:
            labels, learned = bad_weeks[share, week]
            models = {before: clean[before] for before in range(week)} | {week: learned}
            guarded = serve(stream, labels, models, rule)
            stopped += guarded.verdicts[week] is not Status.ADMITTED
            kept.append(guarded.after[week])
            without.append(serve(stream, labels, models, Rule(rule.metric, RuleName.ALWAYS)).after[week])
        clean_after = np.mean([always.after[week] for week in weeks])
        print(
            f"    {share:4.0%} flipped: {stopped} of {len(weeks)} weeks kept out; accuracy the week after: "
            f"clean {clean_after:.3f}, always {np.mean(without):.3f}, gate {np.mean(kept):.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--years", action="store_true")
    parser.add_argument("--weeks", action="store_true")
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    if chosen.years or not chosen.weeks:
        show_years()
    if chosen.weeks or not chosen.years:
        show_weeks()


if __name__ == "__main__":
    main()
