"""Writes the table of costs into docs/guide/infrastructure.md, from infra/costs.yaml.

python infra/generate/costs.py [--check]
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pages import PAGE, between, write

COSTS: Final = Path(__file__).parents[1] / "costs.yaml"


def main(arguments: Sequence[str]) -> int:
    """Writes the page where it differs, or with --check says so and fails."""
    return write(PAGE, between(PAGE.read_text(), "costs", table(yaml.safe_load(COSTS.read_text()))), arguments)


def table(costs: dict[str, Any]) -> str:
    """A row an item with where its price was read, and sums of what an environment costs unused and used."""
    rows = ["| | quantity a month | price, $ | read in | $ a month |", "|---|--:|--:|:-:|--:|"]
    numbers = {name: number for number, name in enumerate(costs["sources"], 1)}
    for name, environment in costs["environments"].items():
        idle = [_row(item, costs["prices"], numbers) for item in environment["idle"]]
        used = [_row(item, costs["prices"], numbers) for item in environment["used"]]
        standing, all_in = (sum(cost for _, cost in rows) for rows in (idle, idle + used))
        rows += [f"| **{name}, unused** | | | | **{standing:,.0f}** |", *(row for row, _ in idle)]
        rows += [f"| **{name}, with {environment['assumed']}** | | | | **{all_in:,.0f}** |", *(row for row, _ in used)]
    read = [f"{number}. {costs['sources'][name]}." for name, number in numbers.items()]
    return "\n".join([*rows, "", f"Where prices were read, on {costs['as_of']}:", "", *read]) + "\n"


def _row(item: dict[str, Any], prices: dict[str, Any], numbers: dict[str, int]) -> tuple[str, float]:
    price = prices[item["price"]]
    cost = item["quantity"] * price["usd"]
    shown = f"{price['usd']:g} per {price['unit']} | {numbers[price['source']]}"
    return f"| {item['what']} | {item['quantity']:,} | {shown} | {cost:,.2f} |", cost


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
