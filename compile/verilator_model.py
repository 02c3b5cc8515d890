# SPDX-License-Identifier: Apache-2.0
"""Turn SystemVerilog into a simulator's executable, once for each content.

Most of what g++ would compile is Verilator's own runtime and headers, the same for
every design: they are compiled once, and a small design then takes a second. They and
the executables are kept in a cache folder under the hash of all that they depend on.
"""

import contextlib
import hashlib
import importlib.resources
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import hwgq.cache
import hwgq.compile
from hwgq import tools
from hwgq.progress import tell

_VERILATE = (
    *("--cc", "--prefix", "Vsim", "--top-module", "hwgq_sim", "--Mdir", "model"),
    # Lint is the tests' business: foreign netlists are simulated, too.
    *("-Wno-fatal", "-Wno-lint", "-Wno-style", "-Werror-USERERROR"),
    *("--no-assert", "--no-timing"),
    *("-O3", "--x-assign", "fast", "--x-initial", "unique", "--relative-includes"),
)
_COMPILE = (
    *("g++", "-std=c++20", "-march=native", "-DVL_TIME_CONTEXT", "-DVM_SC=0"),
    *("-DVM_COVERAGE=0", "-DVM_TIMING=0", "-DVM_TRACE_FST=0"),
)
# All models begin so, and most of what there is to compile is this. Verilator counts
# ones by shifts and adds, but the processor has an instruction for it.
_PRELUDE = """\
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>
#include "verilated.h"
#define VL_COUNTONES_I(word) static_cast<IData>(__builtin_popcount(word))
#define VL_COUNTONES_Q(word) static_cast<IData>(__builtin_popcountll(word))
"""
_KEY = 'extern const char hwgq_key[];\nconst char hwgq_key[] = "{key}";\n'
_INCLUDE = re.compile(rb'^\s*`include "([^"]+)"', re.MULTILINE)


def compile_model(
    sources: Sequence[Path],
    wrapper: str,
    *,
    trace: bool = False,
    optimize: bool = True,
    driver: str = "streams.cpp",
) -> Path:
    """Make the executable that simulates a design, or find it in the cache.

    Parameters
    ----------
    sources
        SystemVerilog or Verilog files. What they include lies beside them.
    wrapper
        Text of the module `hwgq_sim`, which has the ports that the drivers know.
    trace
        Whether the executable can write waveforms.
    optimize
        Whether g++ takes its time, which makes the executable some ten times faster.
    driver
        The file in the folder `drivers` that has the function `main`.

    Returns
    -------
    Path
        The executable, in the cache.

    Raises
    ------
    ToolNotFoundError
        If g++ or Verilator is not there.
    ToolFailedError
        If the sources are wrong.
    StorageError
        If the cache cannot be written.
    """
    cache = hwgq.cache.cache_folder()
    with hwgq.cache.scratch(cache, "simulators") as scratch:
        (scratch / "hwgq_sim.sv").write_text(wrapper)
        drivers = importlib.resources.files(hwgq.compile) / "drivers"
        for name, origin in {"driver.cpp": driver, "traffic.h": "traffic.h"}.items():
            (scratch / name).write_bytes(drivers.joinpath(origin).read_bytes())
        base = _environment(scratch, trace)
        own = (scratch / name for name in ("hwgq_sim.sv", "driver.cpp", "traffic.h"))
        contents = [item for file in (*sources, *own) for item in _contents(file)]
        level = "-O3" if optimize else "-O0"
        parts = (part for item in contents for part in item)
        key = _digest(base, level.encode(), *parts)
        model = cache / f"model-{key}"
        if not _is(model, key):
            runtime = _runtime(scratch, cache / f"runtime-{_digest(base)}.o", trace)
            place = cache / f"prelude-{_digest(base, level.encode())}"
            prelude = _prelude(scratch, place, [*_flags(trace), level])
            (scratch / "key.cpp").write_text(_KEY.format(key=key))
            _build(scratch, sources, (prelude, runtime), model, (level, trace))
    return model


def _is(model: Path, key: str) -> bool:
    """Tell whether a file of the cache is the executable that its name says.

    Its name may lie, after a crash or by a hand: the key stands in the executable, too.
    """
    if not model.exists():
        return False
    if key.encode() in model.read_bytes():
        return True
    tell(f"{model} is a simulator of something else: it is compiled again")
    return False


def _environment(scratch: Path, trace: bool) -> bytes:
    """Describe what all models depend on: the tools, their flags and this CPU."""
    # With -v the compiler tells its version and what -march=native stands for.
    command = [*_COMPILE, "-E", "-v", "-x", "c++", os.devnull]
    compiler = tools.run(command, cwd=scratch, log=scratch / "compiler.log")
    verilator = tools.version("verilator")
    flags = (_VERILATE, _COMPILE, _PRELUDE, trace)
    return repr((compiler, verilator, *flags)).encode()


def _contents(file: Path) -> Iterator[tuple[bytes, bytes]]:
    """Read a file, and all that it includes."""
    data = file.read_bytes()
    yield file.name.encode(), data
    for name in _INCLUDE.findall(data):
        yield from _contents(file.with_name(name.decode()))


def _digest(*parts: bytes) -> str:
    sizes = repr([len(part) for part in parts]).encode()
    return hashlib.sha256(sizes + b"".join(parts)).hexdigest()[:24]


def _root() -> Path:
    """Find Verilator's folder: its launcher needs Perl, the program itself does not."""
    return tools.find("verilator").resolve().parent.parent


def _flags(trace: bool) -> tuple[str, ...]:
    include = _root() / "include"
    return (
        *_COMPILE,
        *(f"-DVM_TRACE={trace:d}", f"-DVM_TRACE_VCD={trace:d}"),
        *(f"-I{include}", f"-I{include / 'vltstd'}"),
    )


def _runtime(scratch: Path, runtime: Path, trace: bool) -> Path:
    """Compile what Verilator links to every model."""
    if runtime.exists():
        return runtime
    parts = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]
    sources = [_root() / "include" / f"{part}.cpp" for part in parts]
    tools.run(
        [*_flags(trace), "-O2", "-r", "-nostdlib", "-o", "runtime.o", *sources],
        cwd=scratch,
        log=runtime.with_suffix(".log"),
    )
    (scratch / "runtime.o").replace(runtime)
    return runtime


def _prelude(scratch: Path, place: Path, flags: Sequence[str]) -> Path:
    """Compile the header that every model begins with; g++ finds that beside it."""
    if not place.exists():
        made = scratch / "prelude"
        made.mkdir()
        (made / "prelude.h").write_text(_PRELUDE)
        tools.run(
            [*flags, "-x", "c++-header", "-o", "prelude.h.gch", "prelude.h"],
            cwd=made,
            log=place.with_name(f"{place.name}.log"),
        )
        # Another process may have been faster.
        with contextlib.suppress(OSError):
            made.rename(place)
    return place / "prelude.h"


def _build(
    scratch: Path,
    sources: Sequence[Path],
    common: tuple[Path, Path],
    model: Path,
    options: tuple[str, bool],
) -> None:
    prelude, runtime = common
    level, trace = options
    files = [*(source.resolve() for source in sources), Path("hwgq_sim.sv")]
    tools.run(
        [
            _root() / "bin" / "verilator_bin",
            *_VERILATE,
            *(["--trace-vcd"] if trace else []),
            *files,
        ],
        cwd=scratch,
        log=model.with_name(f"{model.name}-verilator.log"),
        env={"VERILATOR_ROOT": str(_root())},
    )
    # One translation unit, which reads the prelude once.
    own = [scratch / "key.cpp", scratch / "driver.cpp"]
    parts = [*sorted((scratch / "model").glob("*.cpp")), *own]
    lines = [f'#include "{part.relative_to(scratch)}"\n' for part in parts]
    (scratch / "model.cpp").write_text("".join(lines))
    tools.run(
        [
            *_flags(trace),
            *(level, "-include", str(prelude), "-Imodel"),
            *("-o", "model.out", "model.cpp", str(runtime)),
        ],
        cwd=scratch,
        log=model.with_name(f"{model.name}-compiler.log"),
    )
    (scratch / "model.out").replace(model)
