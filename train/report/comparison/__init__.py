"""A comparison of evaluated runs: what is compared, as tables to read, and as data to read on with."""
