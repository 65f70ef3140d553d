"""S3's XML: written from nested fields, read by a parser that knows neither document types nor entities."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Union
from xml.parsers import expat

from understudy.store.bucket_records import BucketError

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

Fields = Sequence[tuple[str, "Value | None"]]
Value = Union[str, int, bool, "Fields"]

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
"""What every document begins with."""

_DEPTH = 32
_ESCAPED = re.compile("[&<>\x00-\x1f\x7f\ufffe\uffff]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass
class Node:
    """An element that was read, its names without their namespaces."""

    name: str
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Node]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)

    def get(self, name: str, default: str = "") -> str:
        """Return the text of the first child of a name."""
        return next((child.text for child in self.all(name)), default)


def document(name: str, content: Value) -> bytes:
    """Return an XML document. A field without a value is left out; a list of fields is an element with children.

    >>> document("A", [("B", "x & y"), ("C", None), ("D", [("E", True)])]).decode().partition("<B>")[2]
    'x &amp; y</B><D><E>true</E></D></A>'
    """
    pieces = _pieces([(f'{name} xmlns="{NAMESPACE}"', content)])
    return DECLARATION + "".join(pieces).encode()


def error_document(fields: Fields) -> bytes:
    """Return an error; those have no namespace."""
    return DECLARATION + "".join(_pieces([("Error", fields)])).encode()


def fields_of(node: Node) -> Value:
    """Return what stands in an element, to be written again: its children, or else its text."""
    return [(child.name, fields_of(child)) for child in node.children] or node.text.strip()


def _pieces(fields: Fields) -> Iterator[str]:
    """Yield elements. What stands behind a blank in a name are attributes."""
    for name, value in fields:
        if value is None:
            continue
        yield f"<{name}>"
        if isinstance(value, bool):
            yield "true" if value else "false"
        elif isinstance(value, str | int):
            yield escaped(str(value))
        else:
            yield from _pieces(value)
        yield f"</{name.partition(' ')[0]}>"


def escaped(text: str) -> str:
    r"""Return text for an element. Control characters become references, as S3 writes them.

    A strict reader takes only those of tab and line ends; clients that have others in keys ask for `encoding-type=url`.

    >>> escaped("a<b\r")
    'a&lt;b&#13;'
    """
    return _ESCAPED.sub(lambda found: _NAMED.get(found[0]) or f"&#{ord(found[0])};", text)


def parse(data: bytes, root: str) -> Node:
    """Read a document whose outermost element has the name `root`; raises BucketError `MalformedXML` for any other."""
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except (expat.ExpatError, _Refused, ValueError, LookupError) as error:
        raise _malformed(str(error)) from None
    if reader.top.children[0].name != root:
        raise _malformed(f"its root is {reader.top.children[0].name}, not {root}")
    return reader.top.children[0]


class _Refused(Exception):
    """The document uses what no S3 document needs."""


class _Reader:
    """Builds nodes while expat reads."""

    def __init__(self) -> None:
        self.top = Node("")
        self._open = [self.top]
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _doctype(self, *_: object) -> None:
        raise _Refused("it declares a document type")

    def _start(self, name: str, _: dict[str, str]) -> None:
        if len(self._open) > _DEPTH:
            raise _Refused(f"it is nested deeper than {_DEPTH}")
        node = Node(name.rpartition(":")[2])
        self._open[-1].children.append(node)
        self._open.append(node)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].text += text


def _malformed(reason: str) -> BucketError:
    return BucketError(
        "MalformedXML",
        f"The XML you provided was not well-formed or did not validate against our published schema: {reason}.",
    )
