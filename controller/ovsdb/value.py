"""OVSDB values (RFC 7047 section 5.1) as plain Python values, by the type of their column (section 3.2)."""

from collections.abc import Mapping
from typing import Any

_DEFAULTS: dict[str, Any] = {
    "string": "",
    "integer": 0,
    "boolean": False,
    "real": 0.0,
    "uuid": "00000000-0000-0000-0000-000000000000",
}


class Decoder:
    """The values of one column. Called with a <value>; ``changed`` takes the difference that update2 and 3 send."""

    default: Any
    """The value of a column that the server left out."""

    def __call__(self, value: Any) -> Any:
        raise NotImplementedError

    def changed(self, old: Any, difference: Any) -> Any:
        """A value of at most one element is sent whole; of the others, what went and came (ovsdb-server(7))."""
        return self(difference)


class _Scalar(Decoder):
    def __init__(self, atom: str) -> None:
        self.default = _DEFAULTS[atom]

    def __call__(self, value: Any) -> Any:
        return value[1] if type(value) is list else value


class _Optional(Decoder):
    default = None

    def __call__(self, value: Any) -> Any:
        elements = _elements(value)
        return elements[0] if elements else None


class _Set(Decoder):
    default = ()

    def __call__(self, value: Any) -> tuple[Any, ...]:
        return tuple(sorted(_elements(value)))

    def changed(self, old: tuple[Any, ...], difference: Any) -> tuple[Any, ...]:
        return tuple(sorted(set(old).symmetric_difference(_elements(difference))))


class _Map(Decoder):
    def __init__(self, several: bool) -> None:
        """``several``: more than one pair is possible, so changes come as differences."""
        self._differs = several

    @property
    def default(self) -> dict[Any, Any]:
        return {}

    def __call__(self, value: Any) -> dict[Any, Any]:
        return {_atom(key): _atom(element) for key, element in value[1]}

    def changed(self, old: dict[Any, Any], difference: Any) -> dict[Any, Any]:
        if not self._differs:
            return self(difference)
        new = old.copy()
        for key, element in self(difference).items():
            # A pair that is there with this very value went; any other came or has this new value.
            if key in new and new[key] == element:
                del new[key]
            else:
                new[key] = element
        return new


def decoder(type_: str | Mapping[str, Any]) -> Decoder:
    """For a column's <type>."""
    if isinstance(type_, str):
        return _Scalar(type_)
    key = type_["key"]
    least, most = type_.get("min", 1), type_.get("max", 1)
    if "value" in type_:
        return _Map(most != 1)
    if least == most == 1:
        return _Scalar(key if isinstance(key, str) else key["type"])
    if most == 1:
        return _Optional()
    return _Set()


def _atom(value: Any) -> Any:
    return value[1] if type(value) is list else value


def _elements(value: Any) -> list[Any]:
    if type(value) is list:
        return [_atom(element) for element in value[1]] if value[0] == "set" else [value[1]]
    return [value]
