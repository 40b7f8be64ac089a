"""Jobs of modules under test."""

import runwell
from runwell.jit.prepare import make_job


def module_code(text):
    """A module that is kept."""
    module = runwell.Module(text)
    _kept.append(module)
    return module.code


_kept = []


def job_of(text, functions=None, level=0):
    """A job for some or all functions of a module."""
    code = module_code(text)
    own = range(code.module.n_imported_functions, code.n_functions)
    return make_job(code, own if functions is None else functions, level)
