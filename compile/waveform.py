# SPDX-License-Identifier: Apache-2.0
"""Waveforms as FST, in which streams have the names that the network gives them.

Verilator writes VCD: its own FST writer needs headers that a fresh machine lacks. The
hierarchy of the hardware, whose identifiers are numbers, is kept as it is. The scope
`streams` beside it shows each stream of the core again, as `data`, `valid` and `ready`.
Cycle n, counted from the end of the reset, is the units 2n and 2n + 1 of time: the beat
that moves in it stands on the wires at 2n, and the clock rises at 2n + 1.
"""

import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pylibfst import ffi, lib
from vcd.reader import Token, TokenKind, VarDecl, tokenize

from hwgq.errors import DeadlockError
from hwgq.storage import staged

STREAMS = "streams"
CORE = "u_top"
_LONGEST_NAME = 80  # libfst cuts names of more than 512 bytes


class _Signal(NamedTuple):
    handle: int
    width: int


@contextmanager
def waveform(
    path: Path, streams: Mapping[str, int], *, core: str = CORE
) -> Iterator[Path]:
    """Give a name for a simulation's VCD, and turn that into FST at the end.

    So it is after a deadlock, too; no other error leaves a waveform.

    Parameters
    ----------
    path
        FST file to write.
    streams
        The streams as :func:`hwgq.compile.netlist.core_map` numbers them.
    core
        Instance that has them.

    Raises
    ------
    StorageError
        If `path` cannot be written.
    """
    stuck = None
    with staged(path) as fst:
        vcd = fst.with_suffix(".vcd")
        try:
            yield vcd
        except DeadlockError as error:
            stuck = error
        write_fst(vcd, fst, streams, core=core)
    if stuck is not None:
        raise stuck


def write_fst(
    vcd: Path, fst: Path, streams: Mapping[str, int], *, core: str = CORE
) -> None:
    """Turn a VCD of Verilator's into an FST file.

    Parameters
    ----------
    vcd
        What a simulation of the core wrote; it is read once, line by line.
    fst
        The file to write.
    streams, core
        As of :func:`waveform`.

    Raises
    ------
    OSError
        If the file cannot be made, or the disk is full.
    """
    writer = lib.fstWriterCreate(bytes(fst), 1)
    if writer == ffi.NULL:
        raise OSError(errno.EACCES, "no file can be made")
    with vcd.open("rb") as file:
        signals = _declare(writer, _header(file), streams, core)
        end = _copy(writer, file, signals)
    lib.fstWriterClose(writer)
    # The library does not tell whether it could write.
    reader = lib.fstReaderOpen(bytes(fst))
    whole = reader != ffi.NULL and lib.fstReaderGetEndTime(reader) == end
    if reader != ffi.NULL:
        lib.fstReaderClose(reader)
    if not whole:
        raise OSError(errno.ENOSPC, "the file did not become whole")


def scope_names(names: Iterable[str]) -> dict[str, str]:
    """Map names of streams, which may be anything, to scopes that viewers take.

    Letters and digits of any script are kept, all else becomes ``_``. Of names that
    would be equal, the second and later ones end in their number.
    """
    scopes: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"\W", "_", name)[:_LONGEST_NAME] or "_"
        scope, number = plain, 1
        while scope in scopes.values():
            number += 1
            scope = f"{plain}_{number}"
        scopes[name] = scope
    return scopes


def _header(file: BinaryIO) -> Iterator[Token]:
    """Read the declarations of a VCD, and leave the file behind them."""
    text = bytearray()
    for line in file:
        text += line
        if line.startswith(b"$enddefinitions"):
            break
    return tokenize(BytesIO(text))


def _declare(
    writer: object, tokens: Iterable[Token], streams: Mapping[str, int], core: str
) -> dict[bytes, _Signal]:
    """Write the hierarchy; give the signals by their VCD identifiers."""
    signals: dict[bytes, _Signal] = {}
    inside: dict[str, VarDecl] = {}
    path: list[str] = []
    for token in tokens:
        match token.kind:
            case TokenKind.TIMESCALE:
                lib.fstWriterSetTimescaleFromString(
                    writer, str(token.timescale).encode()
                )
            case TokenKind.SCOPE:
                path.append(token.scope.ident)
                _open(writer, path[-1])
            case TokenKind.UPSCOPE:
                path.pop()
                if not path:
                    _declare_streams(writer, signals, inside, streams)
                lib.fstWriterSetUpscope(writer)
            case TokenKind.VAR:
                _variable(writer, signals, token.var, token.var.reference)
                if path[-1] == core:
                    inside[token.var.reference] = token.var
    return signals


def _declare_streams(
    writer: object,
    signals: dict[bytes, _Signal],
    inside: Mapping[str, VarDecl],
    streams: Mapping[str, int],
) -> None:
    """Show signals of the core again, under the names of the streams."""
    _open(writer, STREAMS)
    for name, scope in scope_names(streams).items():
        _open(writer, scope)
        for end in ("data", "valid", "ready"):
            variable = inside[f"s{streams[name]}_{end}"]
            _variable(writer, signals, variable, end)
        lib.fstWriterSetUpscope(writer)
    lib.fstWriterSetUpscope(writer)


def _open(writer: object, scope: str) -> None:
    lib.fstWriterSetScope(writer, lib.FST_ST_VCD_MODULE, scope.encode(), ffi.NULL)


def _variable(
    writer: object, signals: dict[bytes, _Signal], variable: VarDecl, name: str
) -> None:
    """Declare a variable, as another name of a signal that is declared already."""
    code = variable.id_code.encode()
    bits = variable.ref_str.removeprefix(variable.reference)
    known = signals[code].handle if code in signals else 0
    handle = lib.fstWriterCreateVar(
        writer,
        lib.FST_VT_VCD_WIRE,
        lib.FST_VD_IMPLICIT,
        variable.size,
        f"{name} {bits}".rstrip().encode(),
        known,
    )
    signals.setdefault(code, _Signal(handle, variable.size))


def _copy(writer: object, file: BinaryIO, signals: Mapping[bytes, _Signal]) -> int:
    """Copy all changes of values; give the last time.

    Lines are taken apart here, since the library's tokens cost ten times as much.
    """
    time = 0
    change, at = lib.fstWriterEmitValueChange, lib.fstWriterEmitTimeChange
    for line in file:
        kind = line[:1]
        if kind == b"b":
            value, code = line[1:].split()
            signal = signals[code]
            change(writer, signal.handle, value.rjust(signal.width, b"0"))
        elif kind in {b"0", b"1"}:
            change(writer, signals[line[1:].rstrip()].handle, kind)
        elif kind == b"#":
            time = int(line[1:])
            at(writer, time)
        else:
            assert line.isspace(), line
    return time
