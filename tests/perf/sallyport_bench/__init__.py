"""Measurements behind `make bench`: see ../README.md."""
