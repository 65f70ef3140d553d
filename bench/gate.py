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
Floats = npt.NDArray[np.float64]


# Simulated years: every week a challenger whose truth is known. Each model's answers differ from what everybody finds
# easy or hard by themselves on 2 % of the rows, so any two differ on about 4 %, as two refits do.

Bools = npt.NDArray[np.bool_]


@dataclass
class Simulated:
    """A model of which only this is known: how far below the year's first it truly is, and on which rows it is right."""

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
        for model in {id(model): model for model in (champion, anchor)}.values():
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
    found = verdict.anchor or verdict.looks.pooled
    return Promoted(model_id, difference=found.difference if found else None)


def pairs(champion_right: Bools, challenger_right: Bools) -> Paired:
    """Pair two models of which only right or wrong is known."""
    labels = np.arange(len(champion_right)) % 5
    sure = np.ones(len(labels))
    said = [np.where(right, labels, (labels + 1) % 5) for right in (champion_right, challenger_right)]
    return Paired.multiclass(labels, (said[0], sure), (said[1], sure))


def show_years() -> None:
    print(f"Promotions in a year of {WEEKS_A_YEAR} weekly challengers, and the true loss by its end: mean, 90 %, worst")
    print(f"margin {MARGIN}, accuracy, 95 %; each challenger truly worse than the champion it meets by ...")
    for name in (RuleName.NOT_WORSE, RuleName.BETTER):
        rule = Rule("accuracy", name, margin=MARGIN)
        for remembers in (True, False):
            for rows_a_week, years in ((200, 40), (1_000, 20), (5_000, 10 if not remembers else 4)):
                print(f"{name}, {rows_a_week:,} rows a week, {'and all before' if remembers else 'no others'}")
                for loss in (0.0, MARGIN / 2, MARGIN, 2 * MARGIN):
                    found = np.array(
                        [simulate_year(rows_a_week, loss, rule, seed, remembers=remembers) for seed in range(years)]
                    )
                    promotions, losses = found.T
                    print(
                        f"    {loss:.3f}: {promotions.mean():6.2f} promotions, loss {losses.mean():.4f} "
                        f"{np.quantile(losses, 0.9):.3f} {losses.max():.3f}"
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

    rows = stream.trains & (stream.week <= week)
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
    champion, believed, held, slid, after, verdicts = 0, 0, None, 0.0, {}, {}
    for week in range(1, max(models) + 1):
        old, new = models[champion], models[week]

        def held_out(above: int, upto: int, old: Floats = old, new: Floats = new) -> Paired:
            rows = ~stream.trains & (stream.week > above) & (stream.week <= upto)
            return Paired.binary(labels[rows], old[rows], new[rows])

        newer = None if held is None else held_out(held, week)
        verdict = judge(held_out(-1, believed), held_out(believed, week), rule, Evidence(slid=slid), newer)
        verdicts[week] = verdict.status
        slid = slide(slid, verdict)
        believed = week if verdict.believed else believed
        if verdict.status is Status.ADMITTED:
            champion, held = week, None
        elif verdict.status is Status.HELD:
            held = week
        next_week = stream.week == week + 1
        after[week] = float(((models[champion][next_week] >= 0.5) == (stream.labels[next_week] > 0.5)).mean())
    return Served(float(np.mean(list(after.values()))), after, verdicts)


def poisoned(stream: Stream, week: int, share: float) -> Floats:
    """Flip this share of one week's labels, held-out rows included."""
    flipped = (stream.week == week) & (np.random.default_rng(week).random(len(stream.labels)) < share)
    return np.where(flipped, 1 - stream.labels, stream.labels)


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
        for metric in ("auc", "accuracy"):
            show_gate(stream, clean, always, Rule(metric, margin=MARGIN))


def show_gate(stream: Stream, clean: dict[int, Floats], always: Served, rule: Rule) -> None:
    gate = serve(stream, stream.labels, clean, rule)
    holds = sum(status is Status.HELD for status in gate.verdicts.values())
    cost = gate.accuracy - always.accuracy
    print(f"  gate by {rule.metric}, clean weeks: {gate.accuracy:.4f} ({cost:+.4f}), {holds} held")
    for share in (1.0, 0.5, 0.3, 0.2, 0.1):
        kept, without, stopped = [], [], 0
        positions = [week for week in (2, 5, 9, 13, 17) if week < stream.last]
        for week in positions:
            labels = poisoned(stream, week, share)
            models = {before: clean[before] for before in range(week)} | {week: fit(stream, labels, week)}
            guarded = serve(stream, labels, models, rule)
            stopped += guarded.verdicts[week] is not Status.ADMITTED
            kept.append(guarded.after[week])
            without.append(serve(stream, labels, models, Rule(rule.metric, RuleName.ALWAYS)).after[week])
        clean_after = np.mean([always.after[week] for week in positions])
        print(
            f"    {share:4.0%} flipped: {stopped} of {len(positions)} weeks kept out; accuracy the week after: "
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
