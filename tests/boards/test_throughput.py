# SPDX-License-Identifier: Apache-2.0
import pytest

from hwgq import boards


def throughput(cycles, bytes_in, bytes_out):
    return boards.throughput(
        boards.load("icebreaker"),
        cycles_per_frame=cycles,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        clock_mhz=30.0,
    )


def test_the_wire_limits_a_fast_core():
    found = throughput(64, 75, 25)  # 100 bytes of 10 bits at three megabaud
    assert found.core == pytest.approx(468_750)
    assert found.transport == pytest.approx(3000)
    assert found.board == pytest.approx(1 / (1 / 3000 + 1 / 468_750))
    assert found.limiter == "transport"


def test_the_core_limits_where_it_is_slower_than_the_wire():
    assert throughput(3_000_000, 75, 25).limiter == "core"
