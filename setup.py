"""Builds `inpaint._C`; everything else about the package is in pyproject.toml."""

import os
import platform
import shutil
import sys
from pathlib import Path

from setuptools import setup

SOURCES = Path("csrc")
COMPILERS = ["g++", "c++", "clang++"]
WARNINGS = ["-Wall", "-Wextra"]
COMMON = ["-O3", "-std=c++17", "-fPIC", "-fno-math-errno"]
AVX2 = ["-mavx2", "-mfma"]
AVX512 = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"]
# GCC 12 warns about operands that its own AVX-512 intrinsics leave undefined on purpose.
QUIET = ["-Wno-uninitialized", "-Wno-maybe-uninitialized"]
KERNELS = {"kernel_portable.cpp": []}
"""Files without torch headers, each with the compiler flags of its instruction set."""
if platform.machine() in ("x86_64", "AMD64"):
    KERNELS |= {"kernel_avx2.cpp": AVX2, "kernel_avx512.cpp": AVX512 + QUIET}


def wanted() -> bool:
    """Whether to build the extension; prints the reason if not."""
    if os.environ.get("INPAINT_BUILD_CPP", "1") == "0":
        reason = "INPAINT_BUILD_CPP is 0"
    elif not any(
        shutil.which(name) for name in [*os.environ.get("CXX", "").split()[:1], *COMPILERS]
    ):
        reason = "no C++ compiler was found (install g++, or set CXX)"
    else:
        return True
    print(f"inpaint: {reason}, so the torch backend will be used.", file=sys.stderr)
    return False


def extension() -> dict:
    """The arguments of `setup` that build the extension."""
    try:
        import torch
        from setuptools._distutils.ccompiler import new_compiler
        from setuptools._distutils.sysconfig import customize_compiler
        from torch.utils.cpp_extension import BuildExtension, CppExtension
    except ImportError as error:
        raise SystemExit(
            f"inpaint: building the C++ extension needs the installed torch ({error}). Install "
            "torch and use `pip install --no-build-isolation`, or set INPAINT_BUILD_CPP=0."
        ) from error

    class BuildWithKernels(BuildExtension):
        """Compiles each kernel with the flags of its instruction set, then the rest."""

        def build_extension(self, ext):
            compiler = new_compiler(verbose=self.verbose, force=self.force)
            customize_compiler(compiler)
            ext.extra_objects = [
                compiler.compile(
                    [str(SOURCES / name)],
                    output_dir=self.build_temp,
                    extra_preargs=WARNINGS,
                    extra_postargs=COMMON + flags,
                )[0]
                for name, flags in KERNELS.items()
            ]
            super().build_extension(ext)

    del torch
    module = CppExtension(
        "inpaint._C",
        [str(SOURCES / "bindings.cpp")],
        depends=sorted(str(path) for path in SOURCES.iterdir()),
        extra_compile_args=["-O3", "-fno-math-errno", "-pthread", "-fvisibility=hidden"],
        extra_link_args=["-pthread"],
    )
    return {"ext_modules": [module], "cmdclass": {"build_ext": BuildWithKernels}}


setup(**(extension() if wanted() else {}))
