import pytest

from runwell.embed.core import load


@pytest.fixture(scope="session", autouse=True)
def core():
    load()
