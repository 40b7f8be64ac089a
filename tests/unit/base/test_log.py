"""Messages for ``logging``, in a process that has imported it, and in one that has not."""

import logging
import subprocess
import sys

import pytest

from runwell.base import log


@pytest.fixture(autouse=True)
def nothing_waits():
    log.flush()


def test_levels_are_those_of_logging():
    assert (log.DEBUG, log.INFO, log.WARNING) == (logging.DEBUG, logging.INFO, logging.WARNING)


def test_messages_go_to_loggers_by_name(caplog):
    with caplog.at_level(logging.INFO, "runwell"):
        assert log.logs("some.part", log.INFO)
        assert not log.logs("some.part", log.DEBUG)
        log.log("some.part", log.INFO, "%s of %d", "one", 2)
        log.log("some.part", log.DEBUG, "not this")
    assert caplog.record_tuples == [("runwell.some.part", logging.INFO, "one of 2")]
    assert caplog.records[0].filename == "test_log.py"


def test_values_are_made_text_only_if_somebody_reads_them(caplog):
    class Dear:
        def __str__(self):
            raise AssertionError

    with caplog.at_level(logging.WARNING, "runwell"):
        log.log("part", log.INFO, "%s", Dear())
        log.log_later("part", log.INFO, "%s", Dear())
        log.flush()
    assert not caplog.records


def test_messages_wait_for_somebody_to_pass_by(caplog):
    with caplog.at_level(logging.DEBUG, "runwell"):
        log.log_later("part", log.DEBUG, "%d", 1)
        log.log_later("part", log.DEBUG, "%d", 2)
        assert not caplog.records
        log.flush()
        log.flush()
    assert caplog.messages == ["1", "2"]


def test_few_messages_wait(caplog):
    for i in range(5000):
        log.log_later("part", log.WARNING, "%d", i)
    with caplog.at_level(logging.DEBUG, "runwell"):
        log.flush()
    assert caplog.messages == [str(i) for i in range(1000)]


def test_what_handlers_raise_is_printed(capsys):
    class Broken(logging.Handler):
        def emit(self, record):
            raise LookupError("of the handler")

    handler = Broken()
    logging.getLogger("runwell").addHandler(handler)
    try:
        log.log("part", log.WARNING, "text")
    finally:
        logging.getLogger("runwell").removeHandler(handler)
    assert capsys.readouterr().err.endswith("LookupError: of the handler\n")


WITHOUT = """
import sys
from runwell.base import log
assert not log.logs("part", log.WARNING)
log.log("part", log.WARNING, "lost")
log.log_later("part", log.WARNING, "lost")
sys.modules["logging"] = type(sys)("logging")  # as when another thread has begun to import it
log.log("part", log.WARNING, "lost")
del sys.modules["logging"]
log.flush()
assert "logging" not in sys.modules
import logging
log.log("part", log.WARNING, "%s", "read")
"""


def test_a_program_without_logging():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert done.stderr == "read\n"


FORK = """
import logging, os, sys, threading, time
from runwell.base import log
inside = threading.Event()
class Slow(logging.Handler):
    def emit(self, record):
        inside.set()
        time.sleep(0.3)
        inside.clear()
logging.getLogger("runwell").addHandler(Slow())
logging.getLogger("runwell").setLevel(logging.INFO)
thread = threading.Thread(target=lambda: log.log("part", log.INFO, "text"))
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    was_inside = inside.is_set()
    log.log("part", log.INFO, "in the child")
    os._exit(was_inside)
print(os.waitpid(child, 0)[1])
thread.join()
"""


def test_nobody_forks_while_something_is_logged():
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
