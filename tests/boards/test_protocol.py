# SPDX-License-Identifier: Apache-2.0
"""Frames survive the wire or are refused; the host asks again for what is missing."""

import random
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwgq.boards import protocol
from hwgq.boards.protocol import Answer, Decoder, Info, Kind, encode_answer
from hwgq.boards.runtime import Device
from hwgq.errors import TransportError
from hwgq.hw_templates import source
from tests.boards.shell_model import ShellModel

INFO = Info(
    build_id="0123456789abcdef", in_beats=5, in_width=13, out_beats=3, out_width=4
)
answers = st.builds(
    Answer,
    st.just(Kind.INFER),
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=3, max_size=3),
)


def reverse_sums(payload: bytes) -> bytes:
    """Stand in for a core: 5 beats of 2 bytes become 3 beats of 1."""
    return bytes(sum(payload[k::3]) % 16 for k in range(3))


def test_the_shell_names_the_same_constants() -> None:
    text = source("hwgq_uart_shell").read_text()
    numbers = {
        name: int(value, 16)
        for name, value in re.findall(r"(\w+) = 8'h(\w+)[,;]", text)
    }
    assert numbers == {
        "Sync": protocol.SYNC,
        "Info": Kind.INFO,
        "Infer": Kind.INFER,
        "BadCrc": Kind.BAD_CRC,
        "BadCommand": Kind.BAD_COMMAND,
    }
    assert f"TIMEOUT_BITS = {protocol.TIMEOUT_BITS}," in text
    assert f"InfoBytes = {len(INFO.to_bytes())};" in text
    assert f"HeadBytes = {protocol.ANSWER_OVERHEAD - 4};" in text


def test_what_a_board_says_survives_its_bytes() -> None:
    assert Info.from_bytes(INFO.to_bytes()) == INFO
    image = INFO.memory_image()
    assert bytes(int(line, 16) for line in image.split()) == INFO.to_bytes()
    assert (INFO.in_bytes, INFO.out_bytes) == (10, 3)


@given(st.lists(answers, max_size=4), st.binary(max_size=9), st.integers(1, 30))
def test_answers_are_found_in_pieces_and_after_noise(
    sent: list[Answer], noise: bytes, piece: int
) -> None:
    quiet = bytes(byte for byte in noise if byte != protocol.SYNC)
    line = quiet + b"".join(map(encode_answer, sent))
    decoder = Decoder(result_bytes=3)
    found = [
        answer
        for start in range(0, len(line), piece)
        for answer in decoder.feed(line[start : start + piece])
    ]
    assert found == sent


@given(answers, st.data())
def test_no_damage_of_up_to_32_bits_in_a_row_goes_unseen(
    answer: Answer, data: st.DataObject
) -> None:
    frame = bytearray(encode_answer(answer))
    start = data.draw(st.integers(1, len(frame) - 4))
    for k, error in enumerate(data.draw(st.binary(min_size=4, max_size=4))):
        frame[start + k] ^= error
    intact = bytes(frame) == encode_answer(answer)
    # Zeros behind it: whatever a damaged head promises has room to come.
    assert (answer in Decoder(3).feed(bytes(frame) + bytes(40))) == intact


def test_frames_go_through_a_faultless_wire() -> None:
    board = ShellModel(INFO, reverse_sums)
    device = Device(board, INFO)
    frames = np.random.default_rng(0).integers(0, 256, (300, 5, 2), np.uint8)
    for frame in frames:
        result = device.infer(frame)
        assert result.beats.tobytes() == reverse_sums(frame.tobytes())
        assert result.cycles == 7
    assert board.frames == len(frames)


def harm(seed: int) -> Callable[[bytes], bytes]:
    """Flip, drop or repeat a byte of every third message."""
    chance = random.Random(seed)  # noqa: S311 (no secret)

    def arrive(data: bytes) -> bytes:
        if not data or chance.random() > 1 / 3:
            return data
        place = chance.randrange(len(data))
        before, byte, after = data[:place], data[place : place + 1], data[place + 1 :]
        damage = [bytes([byte[0] ^ 1 << chance.randrange(8)]), b"", byte + byte]
        return before + chance.choice(damage) + after

    return arrive


def test_frames_come_through_a_wire_that_flips_drops_and_repeats_bytes() -> None:
    board = ShellModel(INFO, reverse_sums, harm(1), harm(2))
    device = Device(board, INFO, timeout=0.002, retries=30)
    for frame in np.random.default_rng(3).integers(0, 256, (200, 5, 2), np.uint8):
        result = device.infer(frame)
        assert result.beats.tobytes() == reverse_sums(frame.tobytes())
    assert board.frames > 200  # some were computed twice


def test_a_late_answer_is_not_taken_for_this_one() -> None:
    late = encode_answer(Answer(Kind.INFER, 200, 7, b"old"))
    board = ShellModel(INFO, reverse_sums)
    device = Device(board, INFO)
    board.harm_answer = lambda data: late + data
    frame = np.arange(10, dtype=np.uint8).reshape(5, 2)
    assert device.infer(frame).beats.tobytes() == reverse_sums(frame.tobytes())


def test_a_dead_board_is_an_error() -> None:
    board = ShellModel(INFO, reverse_sums, harm_answer=lambda _: b"")
    with pytest.raises(TransportError, match="no whole answer to 2 requests"):
        Device(board, INFO, timeout=0.01, retries=1)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (
            Info(build_id="00" * 8, in_beats=1, in_width=1, out_beats=1, out_width=1),
            "runs build 0000000000000000, not 0123456789abcdef",
        ),
        (
            Info(
                build_id=INFO.build_id,
                in_beats=1,
                in_width=1,
                out_beats=1,
                out_width=1,
                version=9,
            ),
            "speaks version 9 of the protocol, not 1",
        ),
    ],
)
def test_another_build_or_protocol_is_refused(info: Info, message: str) -> None:
    with pytest.raises(TransportError, match=message):
        Device(ShellModel(info, reverse_sums), INFO)


def test_a_frame_of_another_size_is_refused() -> None:
    device = Device(ShellModel(INFO, reverse_sums), INFO)
    with pytest.raises(ValueError, match="a frame has 10 bytes, not 9"):
        device.infer(np.zeros(9, np.uint8))
