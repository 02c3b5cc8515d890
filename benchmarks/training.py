# SPDX-License-Identifier: Apache-2.0
"""Print what a training step costs with HWGQ layers, beside ReLU and float weights.

Run `python -m benchmarks.training` in the project's root, on an idle machine. Both
sides are the same network and optimizer; their steps alternate, so that what disturbs
the one disturbs the other. On a CPU the process' time is taken, which other programs
disturb least, on a GPU the time on the wall. "ratio" is that of the medians, "pairs"
the median of the ratios of neighbouring steps, "first" the seconds of the first step,
in which torch.compile works.
"""

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional

from hwgq.train.models import build
from hwgq.train.models.style import Style
from hwgq.train.recipe import Schedule
from hwgq.train.task import make_optimizer

SHAPES = {"tfc": (784,), "lfc": (784,), "lenet": (1, 28, 28), "cnv": (3, 32, 32)}
STYLES = (Style(weights="float", activation="relu"), Style())
BATCH, CLASSES = 128, 10
WARMUP = 5
LIMITS = {"eager": 1.4, "compiled": 1.1}
RESULTS = Path(__file__).parent / "results" / "training.md"
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


def row(name: str, mode: str, setting: Setting) -> list[str]:
    """Measure both sides and make one line of the table."""
    torch.compiler.reset()
    sides = [training_step(name, style, mode, setting) for style in STYLES]
    first = [first_seconds(step) for step in sides]
    times = [
        [seconds(step, setting.device) for step in sides]
        for _ in range(WARMUP + setting.steps)
    ][WARMUP:]
    base, ours = (1e3 * median(side) for side in zip(*times, strict=True))
    pairs = median(b / a for a, b in times)
    numbers = (f"{base:.3f}", f"{ours:.3f}", f"{ours / base:.3f}", f"{pairs:.3f}")
    both = " / ".join(f"{value:.1f}" for value in first)
    return [name, mode, *numbers, str(LIMITS[mode]), both]


def machine(setting: Setting) -> str:
    """Name what is measured on."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    parts = [*(names[:1] or [processor]), f"{torch.get_num_threads()} thread(s)"]
    if setting.device == "cuda":
        parts.append(torch.cuda.get_device_name())
    clock = "process time" if setting.device == "cpu" else "wall time"
    products = "bf16" if setting.bf16 else "float32"
    parts += [f"torch {torch.__version__}", f"batch {BATCH}", products]
    return ", ".join([*parts, f"median {clock} of {setting.steps} steps"])


def lines(names: list[str], setting: Setting) -> Iterator[str]:
    """Make the table, line by line, as Markdown."""
    yield f"{machine(setting)}:\n"
    yield f"| {' | '.join(HEAD)} |"
    yield "|" + "--|" * len(HEAD)
    for name in names:
        for mode in LIMITS:
            yield f"| {' | '.join(row(name, mode, setting))} |"


def main() -> None:
    """Print the tables, and keep them where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(SHAPES))
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = options.networks.split(",")
    for bf16 in (False, True) if options.device == "cuda" else (False,):
        for line in lines(names, Setting(options.device, options.steps, bf16)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
