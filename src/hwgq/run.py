# SPDX-License-Identifier: Apache-2.0
"""The whole way, from a recipe to a verified bitstream.

This and the command line are the only files that know both halves of hwgq; they meet
in `network.onnx`.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from hwgq import boards
from hwgq.boards.design import read_info
from hwgq.boards.protocol import ANSWER_OVERHEAD, REQUEST_OVERHEAD
from hwgq.compile import VerifyReport, compile_network, verify
from hwgq.progress import tell
from hwgq.storage import read_toml

SEEDS = (0, 1, 2)
"""Seeds of the accuracy table; none is picked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Test accuracy of a network over `SEEDS`, in percent."""

    network: str
    mean: float
    deviation: float
    of_each_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What came out.

    Parameters
    ----------
    accuracy
        Of the HWGQ network, and of the float network trained alike.
    verification
        The ladder: every representation beside the reference; the cycles of a frame.
    lanes
        Rows times columns in parallel, of all layers together.
    clock_mhz, fmax_mhz
        Clock of the board's PLL, and the fastest that the routed design takes.
    core_fps, core_fps_at_fmax
        Frames/s of the core at these clocks, fed without a pause.
    board_fps, limiter
        Frames/s through the board's transport, and which of the two limits them.
    luts, block_rams
        Cells of the whole design, shell included, and those of the device.
    bitstream
        The file to load.
    """

    accuracy: tuple[Accuracy, ...]
    verification: VerifyReport
    lanes: int
    clock_mhz: float
    fmax_mhz: float
    core_fps: float
    core_fps_at_fmax: float
    board_fps: float
    limiter: str
    luts: boards.Use
    block_rams: boards.Use
    bitstream: Path


def run(
    recipe: str,
    board: str,
    *,
    out: Path | None = None,
    seed: int | None = None,
    data: Path | None = None,
) -> Summary:
    """Train, export, compile, verify and build. What did not change is not done again.

    Parameters
    ----------
    recipe
        A TOML file, or the name of a recipe that comes with hwgq.
    board
        Name of a board.
    out
        The build folder; by default ``builds/RUN-BOARD``.
    seed
        Of the network that is compiled; by default the recipe's.
    data
        File or folder of the data set, where it does not come with hwgq.

    Raises
    ------
    HwgqError
        Whatever a stage raises.
    """
    chosen = boards.load(board)
    tell(f"{recipe} on {chosen.title}")
    trained, accuracy = _train(recipe, seed, data)
    build = compile_network(trained / "network.onnx", board, out=out)
    verification = verify(build, samples=trained / "samples.npz")
    result = boards.build(build)
    assert verification.cycles_per_frame is not None  # the RTL was simulated
    wire = read_info(build)
    speed = boards.throughput(
        chosen,
        cycles_per_frame=verification.cycles_per_frame,
        bytes_in=REQUEST_OVERHEAD + wire.in_bytes,
        bytes_out=ANSWER_OVERHEAD + wire.out_bytes,
        clock_mhz=result.clock_mhz,
    )
    return Summary(
        accuracy=accuracy,
        verification=verification,
        lanes=read_toml(build / "build.toml")["estimates"]["lanes"],
        clock_mhz=result.clock_mhz,
        fmax_mhz=result.fmax_mhz,
        core_fps=speed.core,
        core_fps_at_fmax=speed.core * result.fmax_mhz / result.clock_mhz,
        board_fps=speed.board,
        limiter=speed.limiter,
        luts=result.luts,
        block_rams=result.block_rams,
        bitstream=result.bitstream,
    )


def _train(
    recipe: str, seed: int | None, data: Path | None
) -> tuple[Path, tuple[Accuracy, ...]]:
    """Train the network, and the ones beside it that say how good its recipe is."""
    from hwgq import train

    trained = train.train(recipe, seed=seed, data=data)
    found = train.measure_accuracy(recipe, seeds=SEEDS, data=data)
    shares = {"HWGQ": found.hwgq, "float32": found.float32}
    rows = [
        Accuracy(
            network=network, mean=mean(each), deviation=stdev(each), of_each_seed=each
        )
        for network, each in shares.items()
    ]
    return trained, tuple(rows)
