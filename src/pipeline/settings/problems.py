"""Several configuration errors raised as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from pipeline.errors import ConfigurationError


class ConfigurationErrors(ConfigurationError):
    """Everything that is wrong, so that a person corrects it in one go.

    It reads as its first error for code that looks at ``key``, ``value``, ``remedy`` or ``where``.
    """

    def __init__(self, errors: Sequence[ConfigurationError]) -> None:
        first = errors[0]
        super().__init__(first.key, first.value, first.remedy, first.where)
        self.errors = tuple(errors)

    def __reduce__(self) -> tuple[type[ConfigurationErrors], tuple[tuple[ConfigurationError, ...]]]:
        return ConfigurationErrors, (self.errors,)

    def __str__(self) -> str:
        lines = "\n".join(f"  {error}" for error in self.errors)
        return f"{len(self.errors)} errors in the configuration:\n{lines}"


def one_error(errors: Sequence[ConfigurationError]) -> ConfigurationError:
    """Return the error itself when there is one, all of them together when there are more."""
    return errors[0] if len(errors) == 1 else ConfigurationErrors(errors)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return "did you mean X?" with the nearest known word, or the words there are when none is near."""
    words = sorted(set(known))
    near = get_close_matches(wrong, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known here: {', '.join(words)}" if words else "nothing is known here"
