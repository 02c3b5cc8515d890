# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hwgq.compile.bit_planes import pack, unpack
from hwgq.compile.streams import ElementType

COLUMNS = (1, 8, 63, 64, 65, 130)


def drawn(low, high, columns, dtype):
    rng = np.random.default_rng(columns)
    codes = rng.integers(low, high + 1, (5, columns)).astype(dtype)
    codes[0], codes[1] = low, high
    return codes


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_bit_c_of_a_plane_is_that_of_column_c(columns, bits):
    codes = drawn(0, 2**bits - 1, columns, np.uint8)
    planes = pack(codes, bits)
    assert planes.shape == (5, bits, -(-columns // 64))
    for plane in range(bits):
        for column in range(64 * planes.shape[2]):
            word = planes[:, plane, column // 64]
            found = word >> np.uint64(column % 64) & np.uint64(1)
            beyond = column >= columns
            wanted = 0 if beyond else codes[:, column] >> plane & 1
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("dtype", np.typecodes["AllInteger"])
def test_codes_of_every_type_of_integers_return_from_planes(columns, dtype):
    ends = np.iinfo(dtype)
    for low, high in [(0, 3), (0, 100), (-100, 27), (0, 2**40), (-(2**40), 9)]:
        if ends.min <= low and high <= ends.max:
            kind = ElementType.signed(low, high)
            if low == 0:
                kind = ElementType.unsigned(high)
            codes = drawn(low, high, columns, dtype)
            found = unpack(pack(codes, kind.bits), kind, columns)
            np.testing.assert_array_equal(found, codes)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_more_planes_than_the_integers_have_bits_repeat_the_sign(dtype):
    low, high = max(-100, np.iinfo(dtype).min), np.iinfo(dtype).max
    codes = drawn(low, high, 70, dtype)
    kind = ElementType(bits=12, low=low, high=high)
    np.testing.assert_array_equal(unpack(pack(codes, 12), kind, 70), codes)


def test_codes_that_do_not_lie_in_a_row_are_packed() -> None:
    codes = drawn(0, 3, 130, np.int64)
    np.testing.assert_array_equal(pack(codes[:, ::2], 2), pack(codes[:, ::2].copy(), 2))
