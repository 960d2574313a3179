"""Benchmarks: figures, never assertions. ``python -m tests.bench`` prints them and writes build/bench.json."""
