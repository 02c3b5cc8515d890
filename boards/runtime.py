# SPDX-License-Identifier: Apache-2.0
"""Send frames through a board, over any transport of bytes that may lose some."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hwgq.boards.protocol import (
    ANSWER_OVERHEAD,
    INFO_BYTES,
    REQUEST_OVERHEAD,
    Answer,
    Beats,
    Decoder,
    Info,
    Kind,
    check_info,
    encode_request,
)
from hwgq.errors import TransportError

#: Seconds without a byte after which nothing more is on its way.
_QUIET = 0.05


class Transport(Protocol):
    """What carries bytes to a board and back."""

    def write(self, data: bytes) -> None:
        """Send all of some bytes."""

    def read(self, size: int, timeout: float) -> bytes:
        """Receive at most `size` bytes, as soon as there are any.

        Returns
        -------
        bytes
            What came; nothing if that took longer than `timeout` seconds.
        """


@dataclass(frozen=True, slots=True)
class Result:
    """What the core made of one frame.

    Parameters
    ----------
    beats
        uint8 of shape (beats, bytes of a beat), little-endian.
    cycles
        Clock cycles between the first beat in and the last beat out.
    """

    beats: Beats
    cycles: int


@dataclass(slots=True)
class Faults:
    """What went wrong on the wire, and was put right.

    Parameters
    ----------
    damaged
        Requests that did not come to the board as they were sent.
    unanswered
        Requests whose answer did not come whole in time.
    stale
        Answers to earlier requests, which were discarded.
    """

    damaged: int = 0
    unanswered: int = 0
    stale: int = 0

    @property
    def resent(self) -> int:
        """Requests that were sent again, or given up."""
        return self.damaged + self.unanswered


class Device:
    """A board that runs a build.

    Parameters
    ----------
    transport
        The way to it.
    build
        What the board should say about itself.
    timeout
        Seconds to wait for an answer.
    retries
        How often a request is sent again when its answer does not come whole.

    Attributes
    ----------
    faults
        What went wrong so far.

    Raises
    ------
    TransportError
        If the board does not answer, or runs another build.
    """

    def __init__(
        self,
        transport: Transport,
        build: Info,
        *,
        timeout: float = 1.0,
        retries: int = 3,
    ) -> None:
        self._transport = transport
        self._timeout = timeout
        self._attempts = retries + 1
        self._sequence = 0
        self._build = build
        self.faults = Faults()
        self.info = Info.from_bytes(self._exchange(Kind.INFO).body)
        check_info(self.info, build.build_id)

    def infer(self, beats: Beats) -> Result:
        """Send one frame through the core.

        Parameters
        ----------
        beats
            uint8 of shape (beats, bytes of a beat), little-endian.

        Raises
        ------
        TransportError
            If no whole answer came.
        """
        if beats.dtype != np.uint8 or beats.size != self.info.in_bytes:
            raise ValueError(
                f"a frame has {self.info.in_bytes} bytes, not {beats.size}"
            )
        answer = self._exchange(Kind.INFER, beats.tobytes())
        output = np.frombuffer(answer.body, np.uint8)
        return Result(output.reshape(self.info.out_beats, -1), answer.cycles)

    def _exchange(self, command: Kind, payload: bytes = b"") -> Answer:
        """Send a request, again if need be, until its answer comes whole."""
        for attempt in range(self._attempts):
            if attempt:
                self._flush()
            # A new number each time: what comes late is known by its old one.
            self._sequence = (self._sequence + 1) % 256
            self._transport.write(encode_request(command, self._sequence, payload))
            answer = self._answer(command)
            if answer is not None:
                return answer
        raise TransportError(
            "board",
            f"gave no whole answer to {self._attempts} requests",
            "Check port, cable and baud rate, and that the board is programmed",
        )

    def _answer(self, command: Kind) -> Answer | None:
        """Wait for this request's answer; None if it is to be sent again."""
        decoder = Decoder(self._build.out_bytes)
        deadline = time.monotonic() + self._timeout
        while (left := deadline - time.monotonic()) > 0:
            for answer in decoder.feed(self._transport.read(4096, left)):
                if answer.sequence != self._sequence:
                    self.faults.stale += 1
                elif answer.kind is Kind.BAD_CRC:
                    self.faults.damaged += 1
                    return None
                elif answer.kind is command:
                    return answer
                else:
                    problem = f"does not know the command {command.name}"
                    raise TransportError("board", problem, "Build and program it again")
        self.faults.unanswered += 1
        return None

    def _flush(self) -> None:
        """Make the board forget what it got of a request, and pass by what it says.

        Zeros end any request that it still waits for, and last longer than its answer;
        without one they mean nothing.
        """
        request = REQUEST_OVERHEAD + self._build.in_bytes
        answer = ANSWER_OVERHEAD + max(self._build.out_bytes, INFO_BYTES)
        self._transport.write(bytes(request + answer))
        deadline = time.monotonic() + self._timeout
        while self._transport.read(4096, _QUIET) and time.monotonic() < deadline:
            pass
