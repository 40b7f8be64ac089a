import pytest
from tests.unit.interp.worker import Worker


@pytest.fixture(scope="session")
def worker():
    made = Worker()
    yield made
    made.close()
