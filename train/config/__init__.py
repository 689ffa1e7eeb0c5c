"""Configs: found, executed and bound to a command line."""

from train.config.cache import cache_directory
from train.config.command_line import parse
from train.config.every_run import RunOptions
from train.config.find import Config, default_run_dir, load, load_file
from train.config.options import Bound, bind, build, check_bounds, recorded
from train.config.source import ROOT

__all__ = [
    "ROOT",
    "Bound",
    "Config",
    "RunOptions",
    "bind",
    "build",
    "cache_directory",
    "check_bounds",
    "default_run_dir",
    "load",
    "load_file",
    "parse",
    "recorded",
]
