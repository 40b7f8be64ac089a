"""C programs, compiled to WebAssembly and to native code, give the same checksums."""

import pytest
from bench import programs

import runwell

# Small, so that the suite stays quick; the benchmarks run them at full size.
SHRINK = {"fib": 20, "fannkuch": 6, "queens": 8, "compress": 1, "life": 5, "fir": 3}


@pytest.mark.parametrize("name", programs.SIZES)
@pytest.mark.parametrize("bounds", ["guard", "explicit"])
def test_a_program_gives_the_native_checksum(name, bounds):
    engine = runwell.Engine(runwell.Config(bounds=bounds))
    instance = runwell.Instance(runwell.Module(programs.wasm(name), engine=engine))
    size = SHRINK.get(name, max(1, programs.SIZES[name] // 20))
    assert instance.exports.run(size) & 0xFFFF_FFFF == programs.native(name)(size)


@pytest.mark.parametrize("name", programs.SIZES)
def test_a_program_with_vectors_gives_the_native_checksum(name):
    instance = runwell.Instance(runwell.Module(programs.wasm_with_vectors(name)))
    size = SHRINK.get(name, max(1, programs.SIZES[name] // 20))
    assert instance.exports.run(size) & 0xFFFF_FFFF == programs.native(name)(size)


def test_compilers_find_vectors():
    without = runwell.Engine(runwell.Config(features="-simd"))
    refused = []
    for name in programs.SIZES:
        try:
            runwell.Module(programs.wasm_with_vectors(name), engine=without)
        except runwell.RunwellError as error:
            refused.append(str(error))
    assert len(refused) > len(programs.SIZES) // 3
    assert all("'simd'" in message for message in refused)
