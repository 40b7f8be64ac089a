"""Tests have a cache of their own: what they compile is not in the user's, nor the other way round.

The native core is shared, because building it takes long: it is taken from the user's cache, and
put there if a test has built it.
"""

import atexit
import os
import shutil
import tempfile

import pytest
from bench.cold import copy_core

from runwell.codegen.cache import NativeCache

_VARIABLE = "RUNWELL_CACHE_DIR"
_caches = pytest.StashKey()


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        return  # its controller has done it
    before, users = os.environ.get(_VARIABLE), NativeCache()
    own = tempfile.mkdtemp(prefix="runwell-tests-")
    copy_core(own)
    os.environ[_VARIABLE] = own
    # What is registered first is done last: others write at the end of the process, too.
    atexit.register(_remove, own, os.getpid())
    config.stash[_caches] = before, users, own


def pytest_unconfigure(config):
    if _caches not in config.stash:
        return
    before, users, own = config.stash[_caches]
    if before is None:
        del os.environ[_VARIABLE]
    else:
        os.environ[_VARIABLE] = before
    if users.directory and not users.problem():
        copy_core(users.directory, own)
        users.prune("core")


def _remove(directory, owner):
    if os.getpid() == owner:  # and no child that was forked
        shutil.rmtree(directory, ignore_errors=True)
