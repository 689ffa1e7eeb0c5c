"""Where the programs of these tests lie, and where their processes meet."""

import pathlib
import socket

HERE = pathlib.Path(__file__).resolve().parent


def free_address() -> str:
    """HOST:PORT on which nobody listens."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1]}"
