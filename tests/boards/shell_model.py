# SPDX-License-Identifier: Apache-2.0
"""The UART shell in Python, around any function, on a wire that may do harm."""

import zlib
from collections.abc import Callable

from hwgq.boards.protocol import (
    REQUEST_OVERHEAD,
    SYNC,
    Answer,
    Info,
    Kind,
    encode_answer,
)

Core = Callable[[bytes], bytes]
Wire = Callable[[bytes], bytes]


class ShellModel:
    """A board, seen from the host: a transport.

    `harm_request` and `harm_answer` get all bytes of one write or answer, and return
    what arrives of them.
    """

    def __init__(
        self,
        info: Info,
        core: Core,
        harm_request: Wire = bytes,
        harm_answer: Wire = bytes,
    ) -> None:
        self.info, self.core = info, core
        self.harm_request, self.harm_answer = harm_request, harm_answer
        self.frames = 0
        self._received = b""
        self._line = b""

    def write(self, data: bytes) -> None:
        self._received += self.harm_request(data)
        self._line += self.harm_answer(self._answers())

    def read(self, size: int, timeout: float) -> bytes:
        if not self._line:
            self._received = b""  # the pause that the host sees, the board sees, too
        taken, self._line = self._line[:size], self._line[size:]
        return taken

    def _answers(self) -> bytes:
        answers = b""
        while (start := self._received.find(SYNC)) >= 0:
            frame = self._received[start:]
            infer = len(frame) > 1 and frame[1] == Kind.INFER
            size = REQUEST_OVERHEAD + (self.info.in_bytes if infer else 0)
            if len(frame) < size:
                return answers
            answers += encode_answer(self._answer(frame[1:size]))
            self._received = b""  # bytes that come during an answer are ignored
        return answers

    def _answer(self, frame: bytes) -> Answer:
        covered, checksum = frame[:-4], frame[-4:]
        command, sequence = covered[:2]
        if zlib.crc32(covered).to_bytes(4, "little") != checksum:
            return Answer(Kind.BAD_CRC, sequence, 0, b"")
        if command == Kind.INFO:
            return Answer(Kind.INFO, sequence, 0, self.info.to_bytes())
        if command == Kind.INFER:
            self.frames += 1
            return Answer(Kind.INFER, sequence, 7, self.core(covered[2:]))
        return Answer(Kind.BAD_COMMAND, sequence, 0, b"")
