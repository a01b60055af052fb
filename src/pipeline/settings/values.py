"""Values that came from the environment, and values nobody may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pipeline.errors import ConfigurationError

HIDDEN = "•••"


class Expanded(str):
    """Text into which the value of an environment variable was put. Errors never show it.

    A number may be given this way (``${CAPITAL:-10000}``); text a person typed as a number may not.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Unset:
    """A ``${VARIABLE}`` that is not set, or empty.

    It stands in the configuration until somebody needs the value, so that everything that needs no
    broker works without credentials. Only URLs and secrets may hold one after loading.
    """

    variable: str
    key: str
    where: str

    def __str__(self) -> str:
        return f"${{{self.variable}}}"

    def error(self) -> ConfigurationError:
        """Return the error that names the key, the variable and the remedy."""
        remedy = (
            f"the environment variable {self.variable} is not set, or empty; "
            f"set it (`export {self.variable}=…`) or write a default: ${{{self.variable}:-…}}"
        )
        return ConfigurationError(self.key, None, remedy, self.where)


class Secret:
    """A credential: never shown, and missing only when it is asked for.

    Attributes:
        typed: it stands in a file as it is, instead of being a reference to the environment.
    """

    __slots__ = ("_value", "typed")

    def __init__(self, value: str | Unset) -> None:
        self._value = value
        self.typed = isinstance(value, str) and not isinstance(value, Expanded)

    @property
    def unset(self) -> Unset | None:
        """Return the variable that is missing, or None when there is a value."""
        return self._value if isinstance(self._value, Unset) else None

    def get_secret_value(self) -> str:
        """Return the value itself.

        Raises:
            ConfigurationError: its environment variable is not set.
        """
        if isinstance(self._value, Unset):
            raise self._value.error()
        return str(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept text, an unset variable or a Secret; write dots."""
        return core_schema.no_info_plain_validator_function(
            cls._accept,
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
        )

    @classmethod
    def _accept(cls, value: object) -> Secret:
        if isinstance(value, Secret):
            return value
        if isinstance(value, str) and not value.strip():
            raise ValueError("is empty; refer to an environment variable, as in ${ALPACA_API_KEY}")
        if isinstance(value, str | Unset):
            return cls(value)
        raise ValueError("must be text; put it in quotes, or refer to an environment variable")
