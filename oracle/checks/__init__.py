"""Short runs of the oracle that have to hold: part of `make check`."""
