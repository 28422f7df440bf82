from __future__ import annotations

import itertools
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def table_prices(monkeypatch):
    """No test asks Amazon for prices."""
    monkeypatch.setenv("POLYOMICS_PRICES", "table")


@pytest.fixture(scope="session")
def s3_endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_address(s3_endpoint, monkeypatch):
    """A fresh prefix of a fresh bucket on a server that speaks the real protocol."""
    monkeypatch.setenv("POLYOMICS_S3_ENDPOINT", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = f"fleet-{next(_numbers)}"
    with urlopen(Request(f"{s3_endpoint}/{bucket}", method="PUT"), timeout=60):
        pass
    return f"s3://{bucket}/team/root"
