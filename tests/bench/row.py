"""One figure of the benchmark."""

import operator
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

Comparison = Callable[[float, float], bool]
BELOW: Comparison = operator.lt
ABOVE: Comparison = operator.ge
AT_MOST: Comparison = operator.le
SIGNS = {BELOW: "<", ABOVE: "≥", AT_MOST: "≤"}


class Row(msgspec.Struct, frozen=True):
    """``value`` in ``unit``, measured at size ``n``, and what it should reach."""

    name: str
    n: int
    value: float
    unit: str
    reach: str
    met: bool
    how: str


def row(name: str, n: int, value: float, unit: str, sign: Comparison, reach: float, how: str) -> Row:
    return Row(name, n, round(value, 3), unit, f"{SIGNS[sign]} {reach:g}", bool(sign(value, reach)), how)


Bench = Callable[[], Coroutine[Any, Any, list[Row]]]
BENCHES: dict[str, Bench] = {}
"""Name -> what measures it. One may give several rows."""


def bench(name: str) -> Callable[[Bench], Bench]:
    def register(function: Bench) -> Bench:
        BENCHES[name] = function
        return function

    return register


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
