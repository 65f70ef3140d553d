"""CSV by a declared schema: what the files hold comes out row by row, and what cannot be read is counted."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.work.stage import schema
from understudy.errors import ExtractError, InvalidInput
from understudy.extract import Rejections, delimited
from understudy.schema import Schema
from understudy.service.rearrangement import Rearrangement
from understudy.service.work.rows import CsvRows
from understudy.service.work.s3 import Input

NAMES = schema("n:NUMERIC", "city:CATEGORICAL")
BARE = schema("n:NUMERIC", "city:CATEGORICAL", header=False)

ALL = Rearrangement()


def opened(stage, url, text=NAMES, asked=ALL):
    """Open the rows of an address."""
    return CsvRows(stage.workshop().s3.find(url), Schema.from_json(text), asked)


def read(rows):
    """Return all rows as pairs."""
    return [tuple(row.values()) for chunk in rows.chunks() for row in chunk.rows.to_pylist()]


@pytest.mark.parametrize(
    "data",
    [
        b"n,city\n1,Rome\n2,\n",
        b"n,city\r\n1,Rome\r\n2,\r\n",
        b"\xef\xbb\xbfn,city\n1,Rome\n2,",
        b'"n","city"\n"1"," Rome "\n\n2,""\n',
        b"\nn,city\n\r\n1.0,Rome\n2, \n",
    ],
    ids=["plain", "crlf", "bom without last line end", "quoted", "blank lines"],
)
def test_dress_does_not_change_the_rows(stage, data):
    """Line ends, byte order mark, quotes and white space are dress; the rows are the same."""
    assert read(opened(stage, stage.put("a.csv", data))) == [("1", "Rome"), ("2", None)]


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"n\n1\n\n3\n", ["1", None, "3"]),
        (b"n\r\n\r\n2\r\n\r\n", [None, "2", None]),
        (b'n\n\n""\n4,5\n\n\r', [None, None, None, None]),
        (b"\nn\n1", ["1"]),
    ],
    ids=["between", "at the ends", "beside a rejected one", "before the header"],
)
def test_blank_line_of_one_column_is_an_empty_value(stage, data, values):
    """With one column a line without anything is a record, so that every record keeps its place."""
    rows = opened(stage, stage.put("a.csv", data), schema("n:NUMERIC"))
    assert [value for (value,) in read(rows)] == values
    assert rows.count() == len(values)


@given(st.lists(st.sampled_from(["1", "", '""', "a,b", '"c\nd"']), max_size=9), st.sampled_from(["\n", "\r\n"]))
def test_records_of_one_column_are_its_lines(lines, ends):
    """Blank lines included there are as many records as lines, in blocks of any size, each with its value."""
    data = "".join(line + ends for line in lines).encode()
    rejected, before = Rejections(), delimited.BLOCK
    delimited.BLOCK = 5
    try:
        _, found = delimited.read_records(io.BytesIO(data), "x", rejected, ["n"], header=False)
        values = [cell for each in found if each.good.any() for cell in each.texts().column("n").to_pylist()]
    finally:
        delimited.BLOCK = before
    assert values == [line.strip('"') for line in lines if line != "a,b"]
    assert rejected.count == lines.count("a,b")


def test_texts_stay_as_they_stand(stage):
    """Beside the canonical values stand the texts of the file."""
    (chunk,) = opened(stage, stage.put("a.csv", "n,city\n1.50, Rome\n")).chunks()
    assert chunk.texts.to_pylist() == [{"n": "1.50", "city": " Rome"}]


def test_columns_go_by_position_under_the_names_of_the_schema(stage):
    """A header that differs from the schema is said, and does not count."""
    rows = opened(stage, stage.put("a.csv", "city,n\n1,Rome\n"))
    assert read(rows) == [("1", "Rome")]
    assert "has 'city' where the schema has 'n'" in rows.notes[0]
    rows = opened(stage, stage.put("b.csv", "city\n1,Rome\n"))
    assert read(rows) == [("1", "Rome")]
    assert "names 1 column, the schema 2" in rows.notes[0]


def test_name_of_one_column_may_hold_any_separator(stage):
    """Where the schema declares one column, its name in the header is judged by nothing."""
    rows = opened(stage, stage.put("a.csv", "price; net|tax\n1;5\n"), schema("price:TEXT"))
    assert read(rows) == [("1;5",)]


def test_without_a_header_the_first_line_is_a_record(stage):
    """The schema says whether there is a header line."""
    assert read(opened(stage, stage.put("a.csv", "1,Rome\n2,Bern\n"), BARE)) == [("1", "Rome"), ("2", "Bern")]


def test_files_of_a_folder_are_one_data_set(stage):
    """Files come in the order of their names, each with its header, packed or not."""
    stage.put("in/3.csv", "n,city\n4,Oslo\n")
    stage.put("in/1.csv.gz", gzip.compress(b"n,city\n1,Rome\n2,Bern\n"))
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(b"n,city\n3,Pisa\n")
    stage.put("in/2.csv.zst", packed.getvalue().to_pybytes())
    rows = opened(stage, "s3://data/in/")
    assert [row[0] for row in read(rows)] == ["1", "2", "3", "4"]
    assert [chunk.file for chunk in rows.chunks()] == [0, 1, 2]
    assert [file.name for file in rows.files] == ["1.csv.gz", "2.csv.zst", "3.csv"]
    half = opened(stage, "s3://data/in/", asked=Rearrangement(50, 100))
    assert [row[0] for row in read(half)] == ["3", "4"]


def test_bad_records_are_counted_and_shown(stage):
    """Each bad record has its file, its line and its reason; the others are read, and keep their places."""
    long = "x" * 102_400
    data = f'1,Rome\n2\n3,x,y\n4,{long}\n5,"Bern\n6,a\rb\n7,Oslo\n'.encode() + b"8,\xff\n9,Pisa\n"
    rows = opened(stage, stage.put("a.csv", data), BARE)
    assert [row[0] for row in read(rows)] == ["1", "7", "9"]
    assert [good for chunk in rows.chunks() for good in chunk.good.tolist()] == [
        True,
        False,
        False,
        False,
        False,
        False,
        True,
        False,
        True,
    ]
    found = [(sample.file, sample.line, sample.reason) for sample in rows.rejected.samples]
    assert found == [
        ("s3://data/a.csv", 2, "1 fields where 2 are expected"),
        ("s3://data/a.csv", 3, "3 fields where 2 are expected"),
        ("s3://data/a.csv", 4, "longer than 102,400 bytes"),
        ("s3://data/a.csv", 5, "a quote is never closed"),
        ("s3://data/a.csv", 6, "a bare carriage return"),
        ("s3://data/a.csv", 8, "not UTF-8"),
    ]
    assert rows.count() == 3


def test_reading_again_counts_again(stage):
    """A second reading finds the same, not twice as much."""
    rows = opened(stage, stage.put("a.csv", "n,city\n1,Rome\n2\n"))
    assert read(rows) == read(rows)
    assert rows.rejected.count == 1


def test_too_many_bad_records_reject_the_whole(stage):
    """Up to 10,000 records may be rejected, unless all are."""
    good = "1,Rome\n" * 50
    assert opened(stage, stage.put("a.csv", good + "x\n" * 10_000), BARE).count() == 50
    with pytest.raises(InvalidInput, match=r"more than 10,000 records could not be read, the first in line 51 of s3"):
        opened(stage, stage.put("b.csv", good + "x\n" * 10_001), BARE).count()
    with pytest.raises(InvalidInput, match="all 2 records could not be read"):
        read(opened(stage, stage.put("c.csv", "n;city\n1;Rome\n"), BARE))


def test_single_record_is_spoken_of_as_one(stage):
    """What is said of one record is said in the singular."""
    with pytest.raises(InvalidInput, match=r"^the only record could not be read, in line 2 of s3://data/a\.csv: 1 f"):
        opened(stage, stage.put("a.csv", "n,city\n1\n")).count()


def test_only_taken_records_are_rejected(stage):
    """What a split leaves to others is not counted against it."""
    url = stage.put("a.csv", "1,Rome\n2,Bern\n3\n4\n")
    first = opened(stage, url, BARE, Rearrangement(0, 50))
    assert (first.count(), first.rejected.count) == (2, 0)
    with pytest.raises(InvalidInput, match="all 2 records"):
        opened(stage, url, BARE, Rearrangement(50, 100)).count()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"n,city\r1,Rome\r", "bare carriage returns"),
        ("a.csv", b"n,city\x00\n1,Rome\n", "is not text"),
        ("a.csv.gz", b"n,city\n1,Rome\n", "cannot be read"),
        ("a.csv.gz", gzip.compress(b"n,city\n" + b"1,Rome\n" * 9_999)[:-20], "cannot be read"),
        ("a.csv", b"n\tcity\n1\tRome\n", "has no comma"),
    ],
    ids=["mac", "binary", "not packed", "cut off", "tabs"],
)
def test_unusable_file_is_one_clear_message(stage, name, data, message):
    """A file that is no CSV says so by its address."""
    with pytest.raises(ExtractError, match=message) as caught:
        read(opened(stage, stage.put(name, data)))
    assert f"s3://data/{name}" in caught.value.message


def test_replaced_file_is_noticed(stage):
    """A file that changes between two readings is an error, not a mixture."""
    rows = opened(stage, stage.put("a.csv", "n,city\n1,Rome\n"))
    stage.put("a.csv", "n,city\n2,Rome\n")
    with pytest.raises(InvalidInput, match="was replaced"):
        read(rows)


def test_chunks_are_bounded(stage):
    """No chunk is longer than 65,536 records, and none is lost at an edge."""
    lines = [f"{n},x" if n % 1_000 else "bad" for n in range(200_000)]
    rows = opened(stage, stage.put("a.csv", "\n".join(lines)), BARE)
    chunks = list(rows.chunks())
    assert max(len(chunk.good) for chunk in chunks) == 65_536
    assert [row["n"] for chunk in chunks for row in chunk.rows.to_pylist()] == [
        str(n) for n in range(200_000) if n % 1_000
    ]
    assert all(np.count_nonzero(chunk.good) == chunk.rows.num_rows for chunk in chunks)


class Shelf:
    """A bucket in memory."""

    def __init__(self, files):
        self.files = {key: "".join(f"{line}\n" for line in lines).encode() for key, lines in files.items()}

    def inputs(self):
        """Return all files as inputs."""
        return [Input(f"s3://data/{key}", len(data), "", self, key) for key, data in self.files.items()]

    def open(self, key):
        """Open a file for reading."""
        return io.BytesIO(self.files[key]), ""


lines = st.lists(st.sampled_from(["1,a", "2", '3,"b,c"', "4,\xfc", "", '5,"', "6,d,e"]), max_size=12)


@given(
    files=st.lists(lines, min_size=1, max_size=3),
    block=st.integers(1, 30),
    pair=st.tuples(st.integers(0, 60), st.integers(61, 100)),
    strategy=st.sampled_from(["sequential", "random"]),
    header=st.booleans(),
)
@settings(max_examples=200)
def test_pair_covers_all_records_wherever_blocks_end(files, block, pair, strategy, header):
    """A split and its complement have every record of all files once, in blocks of any size."""
    shelf = Shelf({str(n): [*(["n,city"] if header else []), *file, "7,z"] for n, file in enumerate(files)})

    def good(asked, size):
        rows = CsvRows(shelf.inputs(), Schema.from_json(NAMES if header else BARE), asked)
        before, delimited.BLOCK = delimited.BLOCK, size
        try:
            found = [(chunk.file, *row.values()) for chunk in rows.chunks() for row in chunk.rows.to_pylist()]
        except InvalidInput:
            found = []
        finally:
            delimited.BLOCK = before
        return found, rows.rejected.count

    every, bad = good(ALL, 10_000)
    parts = [good(Rearrangement(*pair, complement, strategy, "s"), block) for complement in (False, True)]
    assert sorted(parts[0][0] + parts[1][0], key=str) == sorted(every, key=str)
    assert parts[0][1] + parts[1][1] == bad
    assert parts[0] == good(Rearrangement(*pair, False, strategy, "s"), 10_000)
