"""Say where the application is: what is installed is the library alone."""

raise SystemExit(
    "jaxgen is a library. Its training application, python -m train, comes with the source: run it in the directory of "
    "a checkout (pip install -e .[train]), or elsewhere with that directory in the environment variable PYTHONPATH."
)
