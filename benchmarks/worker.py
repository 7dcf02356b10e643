"""A process of its own for each number of threads and instruction set.

Most libraries settle both when they are loaded, from the environment.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.native import CACHE
from inpaint.bench.timing import Cell, Plan, Sample
from inpaint.errors import BackendError
from inpaint.generators import Generator


@dataclass(frozen=True)
class Place:
    """Where variants are timed.

    Attributes:
        threads: Threads of every library.
        instructions: "avx2" keeps every library that can be told to it; None leaves them free.
    """

    threads: int
    instructions: str | None = None

    def environment(self) -> dict[str, str]:
        """What the libraries read when they are loaded."""
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
        # torch.compile keeps what it compiled under keys that leave the instruction set out: with
        # one folder for all, AVX2 runs AVX-512 code on the wrong strides, and gives NaN.
        compiled = CACHE / f"inductor-{self.instructions or 'free'}-{count}"
        return found | {
            "TORCHINDUCTOR_CACHE_DIR": str(compiled),
            "XLA_FLAGS": " ".join(xla).strip(),
            "JAX_PLATFORMS": "cpu",
        }


class Worker:
    """Prepares and times cells in a process of its own, one request after the other.

    Args:
        place: Threads and instruction set.
        generator: Of all problems.
        sample_seconds: How long a turn shall take.
    """

    def __init__(self, place: Place, generator: Generator, *, sample_seconds: float) -> None:
        self.place = place
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, place.threads, generator, sample_seconds), daemon=True
        )
        with _environment(place.environment()):
            self._process.start()
        theirs.close()
        self.instructions: str = self._ask("capability")

    def prepare(self, cell: Cell) -> Plan:
        """See `inpaint.bench.timing.Station.prepare`."""
        plan: Plan = self._ask("prepare", cell)
        return plan

    def sample(self, cell: Cell) -> Sample:
        """See `inpaint.bench.timing.Station.sample`."""
        sample: Sample = self._ask("sample", cell)
        return sample

    def peak(self) -> Sample:
        """Float32 operations that the same cores do at most. Raises BackendError."""
        sample: Sample = self._ask("peak")
        return sample

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.terminate()

    def _ask(self, request: str, *arguments: Any) -> Any:
        try:
            self._connection.send((request, arguments))
            answer = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            raise BackendError(
                f"The process that times {self.place} ended during {request} {arguments}; its "
                "own message stands above."
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(
    connection: Connection, threads: int, generator: Generator, sample_seconds: float
) -> None:
    # Ctrl-C is for the parent, which ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from benchmarks.native import FmaPeak, capability
    from benchmarks.peers import PEERS
    from inpaint.bench import VARIANTS
    from inpaint.bench.timing import Station

    station = Station(
        generator, (*VARIANTS, *PEERS), threads=threads, sample_seconds=sample_seconds
    )
    meters: list[FmaPeak] = []

    def peak() -> Sample:
        if not meters:
            meters.append(FmaPeak(capability(), threads))
        cpu = time.process_time()
        operations, seconds = meters[0].operations(sample_seconds)
        return Sample(operations, seconds, time.process_time() - cpu, os.getloadavg()[0])

    answers = {
        "capability": capability,
        "prepare": station.prepare,
        "sample": station.sample,
        "peak": peak,
    }
    with contextlib.suppress(EOFError):
        while True:
            request, arguments = connection.recv()
            try:
                answer = answers[request](*arguments)
            except Exception as error:
                answer = error
            connection.send(answer)


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
