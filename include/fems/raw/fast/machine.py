"""Machine code of the compiled reader: made by Numba once, kept on disk, loaded by LLVM in a tenth of a second.

Numba takes two seconds to start, more than a nightly ingest has to gain. So it is asked only where no machine code is
kept for this machine and these versions; the loader that it stands on needs no Numba.
"""

import ctypes
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from fems.raw.fast.buffers import BEGIN, SIZE, ReaderBuffers, empty_buffers

Reader = Callable[[bytes, int, ReaderBuffers], None]

_NAME = "fems_read"
_SOURCES = ("compiled.py", "machine.py", "buffers.py", "../numbers.py")


@cache
def reader() -> Reader | None:
    """Return what reads a file into buffers, without the interpreter's lock; None if no folder can keep machine code.

    Its arguments: the file, which ends in a newline, has no quote, and has no carriage return but before a newline;
    where its second line begins; buffers that have room for it and know its form.
    """
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    processor, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=processor, features=features, opt=3, codemodel="jitdefault", jit=True
    )

    def compiled() -> bytes:
        from fems.raw.fast.compiled import llvm_of_reader

        text = llvm_of_reader(empty_buffers(1, 1, 1))
        [name] = re.findall(r"^define (?!linkonce).*?@([\w.]+)\(", text, re.MULTILINE)
        return bytes(target.emit_object(llvm.parse_assembly(text.replace(name, _NAME))))

    code = _kept(f"{target.triple} {processor} {features}", compiled)
    if code is None:
        return None
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    # As Numba calls: a status comes back, and two places for a result and an error stand before the arguments.
    pointers = [ctypes.c_void_p] * (3 + len(ReaderBuffers._fields))
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *pointers)(engine.get_function_address(_NAME))

    def read(
        data: bytes, begin: int, buffers: ReaderBuffers, engine: object = engine
    ) -> None:  # the engine holds the code
        buffers.n[[SIZE, BEGIN]] = len(data), begin
        result, error = ctypes.c_void_p(), ctypes.c_void_p()
        arrays = (buffers.n, np.frombuffer(data, np.uint8), *buffers[1:])
        function(ctypes.byref(result), ctypes.byref(error), *(array.ctypes.data for array in arrays))

    return read


def _kept(machine: str, compiled: Callable[[], bytes]) -> bytes | None:
    """Return the code kept for a machine; where there is none, compile and keep it. None if no folder takes it."""
    sources = [(Path(__file__).parent / name).read_bytes() for name in _SOURCES]
    about = repr((machine, version("numba"), version("llvmlite"), sources))
    name = f"reader-{hashlib.sha256(about.encode()).hexdigest()[:16]}.o"
    for folder in _folders():
        with suppress(OSError):
            return (folder / name).read_bytes()
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=name, dir=folder) as aside:
                code = compiled()
                (Path(aside) / name).write_bytes(code)
                (Path(aside) / name).replace(folder / name)
                return code
        except OSError:
            continue
    return None


def _folders() -> Iterator[Path]:
    """Yield where machine code may be kept: where Python keeps its own of this module, or in the user's cache."""
    yield Path(__file__).with_name("__pycache__")
    with suppress(RuntimeError):  # a user without a home
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fems"
