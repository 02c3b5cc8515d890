# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwgq.compile.beats import beat_bytes, pack, unpack
from hwgq.compile.graph import ElementType, Stream


@given(
    beat=st.integers(1, 9),
    beats=st.integers(1, 4),
    bits=st.integers(1, 12),
    frames=st.integers(0, 3),
    signed=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_unpack_inverts_pack(
    *, beat: int, beats: int, bits: int, frames: int, signed: bool, seed: int
) -> None:
    low = -(1 << bits - 1) if signed else 0
    high = low + (1 << bits) - 1
    element = ElementType(bits=bits, low=low, high=high)
    stream = Stream(name="s", shape=(beat * beats,), type=element, beat=beat)
    codes = np.random.default_rng(seed).integers(low, high + 1, (frames, beat * beats))
    packed = pack(codes, stream)
    assert packed.shape == (frames * beats, beat_bytes(stream))
    np.testing.assert_array_equal(unpack(packed, stream), codes)


def test_codes_are_plane_major_and_accumulators_keep_their_bits_together() -> None:
    codes = np.array([[1, 2, 3]])
    unsigned = Stream(name="u", shape=(3,), type=ElementType.unsigned(3), beat=3)
    assert pack(codes, unsigned).tolist() == [[0b110_101]]
    signed = Stream(name="s", shape=(3,), type=ElementType.signed(-4, 3), beat=3)
    assert pack(codes, signed).tolist() == [[0b11_010_001, 0]]
    assert pack(-codes, signed).tolist() == [[0b01_110_111, 1]]


def test_beats_of_a_torn_frame_are_left_out() -> None:
    stream = Stream(name="u", shape=(4,), type=ElementType.unsigned(3), beat=2)
    packed = pack(np.arange(8).reshape(2, 4) % 4, stream)
    assert unpack(packed[:3], stream).tolist() == [[0, 1, 2, 3]]
