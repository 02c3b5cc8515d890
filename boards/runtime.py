# SPDX-License-Identifier: Apache-2.0
"""Send frames through a board, over any transport of bytes that may lose some."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hwgq.boards.protocol import (
    TIMEOUT_BITS,
    Answer,
    Beats,
    Decoder,
    Info,
    Kind,
    check_info,
    encode_request,
)
from hwgq.errors import TransportError


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


class Device:
    """A board that runs a build.

    Parameters
    ----------
    transport
        The way to it.
    build_id
        The build that it should run.
    baud
        Bits per second of the wire: how long the board waits inside a request.
    timeout
        Seconds to wait for an answer.
    retries
        How often a request is sent again when its answer does not come whole.

    Raises
    ------
    TransportError
        If the board does not answer, or runs another build.
    """

    def __init__(
        self,
        transport: Transport,
        build_id: str,
        *,
        baud: int = 1_000_000,
        timeout: float = 1.0,
        retries: int = 3,
    ) -> None:
        self._transport = transport
        self._timeout = timeout
        self._attempts = retries + 1
        # After so long a silence the board has forgotten what it got of a request.
        self._silence = 1.5 * TIMEOUT_BITS / baud
        self._sequence = 0
        self._result_bytes = 0
        self.info = Info.from_bytes(self._exchange(Kind.INFO).body)
        check_info(self.info, build_id)
        self._result_bytes = self.info.out_bytes

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
        self._sequence = (self._sequence + 1) % 256
        request = encode_request(command, self._sequence, payload)
        for attempt in range(self._attempts):
            if attempt:
                self._wait_for_silence()
            self._transport.write(request)
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
        decoder = Decoder(self._result_bytes)
        deadline = time.monotonic() + self._timeout
        while (left := deadline - time.monotonic()) > 0:
            for answer in decoder.feed(self._transport.read(4096, left)):
                if answer.kind is Kind.BAD_CRC:
                    return None  # of whichever request: its number may be damaged, too
                if answer.sequence != self._sequence:
                    continue  # late, of an earlier attempt
                if answer.kind is command:
                    return answer
                problem = f"does not know the command {command.name}"
                raise TransportError("board", problem, "Build and program it again")
        return None

    def _wait_for_silence(self) -> None:
        """Let what is still on its way go by, for a bounded time."""
        deadline = time.monotonic() + self._timeout
        while self._transport.read(4096, self._silence) and time.monotonic() < deadline:
            pass
