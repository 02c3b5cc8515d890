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
from hwgq.errors import OptionError
from hwgq.progress import tell
from hwgq.storage import read_npz, read_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Test accuracy of a network in percent, over seeds of which none is picked."""

    network: str
    mean: float
    deviation: float
    of_each_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What came out where no board is named: a network, ready to be compiled.

    Parameters
    ----------
    network
        The QONNX file; samples to verify it by lie beside it.
    accuracy
        Of the HWGQ network, and of the float network where it is trained alike.
    """

    network: Path
    accuracy: tuple[Accuracy, ...]


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
    board: str | None = None,
    *,
    out: Path | None = None,
    seed: int | None = None,
    data: Path | None = None,
    pretrained: bool = False,
) -> Summary | Prepared:
    """Train, export, compile, verify and build. What did not change is not done again.

    Parameters
    ----------
    recipe
        A TOML file, or the name of a recipe that comes with hwgq.
    board
        Name of a board; without one, the network is trained and exported.
    out
        The build folder; by default ``builds/RUN-BOARD``.
    seed
        Of the network that is compiled; by default the recipe's.
    data
        File or folder of the data set, where it does not come with hwgq.
    pretrained
        Whether to take the network that comes with hwgq instead of training one.

    Raises
    ------
    HwgqError
        Whatever a stage raises.
    """
    chosen = boards.load(board) if board else None
    tell(f"{recipe} on {chosen.title}" if chosen else recipe)
    if pretrained:
        trained, accuracy = _fetch(recipe, seed, data)
    else:
        trained, accuracy = _train(recipe, seed, data)
    if board is None or chosen is None:
        return Prepared(network=trained / "network.onnx", accuracy=accuracy)
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
    from hwgq.train.recipe import load_recipe

    trained = train.train(recipe, seed=seed, data=data)
    if load_recipe(recipe).schedule.seeds == 1:
        samples = read_npz(trained / "samples.npz")
        right = samples["logits"].argmax(1) == samples["labels"]
        return trained, (_single("HWGQ", 100 * float(right.mean())),)
    found = train.measure_accuracy(recipe, data=data)
    shares = {"HWGQ": found.hwgq, "float32": found.float32}
    rows = [
        Accuracy(
            network=network, mean=mean(each), deviation=stdev(each), of_each_seed=each
        )
        for network, each in shares.items()
    ]
    return trained, tuple(rows)


def _fetch(
    recipe: str, seed: int | None, data: Path | None
) -> tuple[Path, tuple[Accuracy, ...]]:
    """Take the network that comes with hwgq, which needs no data."""
    from hwgq import train

    for option, value in (("seed", seed), ("data", data)):
        if value is not None:
            problem = "has no meaning for a network that is trained already"
            raise OptionError(option, problem, "Leave it out, or leave out pretrained")
    card = train.load_pretrained(recipe).card
    return train.fetch_pretrained(recipe), (_single("HWGQ, by its card", card.test),)


def _single(network: str, share: float) -> Accuracy:
    return Accuracy(network=network, mean=share, deviation=0.0, of_each_seed=(share,))
