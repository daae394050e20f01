"""Local servers that speak Google Cloud's protocols, for every test that asks for them; Hypothesis without a clock."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from contracts.certificates import Authority

# How long an example takes says nothing where others have the machine meanwhile.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(scope="session", autouse=True)
def vertex_authority(tmp_path_factory) -> Iterator[Authority]:
    """Who signs the local Vertex AI's certificate. gRPC reads whom to believe once a process: so at once."""
    authority = Authority(tmp_path_factory.mktemp("authority"), "vertex-authority")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(authority.file))
        yield authority


@pytest.fixture(scope="session")
def gcs_process(tmp_path_factory):
    """A Cloud Storage for the whole session; tests take `gcs`, and make buckets of their own or use `rw-bucket`."""
    from contracts.gcs.server import gcs_server

    with gcs_server(tmp_path_factory.mktemp("gcs"), "rw-bucket") as server:
        yield server


@pytest.fixture
def gcs(gcs_process, monkeypatch):
    """The same, with the environment by which google-cloud-storage, Beam and TensorFlow find it."""
    for name, value in gcs_process.environment().items():
        monkeypatch.setenv(name, value)
    return gcs_process


@pytest.fixture
def vertex(tmp_path, gcs, vertex_authority, monkeypatch):
    """A Vertex AI that holds nothing yet, with the environment by which clients find credentials for it."""
    from contracts.vertex.server import vertex_server

    (tmp_path / "vertex").mkdir()
    with vertex_server(tmp_path / "vertex", gcs=gcs, authority=vertex_authority) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server
