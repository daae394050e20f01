import socket
import subprocess
import sys

import pytest

from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.ports import address, check_host, check_ports, listen, listen_unix


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_allowed(host):
    check_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])  # noqa: S104 refused here
def test_other_hosts_need_tls_or_insecure(host):
    with pytest.raises(ServeError, match=f"Received: {host}.*--tls_cert.*--insecure"):
        check_host(host)
    check_host(host, insecure=True)
    check_host(host, encrypted=True)


@pytest.mark.parametrize("option", ["--grpc-port", "--rest-port"])
def test_a_port_in_use_is_named_with_the_option_that_chooses_another(taken, option):
    ports = {"--grpc-port": 0, "--rest-port": 0, option: taken}
    with pytest.raises(ServeError, match=f"Port {taken} of 127.0.0.1 .* in use. Choose another with {option}"):
        check_ports("127.0.0.1", ports)


def test_one_port_for_both_is_refused():
    with pytest.raises(ServeError, match=r"must be two ports. Received: 8500 for both"):
        check_ports("127.0.0.1", {"--grpc-port": 8500, "--rest-port": 8500})


def test_a_host_that_is_not_of_this_machine_is_refused():
    with pytest.raises(ServeError, match="can't be listened on"):
        listen("203.0.113.7", 0, option="--rest-port")


def test_ipv6_hosts_stand_in_brackets():
    assert address("::1", 8500) == "[::1]:8500"
    assert address("127.0.0.1", 8500) == "127.0.0.1:8500"


@pytest.mark.parametrize(("hard", "got", "warned"), [(4096, 3000, False), (1000, 1000, True)])
def test_as_many_files_as_connections_need_may_be_open(hard, got, warned):
    program = (
        "import resource, sys\nfrom roadworthy.serving.server.ports import allow_open_files\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))\nallow_open_files(3000)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == got
    assert ("ulimit -n" in done.stderr) is warned


def test_a_unix_socket_goes_to_the_server_that_asked_last(tmp_path):
    path = tmp_path / "grpc.sock"
    with listen_unix(path) as first, listen_unix(path) as second, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        first.setblocking(False)
        with pytest.raises(BlockingIOError):
            first.accept()
        second.accept()[0].close()


def test_a_file_is_no_place_for_a_unix_socket(tmp_path):
    (tmp_path / "notes").write_text("keep me")
    with pytest.raises(ServeError, match="must be a path that is free"):
        listen_unix(tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "keep me"
