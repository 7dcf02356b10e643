"""Run tests with an extension other than the installed one, such as one built for a sanitizer.

python tests/csrc/boundary.py FOLDER [PYTEST ARGUMENTS]     FOLDER holds inpaint/_C.*.so
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch  # noqa: F401  (loads the libraries that the extension needs)

(file,) = Path(sys.argv[1]).glob("inpaint/_C*.so")
spec = spec_from_file_location("inpaint._C", file)
assert spec is not None
assert spec.loader is not None
extension = module_from_spec(spec)
spec.loader.exec_module(extension)
sys.modules["inpaint._C"] = extension
sys.exit(pytest.main(sys.argv[2:]))
