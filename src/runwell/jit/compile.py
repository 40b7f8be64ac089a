"""From a job to an object."""

import os

from runwell.codegen.object import compile_text
from runwell.codegen.target import keep_places
from runwell.jit.job import Job
from runwell.jit.level import Level
from runwell.jit.unit import job_text

# A fault in a function that has no frame yet would hide its caller from backtraces.
keep_places()


def compile_encoded(data: bytes) -> bytes:
    """Compile an encoded job; see ``compile_job``.

    Raises:
        ValueError: it is no job.
    """
    return compile_job(Job.decode(data))


def compile_job(job: Job) -> bytes:
    """Compile functions.

    Args:
        job: what to compile.

    Returns:
        A relocatable object that defines ``f{index}`` of every function, and
        ``f{index}_at_{offset}`` of its further entries.  What it imports are kernels and stubs of
        the core, by name, and absolute symbols ``type_{index}``: canonical numbers of types.

    Raises:
        InternalError: register code is not what a translator makes.
        CodegenError: LLVM refuses the text.
    """
    text, level = job_text(job, os.uname().machine), Level(job.level)
    return compile_text(text, level.of_llvm, is_quick=level == Level.QUICK)
