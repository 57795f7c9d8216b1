"""Which encoding a text file is in: a mark at its start, strict UTF-8, else GB 18030 against Latin-1 by their bytes."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from planning.errors import DataError, Fault, UsageError
from planning.language import _

CHUNK = 1 << 20
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def encoding_of(path: Path, declared: str = "") -> str:
    """Returns the encoding to read `path` with; a declared one is tried on the whole file.

    Raises UsageError for an unknown name, DataError naming the row when the bytes are not in the declared encoding.
    """
    with path.open("rb") as file:
        start = file.read(4)
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), "")
    if declared:
        return _declared(path, declared, marked)
    if marked:
        return marked
    if _first_bad(path, "utf-8") is None:
        return "utf-8"
    sample = _around_high_bytes(path)
    if _looks_chinese(sample) and _first_bad(path, "gb18030") is None:
        return "gb18030"
    return "cp1252" if re.search(rb"[\x80-\x9f]", sample) and _first_bad(path, "cp1252") is None else "latin-1"


def _declared(path: Path, declared: str, marked: str) -> str:
    try:
        name = codecs.lookup(declared).name
    except LookupError:
        raise UsageError(
            f"{path}: encoding '{declared}' is not known. Write utf-8, utf-8-sig, gb18030, latin-1 or cp1252."
        ) from None
    name = "utf-8-sig" if marked == "utf-8-sig" and name == "utf-8" else name
    row = _first_bad(path, name)
    if row is not None:
        found = _("the bytes are not {encoding}").format(encoding=declared)
        fix = _("Leave encoding out, or name the right one.")
        raise DataError(faults=[Fault(path.name, row, None, found, fix)])
    return name


def _first_bad(path: Path, encoding: str) -> int | None:
    """Returns the line of the first byte that is not in `encoding`, reading in pieces; None when all are."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                return line + piece[: error.start].count(b"\n")
            line += piece.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return line
    return None


def _around_high_bytes(path: Path, limit: int = 1 << 16) -> bytes:
    """Returns up to 64 KB of the lines that hold bytes beyond ASCII."""
    lines, size = [], 0
    with path.open("rb") as file:
        for line in file:
            if not line.isascii():
                lines.append(line)
                size += len(line)
                if size > limit:
                    break
    return b"".join(lines)


def _looks_chinese(sample: bytes) -> bool:
    """Tells GB 18030 from Latin-1: Chinese stands in even runs of high bytes, accented letters mostly alone."""
    runs = [len(run) for run in _HIGH_RUN.findall(sample)]
    paired = sum(run for run in runs if run >= 2 and run % 2 == 0)
    return paired > 0.6 * sum(runs)
