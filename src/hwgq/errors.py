# SPDX-License-Identifier: Apache-2.0
"""Every error that a user can meet: where it is, what is wrong, what to do.

The constructors take facts and make the text, so that all messages read alike::

    layer2: PE=3 does not divide 64 rows. Choose one of 1, 2, 4, 8, 16, 32, 64.

`assert` and built-in exceptions are left for mistakes of our own.
"""

from pathlib import Path


class HwgqError(Exception):
    """An error that the user can mend.

    Parameters
    ----------
    place
        The node, file, option or layer that is meant.
    problem
        What is wrong with it, without a full stop.
    remedy
        What to do about it, a sentence without a full stop.
    """

    def __init__(self, place: str | Path, problem: str, remedy: str) -> None:
        self.place = shorten(str(place))
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{self.place}: {problem}. {remedy}.")


class OptionError(HwgqError):
    """A command-line option or function argument has an impossible value."""


class RecipeError(HwgqError):
    """A recipe or configuration file asks for something that does not exist."""


class DataError(HwgqError):
    """A data set is missing, damaged, or not of the declared kind."""


class StorageError(HwgqError):
    """A file or folder cannot be read, written or locked, or is of a newer format."""


class NetworkError(HwgqError):
    """A file is not a network that may be read."""


class UnsupportedLayerError(HwgqError):
    """A node cannot be mapped to hardware."""


class FoldingError(HwgqError):
    """A folding is illegal or a target cannot be met."""


class BoardError(HwgqError):
    """A board is unknown, or its description is wrong."""


class BuildError(HwgqError):
    """A design does not fit its device or misses its clock."""


class SimulationError(HwgqError):
    """A simulated design lacks a memory image or stops moving."""


class DeadlockError(SimulationError):
    """A simulated design stops moving.

    Parameters
    ----------
    place, problem, remedy
        As in :class:`HwgqError`.
    cycle
        Clock cycle since the reset ended, from which on no beat moves anywhere.
    beats
        Beats that the output gave until then.
    """

    def __init__(
        self, place: str | Path, problem: str, remedy: str, *, cycle: int, beats: int
    ) -> None:
        self.cycle, self.beats = cycle, beats
        super().__init__(place, problem, remedy)


class TransportError(HwgqError):
    """A board does not answer, or its answer is not to be trusted."""


class ToolNotFoundError(HwgqError):
    """A program that a stage needs is not there."""


class ToolFailedError(HwgqError):
    """A program that a stage called ended with an error.

    Parameters
    ----------
    tool
        Name of the program.
    log
        The whole of what it printed.
    excerpt
        The lines that say why, as the program printed them.
    """

    def __init__(self, tool: str, log: Path, excerpt: str) -> None:
        self.log = log
        super().__init__(tool, f"failed: {excerpt.strip()}", f"The whole log is {log}")


class VerificationError(HwgqError):
    """A proof cannot be carried out, or proves less than it should."""


class MismatchError(HwgqError):
    """Two representations of the network disagree.

    Parameters
    ----------
    rung, layer
        The representation that differs, and the layer where it first does.
    index
        Frame and element, as ``(frame, element, ...)``.
    expected, got
        The reference's number, and the rung's; or what else tells them apart.
    folder
        What shows it, if anything was kept.
    """

    def __init__(
        self,
        rung: str,
        layer: str,
        index: tuple[int, ...],
        expected: float | str,
        got: float | str,
        *,
        folder: Path | None = None,
    ) -> None:
        self.rung, self.layer, self.index = rung, layer, index
        self.expected, self.got = expected, got
        super().__init__(
            f"{rung}, {shorten(layer)}, frame and index {index}",
            f"expected {expected}, got {got}",
            "The layers before it agree: this one's weights, thresholds or hardware"
            " differ from the reference"
            + ("" if folder is None else f"; {folder} holds what shows it"),
        )


def shorten(text: str, limit: int = 120) -> str:
    """Make a name from a foreign file fit to print: one line, no control characters."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"
