"""A process for each number of threads and instruction set.

Most libraries read both from the environment when they are loaded.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.native import CACHE, FmaPeak
from benchmarks.peers import PEERS
from inpaint.bench.timing import Sample, Task, Timer, Workload
from inpaint.bench.variants import VARIANTS
from inpaint.errors import BackendError
from inpaint.generators import Generator

Result = TypeVar("Result")


@dataclass(frozen=True)
class CpuSettings:
    """How the libraries of a process use the processor.

    Attributes:
        threads: Threads of every library.
        instructions: "avx2" limits the libraries that have such a setting to it; None sets no
            limit.
    """

    threads: int
    instructions: str | None = None

    def environment(self) -> dict[str, str]:
        """Variables that the libraries read when they are loaded."""
        count = str(self.threads)
        xla = [os.environ.get("XLA_FLAGS", "")]
        if self.threads == 1:
            xla.append("--xla_cpu_multi_thread_eigen=false")
        # NPROC is the size of XLA's thread pool.
        found = dict.fromkeys(
            ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"), count
        )
        if self.instructions == "avx2":
            xla.append("--xla_cpu_max_isa=AVX2")
            found |= {
                "ATEN_CPU_CAPABILITY": "avx2",
                "MKL_ENABLE_INSTRUCTIONS": "AVX2",
                "ONEDNN_MAX_CPU_ISA": "AVX2",
                "OPENBLAS_CORETYPE": "HASWELL",
                "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
            }
        # The keys of torch.compile's cache do not hold the instruction set: with one folder for
        # all, AVX2 would run AVX-512 code on the wrong strides, and give NaN.
        compiled = CACHE / f"inductor-{self.instructions or 'free'}-{count}"
        return found | {
            "TORCHINDUCTOR_CACHE_DIR": str(compiled),
            "XLA_FLAGS": " ".join(xla).strip(),
            "JAX_PLATFORMS": "cpu",
        }


class Worker:
    """Prepares and times tasks in a process of its own; a `TaskTimer`.

    Args:
        settings: Threads and instruction set.
        generator: Generator of all cases.
        turn_seconds: Desired duration of a turn.
    """

    def __init__(self, settings: CpuSettings, generator: Generator, *, turn_seconds: float) -> None:
        self.threads = settings.threads
        self._settings = settings
        self._pool = ProcessPoolExecutor(
            1,
            multiprocessing.get_context("spawn"),
            _start,
            (settings.threads, generator, turn_seconds),
        )
        # The process starts with the first call.
        with _environment(settings.environment()):
            self.instructions = self._call(_instructions)

    def prepare(self, task: Task) -> Workload:
        """See `inpaint.bench.timing.Timer.prepare`."""
        return self._call(_prepare, task)

    def sample(self, task: Task) -> Sample:
        """See `inpaint.bench.timing.Timer.sample`."""
        return self._call(_sample, task)

    def peak(self) -> Sample:
        """Measure the FMA peak of the same cores. Raises BackendError."""
        return self._call(_peak)

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown(cancel_futures=True)

    def _call(self, function: Callable[..., Result], *arguments: Task) -> Result:
        try:
            return self._pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise BackendError(
                f"The process with {self._settings} ended during {function.__name__} {arguments}; "
                "its own message stands above."
            ) from error


# Set in a worker's process only.
_timer: Timer
_turn_seconds: float


def _start(threads: int, generator: Generator, turn_seconds: float) -> None:
    global _timer, _turn_seconds
    # Ctrl-C is for the parent, which ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _timer = Timer(generator, (*VARIANTS, *PEERS), threads=threads, turn_seconds=turn_seconds)
    _turn_seconds = turn_seconds


def _instructions() -> str:
    return _timer.instructions


def _prepare(task: Task) -> Workload:
    return _timer.prepare(task)


def _sample(task: Task) -> Sample:
    return _timer.sample(task)


def _peak() -> Sample:
    meter = _peak_meter()
    cpu = time.process_time()
    operations, seconds = meter.operations(_turn_seconds)
    return Sample(operations, seconds, time.process_time() - cpu, os.getloadavg()[0])


@functools.cache
def _peak_meter() -> FmaPeak:
    return FmaPeak(_timer.instructions, _timer.threads)


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
