"""Which backend is chosen, and why."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from inpaint import ModuleGenerator, RestoreConfig
from inpaint.errors import BackendError
from inpaint.search.restore import restore
from tests.helpers import QUICK, random_generator, some_measurement

WITHOUT_EXTENSION = """
import sys
sys.modules["inpaint._C"] = None  # importing it fails as if it had not been built
import torch
import inpaint
from inpaint.search.restore import restore
from tests.helpers import QUICK, random_generator, some_measurement
from dataclasses import replace
result = restore(some_measurement(shared=True), random_generator(), QUICK)
print(result.backend, "|", *result.reasons)
try:
    restore(
        some_measurement(shared=True), random_generator(), replace(QUICK, backend="cpp"))
except inpaint.InpaintError as error:
    print(error)
"""


def test_without_the_extension_torch_is_chosen() -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTENSION], capture_output=True, text=True, check=True
    )
    first, second = run.stdout.strip().splitlines()
    assert first.startswith("torch (cpu) |")
    assert "built" in first
    assert second.startswith("backend is 'cpp', which cannot serve here")


def test_auto_chooses_cpp_for_dense_layers() -> None:
    result = restore(some_measurement(shared=True), random_generator(), QUICK)
    assert result.backend.startswith("cpp (")


def test_a_module_needs_torch() -> None:
    module = nn.Sequential(nn.Linear(3, 20), nn.Sigmoid(), nn.Unflatten(1, (1, 4, 5)))
    generator = ModuleGenerator(module, latent_size=3)
    measurement = some_measurement(shared=True)
    result = restore(measurement, generator, QUICK)
    assert result.backend == "torch (cpu)"
    assert "module" in result.reasons[0].lower()
    config = RestoreConfig(restarts=2, screen=0, steps=3, backend="cpp")
    with pytest.raises(BackendError, match="backend is 'cpp', which cannot serve here"):
        restore(measurement, generator, config)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="No CUDA device.")
def test_cuda_gives_the_same_selection() -> None:
    measurement, generator = some_measurement(shared=True), random_generator()
    config = RestoreConfig(restarts=8, screen=50, dtype="float64", backend="torch")
    one = restore(measurement, generator, config)
    two = restore(measurement, generator, replace(config, device="cuda"))
    torch.testing.assert_close(one.best_costs, two.best_costs, rtol=0, atol=0.1)
