import pytest

from contracts.digits import write_examples, write_litert, write_saved_model


@pytest.fixture(scope="session")
def examples(tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory):
    return write_saved_model(tmp_path_factory.mktemp("parent") / "model")


@pytest.fixture(scope="session")
def litert(tmp_path_factory):
    return write_litert(tmp_path_factory.mktemp("int8") / "model")


@pytest.fixture(scope="session")
def float_litert(tmp_path_factory):
    return write_litert(tmp_path_factory.mktemp("float") / "model", int8=False)
