# SPDX-License-Identifier: Apache-2.0
"""Frames between the host and the UART shell (hwgq_uart_shell.sv), without any port.

One request, one answer. All but the first byte is covered by a CRC-32, which is zlib's;
numbers are little-endian::

    request  SYNC, command, sequence, [beats],            CRC (4)
    answer   SYNC, kind,    sequence, cycles (4), [body], CRC (4)
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from hwgq.errors import TransportError

Beats = npt.NDArray[np.uint8]

#: Version of this protocol; the first byte that :attr:`Kind.INFO` answers.
VERSION = 1
#: First byte of every frame.
SYNC = 0xA5
#: Pause inside a request, in bits on the wire, after which the shell forgets it.
TIMEOUT_BITS = 65536

_HEAD = struct.Struct("<BBBI")
_INFO = struct.Struct("<B8s4H")
_CRC = struct.Struct("<I")

#: Bytes of a request and of an answer that are not beats.
REQUEST_OVERHEAD = 3 + _CRC.size
ANSWER_OVERHEAD = _HEAD.size + _CRC.size
#: Bytes of an answer before its body, and place among them of the cycles.
HEAD_BYTES, HEAD_CYCLES = _HEAD.size, 3
#: Bytes of what the board says about itself.
INFO_BYTES = _INFO.size


class Kind(IntEnum):
    """What a frame is: a command and its answer have the same number."""

    INFO = 0x01
    INFER = 0x02
    BAD_CRC = 0x80
    BAD_COMMAND = 0x81


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What a board says about itself.

    Parameters
    ----------
    build_id
        Hash of the build's inputs, 16 hexadecimal digits.
    in_beats, in_width, out_beats, out_width
        Beats of a frame into the core and out of it, and bits of one.
    version
        Version of the protocol.
    """

    build_id: str
    in_beats: int
    in_width: int
    out_beats: int
    out_width: int
    version: int = VERSION

    def to_bytes(self) -> bytes:
        """Lay it out as the answer's body."""
        sizes = (self.in_beats, self.in_width, self.out_beats, self.out_width)
        return _INFO.pack(self.version, bytes.fromhex(self.build_id), *sizes)

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Read an answer's body; the inverse of :meth:`to_bytes`."""
        version, build_id, in_beats, in_width, out_beats, out_width = _INFO.unpack(body)
        return cls(
            build_id=build_id.hex(),
            in_beats=in_beats,
            in_width=in_width,
            out_beats=out_beats,
            out_width=out_width,
            version=version,
        )

    def memory_image(self) -> str:
        """Write the file that the shell's BUILD_ID_FILE names ($readmemh)."""
        return "".join(f"{byte:02x}\n" for byte in self.to_bytes())

    @property
    def in_bytes(self) -> int:
        """Bytes of one frame's input on the wire."""
        return self.in_beats * -(-self.in_width // 8)

    @property
    def out_bytes(self) -> int:
        """Bytes of one frame's output on the wire."""
        return self.out_beats * -(-self.out_width // 8)


@dataclass(frozen=True, slots=True)
class Answer:
    """A frame from the board whose CRC is right.

    Parameters
    ----------
    kind
        What it answers, or what was wrong.
    sequence
        Number of the request, 0 to 255.
    cycles
        Clock cycles that the core took for the last frame.
    body
        What was asked for.
    """

    kind: Kind
    sequence: int
    cycles: int
    body: bytes


def encode_request(command: int, sequence: int, payload: bytes = b"") -> bytes:
    """Write a request.

    Parameters
    ----------
    command
        A :class:`Kind`.
    sequence
        Any number from 0 to 255; the answer repeats it.
    payload
        Beats, for :attr:`Kind.INFER`.
    """
    covered = bytes([command, sequence]) + payload
    return bytes([SYNC]) + covered + _CRC.pack(zlib.crc32(covered))


def encode_infer(sequence: int, beats: Beats) -> bytes:
    """Write the request that sends a frame through the core.

    Parameters
    ----------
    sequence
        Any number from 0 to 255; the answer repeats it.
    beats
        uint8 of shape (beats, bytes of a beat), little-endian.
    """
    return encode_request(Kind.INFER, sequence, beats.tobytes())


def encode_answer(answer: Answer) -> bytes:
    """Write an answer, as the board does."""
    head = _HEAD.pack(SYNC, answer.kind, answer.sequence, answer.cycles)
    covered = head[1:] + answer.body
    return head[:1] + covered + _CRC.pack(zlib.crc32(covered))


class Decoder:
    """Finds answers in what comes over the wire, and passes over everything else.

    Parameters
    ----------
    result_bytes
        Bytes of one frame's output.
    """

    def __init__(self, result_bytes: int = 0) -> None:
        self._buffer = bytearray()
        self._bodies: Mapping[int, int] = {
            Kind.INFO: INFO_BYTES,
            Kind.INFER: result_bytes,
        }

    def feed(self, received: bytes) -> list[Answer]:
        """Take bytes, and give the answers that they complete.

        Parameters
        ----------
        received
            Any number of bytes; a frame may be spread over many calls.
        """
        self._buffer += received
        answers: list[Answer] = []
        while (start := self._buffer.find(SYNC)) >= 0:
            del self._buffer[:start]
            size = ANSWER_OVERHEAD + self._body_bytes()
            if size > len(self._buffer):
                return answers
            answer = _decode(bytes(self._buffer[:size]))
            if answer is not None:
                answers.append(answer)
            # A damaged frame may hide a whole one: look on behind its first byte.
            del self._buffer[: size if answer is not None else 1]
        self._buffer.clear()
        return answers

    def _body_bytes(self) -> int:
        """Tell the size of the body, as far as the kind of the frame is known."""
        return self._bodies.get(self._buffer[1], 0) if len(self._buffer) > 1 else 0


def _decode(frame: bytes) -> Answer | None:
    covered, checksum = frame[1 : -_CRC.size], frame[-_CRC.size :]
    if _CRC.pack(zlib.crc32(covered)) != checksum or frame[1] not in tuple(Kind):
        return None
    _, kind, sequence, cycles = _HEAD.unpack_from(frame)
    return Answer(Kind(kind), sequence, cycles, covered[_HEAD.size - 1 :])


def check_info(info: Info, build_id: str) -> None:
    """Refuse a board that speaks another protocol or runs another build.

    Parameters
    ----------
    info
        What the board says.
    build_id
        The build that it should run.

    Raises
    ------
    TransportError
        If it is another.
    """
    if info.version != VERSION:
        problem = f"speaks version {info.version} of the protocol, not {VERSION}"
        raise TransportError("board", problem, "Build and program it again")
    if info.build_id != build_id:
        problem = f"runs build {info.build_id}, not {build_id}"
        raise TransportError("board", problem, "Program it with this build's bitstream")
