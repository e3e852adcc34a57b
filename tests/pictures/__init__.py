"""The documentation's pictures, taken of an invented shop on a clock that stands still: `python -m tests.pictures`."""
