"""C++ that the full bench compiles on demand: a loop of ATen calls, and the FMA peak."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from inpaint.errors import BackendError

SOURCES = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "inpaint"
LANES = {"avx512": 16, "avx2": 8}


@functools.lru_cache(maxsize=1)
def aten_loop() -> Any:
    """The module compiled from aten_loop.cpp.

    Raises:
        BackendError: If it cannot be built here.
    """
    from torch.utils import cpp_extension

    try:
        return cpp_extension.load(
            name="inpaint_bench_aten_loop",
            sources=[str(SOURCES / "aten_loop.cpp")],
            extra_cflags=["-O3"],
        )
    except (RuntimeError, OSError, ImportError, subprocess.SubprocessError) as error:
        raise BackendError(f"The ATen loop cannot be built here: {_last_line(error)}") from error


class FmaPeak:
    """Measures how many float32 operations per second some cores can do at most.

    Args:
        instructions: "avx512" or "avx2".
        threads: Number of cores to use.

    Raises:
        BackendError: If there is no compiler, or no loop for that instruction set.
    """

    def __init__(self, instructions: str, threads: int) -> None:
        if instructions not in LANES:
            raise BackendError(
                f"instructions is {instructions!r}; the FMA peak is measured for "
                f"{' and '.join(LANES)} only."
            )
        library = ctypes.CDLL(str(_build("fma_peak.cpp")))
        self._run = getattr(library, f"Run{instructions.capitalize()}")
        self._run.restype = ctypes.c_float
        self._run.argtypes = [ctypes.c_long]
        # A multiply-add counts as two operations.
        self._per_round = 2 * LANES[instructions] * library.Chains()
        self._pool = ThreadPoolExecutor(threads)
        self._threads = threads

    def operations(self, seconds: float) -> tuple[float, float]:
        """Compute for about `seconds`; returns the number of operations and the time taken."""
        self._spin(100_000)
        rounds = max(100_000, int(100_000 * seconds / self._spin(100_000)))
        taken = self._spin(rounds)
        return float(self._per_round * rounds * self._threads), taken

    def _spin(self, rounds: int) -> float:
        clock = time.perf_counter()
        # ctypes releases the global interpreter lock during the call.
        list(self._pool.map(self._run, [rounds] * self._threads))
        return time.perf_counter() - clock


def _build(source: str) -> Path:
    """Compile a source file into a shared library, unless that was done before."""
    text = (SOURCES / source).read_bytes()
    library = CACHE / f"{Path(source).stem}-{hashlib.sha256(text).hexdigest()[:12]}.so"
    if library.exists():
        return library
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        raise BackendError(f"No C++ compiler was found for {source}; install g++.")
    CACHE.mkdir(parents=True, exist_ok=True)
    # Renamed when complete, as two processes may build at once.
    partial = library.with_suffix(f".{os.getpid()}")
    command = [compiler, "-O2", "-shared", "-fPIC", str(SOURCES / source), "-o", str(partial)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BackendError(f"{source} cannot be built here: {_last_line(error)}") from error
    partial.replace(library)
    return library


def _last_line(error: Exception) -> str:
    text = (getattr(error, "stderr", None) or str(error)).strip()
    return text.splitlines()[-1] if text else type(error).__name__
