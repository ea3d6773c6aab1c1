"""Where a recipe was written, so that every problem names its line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import final

from plumbline.core.errors import RecipeError
from plumbline.stages.kind import Place, Problem


@final
@dataclass(frozen=True)
class Origin:
    """Where a document was written.

    Parameters
    ----------
    subject : what messages call it, such as ``recipe study.yaml``.
    lines : the line of every key and item of the file; 0 where the command line has set it, which
        is no line of the file.
    """

    subject: str = "recipe"
    lines: Mapping[Place, int] = field(default_factory=dict)

    def error(self, problems: Iterable[Problem]) -> RecipeError:
        """Return the error that lists problems in the order of their lines."""
        found = sorted((self._located(problem) for problem in problems), key=lambda f: f[0])
        return RecipeError(self.subject, [text for _, text in found])

    def _located(self, problem: Problem) -> tuple[int, str]:
        """Return the line of a problem, 0 if it has none, and its text with line and place.

        A problem of several keys stands at the first of them that the command line has set; one of
        a section says so if the command line has set a part of it.
        """
        keys = [(*problem.place, key) for key in problem.among]
        place = next((key for key in keys if self.lines.get(key) == 0), problem.place)
        told = Problem(place, problem.text)
        is_mixed = bool(place) and any(
            line == 0 and key[: len(place)] == place for key, line in self.lines.items()
        )
        while place and place not in self.lines:
            place = place[:-1]
        line = self.lines.get(place, 0)
        if line:
            return line, f"line {line}{' and --set' if is_mixed else ''}: {told}"
        return 0, f"--set {told}" if place else str(told)
