"""What the gate found, as frozen values. Imports no TensorFlow or TFX."""

from typing import Final, Literal

from pydantic import Field

from roadworthy.components.gate.budgets import GateSettings
from roadworthy.models.config import Settings

VERDICT_FILE: Final = "verdict.json"

PARENT: Final = "parent"
LAST_BLESSED: Final = "last blessed"


class Check(Settings):
    """One budget, held against one variant."""

    budget: str
    limit: float
    measured: float
    against: Literal["parent", "last blessed"] | None = None
    relative: bool = Field(False, description="Whether limit and measured are shares of the other model's value.")
    passed: bool
    note: str = ""

    @property
    def name(self) -> str:
        """The budget, and the model it is relative to where that is not the parent."""
        return f"{self.budget} ({self.against})" if self.against == LAST_BLESSED else self.budget

    def explain(self) -> str:
        """The check in words: budget, measured value, limit."""
        against = f" against the {self.against} model" if self.against else ""
        relation = "at least" if self.budget.startswith("min_") else "at most"
        limit, measured = (
            (f"{self.limit:.6g}", f"{self.measured:.6g}")
            if not self.relative
            else (f"{self.limit:.4%}".replace(".0000", ""), f"{self.measured:.2%}")
        )
        note = f" ({self.note})" if self.note else ""
        return f"{self.budget}{against} must be {relation} {limit}. Measured: {measured}{note}"


class Judged(Settings):
    """One variant and every check it went through."""

    variant: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every budget holds."""
        return all(check.passed for check in self.checks)


class Verdict(Settings):
    """Every variant's checks, and the one that is chosen; None when no variant stays within every budget."""

    settings: GateSettings
    variants: tuple[Judged, ...]
    chosen: str | None
    front: tuple[str, ...] = Field((), description="Of those that passed, the ones no other beats in everything.")
    warnings: tuple[str, ...] = ()

    @property
    def blessed(self) -> bool:
        """Whether a variant may go on the road."""
        return self.chosen is not None

    def missed(self, variant: str) -> tuple[str, ...]:
        """Names of the budgets a variant missed, in the order they are listed.

        Raises:
            KeyError: the gate has not seen the variant.
        """
        judged = {judged.variant: judged for judged in self.variants}[variant]
        return tuple(check.name for check in judged.checks if not check.passed)

    def explain(self) -> str:
        """One line a variant, and one for each budget it missed."""
        lines = [line for judged in self.variants for line in self._lines(judged)]
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])

    def _lines(self, judged: Judged) -> list[str]:
        if judged.passed:
            fate = f"chosen, the {self.settings.goal} that passed" if judged.variant == self.chosen else "passed"
            return [f"{judged.variant}: {fate}"]
        missed = [check for check in judged.checks if not check.passed]
        return [f"{judged.variant}: missed", *(f"  {check.explain()}" for check in missed)]
