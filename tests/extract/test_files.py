"""Files give their rows whatever their format and dress; a bad line is counted and located, never fatal on its own."""

import csv
import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import ExtractError
from understudy.extract import delimited, read_files
from understudy.extract.delimited import read_csv
from understudy.extract.extraction import Rejections
from understudy.values import CODED


def _rows(extraction):
    with extraction:
        return [row for batch in extraction for row in batch.to_pylist()]


def _csv(tmp_path, data, **options):
    (tmp_path / "a.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_files("a.csv", tmp_path, **options)


@pytest.mark.parametrize(
    "data",
    [
        b"id,city\n1,Rome\n2,\n",
        b"id,city\r\n1,Rome\r\n2,\r\n",
        b"\xef\xbb\xbfid,city\n1,Rome\n2,",
        b'"id"," city "\n"1"," Rome "\n\n2,""\n',
        b"\nid,city\n\r\n1.0,Rome\n2, \n",
    ],
    ids=["plain", "crlf", "bom without last line end", "quoted", "blank lines"],
)
def test_csv_dress_does_not_change_the_rows(tmp_path, data):
    """Line ends, byte order mark, quotes and white space are dress; the rows are the same."""
    assert _rows(_csv(tmp_path, data)) == [{"id": "1", "city": "Rome"}, {"id": "2", "city": None}]


def test_csv_keeps_what_quotes_protect(tmp_path):
    """Commas, doubled quotes, line breaks and non-ASCII letters inside quotes belong to the value."""
    rows = _rows(_csv(tmp_path, 'a,b\n"x, ""y""","line\r\nbreak"\n"東京","ü"\n5" pipe,"q"r\n'))
    assert [row["a"] for row in rows] == ['x, "y"', "東京", '5" pipe']
    assert [row["b"] for row in rows] == ["line\r\nbreak", "ü", "qr"]


def test_rejected_lines_are_counted_located_and_shown(tmp_path):
    """Each bad line has its number as an editor counts, its reason, and its beginning; the others are read."""
    data = b'id,city\n1,"a\nb"\n2\n3,x,y\n4,\xff\n5,a\rb\n6,ok\n'
    extraction = _csv(tmp_path, data, max_rejected=0.9)
    assert [row["id"] for row in _rows(extraction)] == ["1", "6"]
    found = [(sample.file, sample.line, sample.reason) for sample in extraction.rejected.samples]
    assert found == [
        ("a.csv", 4, "1 fields where 2 are expected"),
        ("a.csv", 5, "3 fields where 2 are expected"),
        ("a.csv", 6, "not UTF-8"),
        ("a.csv", 7, "a bare carriage return"),
    ]
    assert extraction.rejected.samples[1].text == "3,x,y"
    assert extraction.rejected.count == 4


def test_stray_quote_costs_one_line(tmp_path):
    """A quote that is never closed loses its own line, not the rest of the file."""
    extraction = _csv(tmp_path, 'id,city\n1,"Rome\n2,Bern\n3,Oslo\n', max_rejected=0.5)
    assert [row["id"] for row in _rows(extraction)] == ["2", "3"]
    assert extraction.rejected.samples[0].line == 2


def test_share_of_rejected_lines_is_judged_over_the_whole(tmp_path):
    """Many bad lines in the beginning are no failure where they are few over the whole; above the share they are."""
    data = "id,city\n" + "bad\n" * 50 + "1,Rome\n" * 450
    assert len(_rows(_csv(tmp_path, data, max_rejected=0.1))) == 450
    with pytest.raises(ExtractError, match=r"50 of 500 lines could not be read, the first in line 2 of a\.csv"):
        _rows(_csv(tmp_path, data, max_rejected=0.09))


def test_long_field_is_read_whole(tmp_path, monkeypatch):
    """A field longer than the blocks in which a file is read comes out whole."""
    monkeypatch.setattr(delimited, "BLOCK", 1_000)
    long = "x" * 300_000 + "\n" + "y" * 100_000
    assert _rows(_csv(tmp_path, f'a,b\n1,"{long}"\n2,z\n')) == [{"a": "1", "b": long}, {"a": "2", "b": "z"}]


@given(
    rows=st.lists(st.tuples(*[st.text('ab,"\n\r é1', max_size=5)] * 2), min_size=1, max_size=12),
    block=st.integers(1, 40),
    ends=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=300, deadline=None)
def test_csv_is_read_as_it_was_written_wherever_blocks_end(rows, block, ends):
    """What Python's csv module writes comes back cell by cell, in blocks of any size."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ends, quoting=csv.QUOTE_ALL).writerows([("p", "q"), *rows])
    rejected = Rejections()
    before, delimited.BLOCK = delimited.BLOCK, block
    try:
        columns, batches = read_csv(io.BytesIO(text.getvalue().encode()), "x", rejected)
        found = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    finally:
        delimited.BLOCK = before
    assert columns == ["p", "q"]
    assert found == [tuple(cell.strip() or None for cell in row) for row in rows]
    assert rejected.count == 0


@given(data=st.text('a,"\n\r\ufeff', max_size=40), block=st.integers(3, 15))
@settings(max_examples=500, deadline=None)
def test_csv_of_any_bytes_gives_or_rejects_every_line(data, block):
    """However broken the bytes, reading ends without an error, alike in blocks of any size."""
    outcomes = []
    before = delimited.BLOCK
    for size in (block, 10_000):
        delimited.BLOCK = size
        rejected = Rejections()
        try:
            _, batches = read_csv(io.BytesIO(data.encode()), "x", rejected, names=["p", "q"])
            outcomes.append(([row for batch in batches for row in batch.to_pylist()], rejected.samples))
        finally:
            delimited.BLOCK = before
    assert outcomes[0] == outcomes[1]


def test_byte_order_mark_is_taken_off_however_little_is_read_at_once(tmp_path, monkeypatch):
    """A stream that gives a byte at a time begins with the same mark."""
    monkeypatch.setattr(delimited, "BLOCK", 1)
    assert _rows(_csv(tmp_path, "\ufeffid,city\n1,Rome\n".encode())) == [{"id": "1", "city": "Rome"}]


def test_wide_rows_make_small_batches(tmp_path, monkeypatch):
    """However wide rows are, a batch holds so many cells; however long, so many bytes."""
    data = "a,b,c\n" + "".join(f"{n},{n % 7},x\n" for n in range(100))
    for name, limit in (("MOST_CELLS", 30), ("BATCH_BYTES", 60)):
        with monkeypatch.context() as patch:
            patch.setattr(delimited, name, limit)
            patch.setattr(delimited, "BLOCK", 50)
            batches = list(_csv(tmp_path, data))
        assert 1 < max(batch.num_rows for batch in batches) <= 20
        assert [row["a"] for batch in batches for row in batch.to_pylist()] == [str(n) for n in range(100)]


def test_blank_lines_fill_no_memory(tmp_path, monkeypatch):
    """However many blank lines follow each other, they are passed over piece by piece, and counted."""
    monkeypatch.setattr(delimited, "BATCH_BYTES", 100)
    monkeypatch.setattr(delimited, "BLOCK", 64)
    stream = io.BytesIO(b"a,b\n" + b"\n" * 10_000 + b"1,2\n" + b"\r\n" * 5_000 + b"bad\n")
    rejected, largest = Rejections(), 0
    source = delimited._Source(stream, "x")
    columns = delimited._header(source)
    for records in delimited._records(source, columns, rejected):
        largest = max(largest, len(source.window.data))
        assert records.rows().to_pylist() in ([{"a": "1", "b": "2"}], [])
    assert [sample.line for sample in rejected.samples] == [15_003]
    assert largest < 1_000


def test_line_that_never_ends_is_refused(tmp_path, monkeypatch):
    """A file that holds something else has no line ends; it is given up, and the line named, before it fills memory."""
    monkeypatch.setattr(delimited, "LONGEST", 1_000)
    monkeypatch.setattr(delimited, "BLOCK", 100)
    with pytest.raises(ExtractError, match=r"line 3 of a\.csv is longer than 16,000,000 bytes\n"):
        _rows(_csv(tmp_path, b"a\n1\n" + b"x" * 5_000))
    with pytest.raises(ExtractError, match="its lines end in bare carriage returns"):
        _rows(_csv(tmp_path, b"a,b\n" + b"x,y\r" * 5_000))


def test_record_that_is_not_utf8_costs_itself_alone(tmp_path):
    """Bytes that are no UTF-8 are found in good records between bad ones, at their edges and across quoted lines."""
    lines = [b"ok,1", b"\xff", b"\xe2\x82,2", b"x,\xff", b'"a\nb\xe9",3', b"1,2,\xff", b"\xc3\xa9,4", b"\xed\xa0\x80,5"]
    extraction = _csv(tmp_path, b"a,b\n" + b"\n".join(lines), max_rejected=1)
    assert [row["b"] for row in _rows(extraction)] == ["1", "4"]
    assert [(sample.line, sample.reason) for sample in extraction.rejected.samples] == [
        (3, "1 fields where 2 are expected"),
        (4, "not UTF-8"),
        (5, "not UTF-8"),
        (6, "not UTF-8"),
        (8, "3 fields where 2 are expected"),
        (10, "not UTF-8"),
    ]


def test_byte_order_mark_within_a_file_belongs_to_the_value(tmp_path, monkeypatch):
    """Where files were joined, a mark before a later record is a character like any other, wherever blocks end."""
    data = 'a,b\nbad\n\ufeff"1,2"\n\ufeff3,4\n'
    for block in (4, 10_000):
        monkeypatch.setattr(delimited, "BLOCK", block)
        extraction = _csv(tmp_path, data, max_rejected=0.5)
        assert _rows(extraction) == [{"a": '\ufeff"1', "b": '2"'}, {"a": "\ufeff3", "b": "4"}]
        assert extraction.rejected.count == 1


def test_headerless_csv_takes_its_names(tmp_path):
    """Where the first line is no header, it is the first row."""
    assert _rows(_csv(tmp_path, "1,Rome\n", names=["id", "city"])) == [{"id": "1", "city": "Rome"}]


def test_csv_in_another_encoding_is_read(tmp_path):
    """Latin-1 and UTF-16 are read where the project file says so; what does not decode is rejected."""
    assert _rows(_csv(tmp_path, "a,b\nü,1\n".encode("latin-1"), encoding="latin-1"))[0]["a"] == "ü"
    assert _rows(_csv(tmp_path, "a,b\nü,1\n".encode("utf-16"), encoding="utf-16"))[0]["a"] == "ü"
    extraction = _csv(tmp_path, b"a,b\n\x81,1\nx,2\n", encoding="cp1252", max_rejected=0.5)
    assert (_rows(extraction), extraction.rejected.count) == ([{"a": "x", "b": "2"}], 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.csv is empty"),
        (b"id,city\n", "a.csv gave no rows"),
        (b"id,id\n1,2\n", "more than one column named 'id'"),
        (b"id;city\n1;2\n", "has no comma"),
        (b"id,city\r1,2\r", "bare carriage returns"),
        ("id,city\n1,2\n".encode("utf-16"), "is not UTF-8"),
        ("id,größe\n1,2\n".encode("latin-1"), "is not UTF-8 text: .*\n.*init --encoding"),
        (b"\x7fELF\x02\x00\x00\r\x01\n", "a.csv is not text"),
    ],
)
def test_unusable_csv_is_refused_with_one_clear_message(tmp_path, data, message):
    """A file that holds no rows says so, and what is the matter with it."""
    with pytest.raises(ExtractError, match=message):
        _rows(_csv(tmp_path, data))


def test_hints_fit_whoever_named_the_file(tmp_path):
    """A file may stand in the project file or in a command: no hint speaks only of the one."""
    with pytest.raises(ExtractError) as caught:
        read_files("nowhere.csv", tmp_path)
    assert caught.value.hint == "Check the path."
    with pytest.raises(ExtractError) as caught:
        _rows(_csv(tmp_path, b"id,city\n1\n"))
    assert caught.value.hint.startswith("Correct the source. At most 10.0% may fail; a project may allow more")
    with pytest.raises(ExtractError) as caught:
        _rows(_csv(tmp_path, b"id,city\n1,\xe9\n"))
    assert "Save it as UTF-8" in caught.value.hint


def test_files_of_one_extraction_have_the_same_columns(tmp_path):
    """Columns go by name, in any order; a vanished or a new one is an error that names file and column."""
    (tmp_path / "1.csv").write_text("id,city\n1,Rome\n")
    (tmp_path / "2.csv").write_text("city,id\nBern,2\n")
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"id,city\n3,Oslo\n"))
    extraction = read_files("?.csv*", tmp_path)
    assert [tuple(row.values()) for row in _rows(extraction)] == [("1", "Rome"), ("2", "Bern"), ("3", "Oslo")]
    assert extraction.sources == ["1.csv", "2.csv", "2.csv.gz"]
    (tmp_path / "3.csv").write_text("id\n1\n")
    with pytest.raises(ExtractError, match=r"3\.csv has no column 'city', unlike 1\.csv"):
        read_files(["1.csv", "3.csv"], tmp_path)
    with pytest.raises(ExtractError, match=r"1\.csv has a column 'city', unlike 3\.csv"):
        read_files(["3.csv", "1.csv"], tmp_path)


def test_files_are_found_by_path_folder_and_glob(tmp_path):
    """A folder stands for its files in order of their names; an absolute glob works like a relative one."""
    (tmp_path / "in").mkdir()
    for name in ("b", "a", ".hidden"):
        (tmp_path / "in" / f"{name}.csv").write_text(f"name\n{name}\n")
    for files in ("in", "in/*.csv", f"{tmp_path}/in/[ab].csv", ["in/a.csv", "in/b.csv"]):
        assert [row["name"] for row in _rows(read_files(files, tmp_path))] == ["a", "b"]
    with pytest.raises(ExtractError, match="no file matches 'out/"):
        read_files("out/*.csv", tmp_path)


def test_zstd_is_read_and_a_cut_file_is_named(tmp_path):
    """Compressed files are read by their ending; one that breaks off is an error that names it."""
    with pa.CompressedOutputStream(str(tmp_path / "a.csv.zst"), "zstd") as stream:
        stream.write(b"id\n1\n")
    assert _rows(read_files("a.csv.zst", tmp_path)) == [{"id": "1"}]
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"id\n" + b"1\n" * 10_000)[:-20])
    with pytest.raises(ExtractError, match=r"b\.csv\.gz cannot be read"):
        _rows(read_files("b.csv.gz", tmp_path))


def test_text_travels_coded_whatever_the_format(tmp_path):
    """One stream has one schema: columns of text are dictionaries of different cells, from files of any format."""
    (tmp_path / "a.csv").write_text("city\nRome\n Rome\nBern\n")
    (tmp_path / "a.jsonl").write_text('{"city": "Rome"}\n{"city": "Rome"}\n{"city": "Bern"}\n')
    pq.write_table(pa.table({"city": ["Rome", "Rome", "Bern"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"city": pa.array(["Rome", "Rome", "Bern"]).dictionary_encode()}), tmp_path / "b.parquet")
    for name in ("a.csv", "a.jsonl", "a.parquet", "b.parquet", ["a.csv", "b.parquet"]):
        extraction = read_files(name, tmp_path)
        assert extraction.schema == pa.schema([("city", CODED)])
        for batch in extraction:
            assert batch.schema == extraction.schema
            assert batch.column("city").dictionary.to_pylist() == ["Rome", "Bern"]
            assert batch.column("city").to_pylist() == ["Rome", "Rome", "Bern"]


def test_parquet_files_agree_on_types(tmp_path):
    """Integers in one file and floats in another make a float column; numbers and texts make a text column."""
    pq.write_table(pa.table({"n": [1, None], "m": [1, 2], "k": [1, 2]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"n": [0.5], "m": ["x"], "k": pa.array([3], pa.int8())}), tmp_path / "2.parquet")
    extraction = read_files("*.parquet", tmp_path)
    assert extraction.schema == pa.schema([("n", pa.float64()), ("m", CODED), ("k", pa.int64())])
    assert [tuple(row.values()) for row in _rows(extraction)] == [(1.0, "1", 1), (None, "2", 2), (0.5, "x", 3)]
    (tmp_path / "3.parquet").write_bytes(b"no parquet")
    with pytest.raises(ExtractError, match=r"3\.parquet cannot be read"):
        read_files("3.parquet", tmp_path)


def test_json_lines_take_mixed_values_and_reject_bad_lines(tmp_path):
    """Every value becomes text in canonical form, absent keys null; a line that is no object is rejected."""
    lines = ['{"a": 1.0, "b": true}', "", "oops", "[1]", '{"a": "x ", "c": {"d": [1]}}', '{"a": null}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    extraction = read_files("a.jsonl", tmp_path, max_rejected=0.5)
    rows = _rows(extraction)
    assert [tuple(row.values()) for row in rows] == [("1", "true", None), ("x", None, '{"d":[1]}'), (None, None, None)]
    assert [(sample.line, sample.reason.partition(":")[0]) for sample in extraction.rejected.samples] == [
        (3, "not JSON"),
        (4, "not a JSON object"),
    ]


def test_batches_are_bounded(tmp_path):
    """No batch is longer than 65,536 rows, and none is lost at an edge."""
    extraction = _csv(tmp_path, "n\n" + "".join(f"{n}\n" for n in range(200_000)))
    batches = list(extraction)
    assert max(batch.num_rows for batch in batches) == 65_536
    assert pa.Table.from_batches(batches).column("n").to_pylist() == [str(n) for n in range(200_000)]
