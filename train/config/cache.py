"""Where this project keeps what can be made or fetched again at any time."""

import os
import pathlib


def cache_directory() -> pathlib.Path:
    """A directory of this project in the user's cache directory."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(cache_home) / "jaxgen"
