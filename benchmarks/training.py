# SPDX-License-Identifier: Apache-2.0
"""Print what a training step costs with HWGQ layers, beside ReLU and float weights.

Run `python -m benchmarks.training` in the project's root; with `--write` the tables are
kept in benchmarks/results. Both sides are the same network, without affine parts, and
the trainer's own optimizer; a step is zero_grad, forward, loss, backward, optimizer.

Their steps alternate, so that what disturbs the one disturbs the other. On a CPU the
process' time is taken, which other programs disturb least, on a GPU the time on the
wall. "ratio" is that of the medians, "pairs" the median of the ratios of neighbouring
steps, "first" the wall's seconds of the first step, in which torch.compile works,
from an empty cache; "float / HWGQ".
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional

from benchmarks.provenance import machine
from hwgq.train.models import build
from hwgq.train.models.style import Style
from hwgq.train.recipe import Schedule
from hwgq.train.task import make_optimizer

SHAPES = {"tfc": (784,), "lfc": (784,), "lenet": (1, 28, 28), "cnv": (3, 32, 32)}
STYLES = (Style(weights="float", activation="relu"), Style())
BATCH, CLASSES = 128, 10
WARMUP = 5
LEAST_SECONDS = 1.0
COMMAND = "python -m benchmarks.training"
LIMITS = {"eager": 1.4, "compiled": 1.1}
RESULTS = Path(__file__).parent / "results"
HEAD = ("network", "mode", "float,ms", "hwgq,ms", "ratio", "pairs", "limit", "first,s")

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and how long is measured; bf16 means that products are autocast."""

    device: str
    steps: int
    bf16: bool


def training_step(name: str, style: Style, mode: str, setting: Setting) -> Step:
    """Make one side: a function that takes a whole training step."""
    torch.manual_seed(0)
    order = torch.channels_last if len(SHAPES[name]) == 3 else torch.contiguous_format
    model = build(name, SHAPES[name], CLASSES, style).to(setting.device)
    model = model.to(memory_format=order)  # type: ignore[call-overload]
    images = torch.rand(BATCH, *SHAPES[name], device=setting.device)
    images = images.contiguous(memory_format=order)
    labels = torch.randint(CLASSES, (BATCH,), device=setting.device)
    schedule = Schedule(epochs=1, batch=BATCH, learning_rate=1e-3, weight_decay=1e-2)
    optimizer = make_optimizer(model, schedule)
    forward = torch.compile(model.forward) if mode == "compiled" else model.forward

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(setting.device, torch.bfloat16, enabled=setting.bf16):
            logits = forward(images)
        functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step


def seconds(step: Step, device: str) -> float:
    """Take the time of one step."""
    if device == "cpu":
        before = time.process_time()
        step()
        return time.process_time() - before
    torch.cuda.synchronize()
    before = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - before


def first_seconds(step: Step) -> float:
    """Take the time on the wall of the first step, which compiles."""
    before = time.perf_counter()
    step()
    return time.perf_counter() - before


def alternate(sides: list[Step], setting: Setting) -> list[list[float]]:
    """Take the times of both sides' steps, at least a second of each."""
    for step in sides * WARMUP:
        step()
    times: list[list[float]] = []
    begin = time.perf_counter()
    while len(times) < setting.steps or time.perf_counter() - begin < 2 * LEAST_SECONDS:
        times.append([seconds(step, setting.device) for step in sides])
    return times


def row(name: str, mode: str, setting: Setting) -> list[str]:
    """Measure both sides and make one line of the table."""
    torch.compiler.reset()
    sides = [training_step(name, style, mode, setting) for style in STYLES]
    first = [first_seconds(step) for step in sides]
    times = alternate(sides, setting)
    base, ours = (1e3 * median(side) for side in zip(*times, strict=True))
    pairs = median(b / a for a, b in times)
    numbers = (f"{base:.3f}", f"{ours:.3f}", f"{ours / base:.3f}", f"{pairs:.3f}")
    both = " / ".join(f"{value:.1f}" for value in first)
    return [name, mode, *numbers, str(LIMITS[mode]), both]


def described(setting: Setting) -> str:
    """Name what is measured, and on what."""
    processor, clock = machine(), "process"
    if setting.device == "cuda":
        processor, clock = f"{torch.cuda.get_device_name()}, {processor}", "wall"
    parts = [
        f"{processor}, {torch.get_num_threads()} thread(s)",
        f"torch {torch.__version__}",
        f"batch {BATCH}",
        "bf16 products" if setting.bf16 else "float32",
        f"median {clock} time of {setting.steps} or more steps",
    ]
    return ", ".join(parts)


def table(names: list[str], setting: Setting) -> Iterator[str]:
    """Make a table, line by line, as Markdown."""
    yield f"{described(setting)}:"
    yield ""
    yield f"| {' | '.join(HEAD)} |"
    yield "|" + "--|" * len(HEAD)
    for name in names:
        for mode in LIMITS:
            yield f"| {' | '.join(row(name, mode, setting))} |"
    yield ""


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(SHAPES))
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Print the tables, and keep them where that is asked for."""
    chosen = options()
    torch.set_num_threads(chosen.threads)
    command = f"{COMMAND} --networks {chosen.networks} --device {chosen.device}"
    command += f" --steps {chosen.steps} --threads {chosen.threads} --write"
    written = ["# Cost of a training step", "", f"    {command}", ""]
    with tempfile.TemporaryDirectory() as empty:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = empty
        torch.compile(torch.relu)(torch.ones(2, device=chosen.device))  # loads itself
        for bf16 in (False, True) if chosen.device == "cuda" else (False,):
            setting = Setting(chosen.device, chosen.steps, bf16)
            for line in table(chosen.networks.split(","), setting):
                print(line, flush=True)
                written.append(line)
    if chosen.write:
        RESULTS.mkdir(exist_ok=True)
        name = "training.md" if chosen.device == "cpu" else "training-cuda.md"
        (RESULTS / name).write_text("\n".join(written))


if __name__ == "__main__":
    main()
