"""Downloads from a local server: whole, in parts, through a proxy, and with everything that goes wrong on the way."""

import contextlib
import hashlib
import http.server
import re
import threading
import time
import typing

import original_files
import pytest
from run_files import call

from train.commands.data import Options
from train.data import open_data
from train.data.published.fetch import Download, fetch, read_downloads
from train.data.published.originals import ORIGINALS
from train.errors import RunFailedError

CONTENT = bytes(range(256)) * 1000
SUM = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """A server of files by path; `send` says how much of one it sends at a time, and `asked` what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.asked = []
        self.send = lambda content: content
        self.ranges = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        content = self.server.files.get(self.path.rpartition("/")[2])
        if content is None:
            self.send_error(404)
            return
        first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.server.ranges else 0
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client has gone
            self.wfile.write(self.server.send(content[first:]))

    def log_message(self, *message: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        server.files["a.bin"] = CONTENT
        yield server
        server.shutdown()


@pytest.fixture
def get(server, tmp_path):
    """Fetch a.bin: what was shown."""

    def get(sha256=SUM, url=None, timeout=5):
        shown = []
        download = Download(url or f"{server.address}a.bin", len(CONTENT), sha256)
        fetch([download], tmp_path / "new" / "folder", lambda *now: shown.append(now), timeout=timeout)
        return shown

    return get


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new" / "folder"


def test_a_file_is_fetched_once_and_its_progress_shown(server, get, folder):
    shown = get()
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert [name for name, _, _ in shown] == ["a.bin"] * len(shown)
    came = [came for _, came, _ in shown]
    assert came == sorted(came)
    assert shown[-1] == ("a.bin", len(CONTENT), len(CONTENT))

    assert get() == []
    assert server.asked == [("/a.bin", None)]
    assert [path.name for path in folder.iterdir()] == ["a.bin"]


def test_a_connection_that_ends_is_taken_up_where_it_ended(server, get, folder):
    server.send = lambda content: content[: 2 * 49152]  # whole pieces of 2^14 bytes
    get()
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert server.asked == [("/a.bin", None), ("/a.bin", "bytes=98304-"), ("/a.bin", "bytes=196608-")]


def test_a_server_that_knows_no_ranges_sends_the_whole_again(server, get, folder):
    server.ranges, server.send = False, lambda content: content[: 100_000 * len(server.asked)]
    get()
    assert (folder / "a.bin").read_bytes() == CONTENT


def test_what_ends_too_often_is_one_line_and_the_next_call_goes_on(server, get, folder):
    server.send = lambda content: content[:49152]
    with pytest.raises(RunFailedError, match=r"a\.bin: ended after 147456 of 256000 bytes, 3 times; the same command"):
        get()
    assert not (folder / "a.bin").exists()

    server.send = lambda content: content
    get()
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert server.asked[3] == ("/a.bin", "bytes=147456-")


def test_another_content_is_refused_and_not_kept(get, folder):
    with pytest.raises(RunFailedError, match=f"its content has sha256 {SUM}; expected {'0' * 64}$"):
        get("0" * 64)
    assert list(folder.iterdir()) == []


def test_more_than_the_file_is_refused_and_not_kept(server, get, folder):
    server.files["a.bin"] = CONTENT + b"more" * 10**6
    with pytest.raises(RunFailedError, match="its content has sha256"):
        get()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [("missing.bin", "missing.bin: answered 404 Not Found; expected the file$"),
     ("http://127.0.0.1:9/a.bin", r"cannot be reached \(.*\); expected a network, a proxy in HTTPS_PROXY, or a\.bin")],
)  # fmt: skip
def test_what_is_not_there_is_one_line(server, get, url, said):
    with pytest.raises(RunFailedError, match=said) as refused:
        get(url=url if url.startswith("http") else server.address + url)
    assert "\n" not in str(refused.value)


def test_a_server_that_falls_silent_is_left_and_what_came_is_kept(server, get, folder):
    def send_slowly(content):
        if not silent.is_set():
            silent.set()
            time.sleep(0.3)
        return content

    silent, server.send = threading.Event(), send_slowly
    with pytest.raises(RunFailedError, match=r"a\.bin: no answer for 0\.1 s; the same command goes on"):
        get(timeout=0.1)
    get()
    assert (folder / "a.bin").read_bytes() == CONTENT


def test_a_proxy_of_the_environment_is_asked(server, get, folder, monkeypatch):
    monkeypatch.setenv("http_proxy", server.address)
    get(url="http://nowhere.invalid/a.bin")
    assert server.asked == [("http://nowhere.invalid/a.bin", None)]
    assert (folder / "a.bin").read_bytes() == CONTENT


def test_the_table_has_every_original_file():
    table = read_downloads()
    assert tuple(table) == typing.get_args(typing.get_type_hints(Options)["name"]) == tuple(ORIGINALS)
    for name, downloads in table.items():
        assert {one.name.removesuffix(".gz") for one in downloads} == {one.name for one in ORIGINALS[name].values()}
        for one in downloads:
            assert re.fullmatch("[0-9a-f]{64}", one.sha256)
            if ORIGINALS[name]["x_train"].sum.startswith("sha256"):
                assert f"sha256:{one.sha256}" in {original.sum for original in ORIGINALS[name].values()}


@pytest.mark.parametrize("name", ["mnist", "binarized_mnist"])
def test_what_was_fetched_is_read_by_its_name(name, server, sources, tmp_path, monkeypatch, capsys):
    if name == "binarized_mnist":  # whose file is of a published size
        shapes = {f"x_{part}": (num, 98) for part, num in original_files.SIZES.items()}
        conventions = {name: open_data.__globals__["CONVENTIONS"][name]._replace(shapes=shapes)}
        monkeypatch.setitem(open_data.__globals__["CONVENTIONS"], name, conventions[name])
    files = {path.name: path.read_bytes() for path in (sources / name).iterdir()}
    server.files |= files
    downloads = [
        Download(f"{server.address}{file}", len(content), hashlib.sha256(content).hexdigest())
        for file, content in files.items()
    ]
    monkeypatch.setattr("train.commands.data.read_downloads", lambda: {name: downloads})
    monkeypatch.delenv("JAXGEN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    assert call("data", "fetch", name) == 0

    path = tmp_path / "cache" / "jaxgen" / "data" / f"{name}.npz"
    said = capsys.readouterr().out
    assert said.endswith(f"{path} written\nread by: python -m train CONFIG --data {name}\n")
    assert all(file in said for file in files)
    data = open_data(name, None)
    expected = original_files.small_arrays(name)["x_test"] * (255 if name == "binarized_mnist" else 1)
    assert (data.test["x"][..., 0] == expected).all()

    assert call("data", "fetch", name) == 0
    assert capsys.readouterr().out.startswith(f"{path} is already there\n")
    assert len(server.asked) == len(files)


def test_fetch_takes_no_source(capsys):
    assert call("data", "fetch", "mnist", "--source", "here") == 2
    assert capsys.readouterr().err.startswith("error: --source here: expected with prepare alone")
