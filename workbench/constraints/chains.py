"""Constraints by parameter name, and the order they chain in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from torch import Tensor

from workbench.constraints.base import Constraint

C = TypeVar("C", bound=Constraint)


@dataclass(frozen=True, eq=False)
class Constraints(Mapping[str, tuple[Constraint, ...]]):
    """Constraints by parameter name, each parameter's in chain order. Immutable."""

    by_name: Mapping[str, tuple[Constraint, ...]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> tuple[Constraint, ...]:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def adding(self, new: Mapping[str, Constraint]) -> Constraints:
        """These and the new ones; a new one takes the place of an earlier one of its type, or of its role."""
        chains = dict(self.by_name)
        for name, constraint in new.items():
            chain = list(chains.get(name, ()))
            earlier = next((each for each in chain if _is_one_place(each, constraint)), None)
            if earlier is not None:
                chain.remove(earlier)
                constraint = constraint.joined(earlier)
            chains[name] = tuple(sorted([*chain, constraint], key=lambda each: each.order))
        return Constraints(chains)

    def exchanging(self, new: Mapping[str, Constraint]) -> Constraints:
        """These with the new ones in the place of those of their type, whatever those promised."""
        chains = dict(self.by_name)
        for name, constraint in new.items():
            chain = [each for each in chains.get(name, ()) if type(each) is not type(constraint)]
            chains[name] = tuple(sorted([*chain, constraint], key=lambda each: each.order))
        return Constraints(chains)

    def settled(self) -> Constraints:
        """These as they are once a training is over."""
        return Constraints({name: tuple(each.settled() for each in chain) for name, chain in self.items()})

    def without(self, kind: type[Constraint]) -> Constraints:
        """These, less all of one type."""
        kept = {name: tuple(c for c in chain if type(c) is not kind) for name, chain in self.items()}
        return Constraints({name: chain for name, chain in kept.items() if chain})

    def learned(self) -> dict[int, Tensor]:
        """Every learned tensor once, by its `id`."""
        chains = self.by_name.values()
        return {id(t): t for chain in chains for each in chain for t in each.learned().values()}

    def replacing(self, tensors: Mapping[int, Tensor]) -> Constraints:
        """These with other learned tensors in the place of those with the given `id`s."""

        def replaced(each: Constraint) -> Constraint:
            new = {name: tensors[id(t)] for name, t in each.learned().items() if id(t) in tensors}
            return replace(each, **new) if new else each

        return Constraints({name: tuple(map(replaced, chain)) for name, chain in self.items()})

    def has_own_values(self, name: str) -> bool:
        """Whether a parameter's values come from its constraints, and not from its free weight."""
        return any(each.has_own_values for each in self.by_name.get(name, ()))

    def of(self, name: str, kind: type[C]) -> C | None:
        """The constraint of one type on a parameter, or None."""
        return next((each for each in self.by_name.get(name, ()) if type(each) is kind), None)

    def constrain(self, name: str, weight: Tensor) -> Tensor:
        """`weight` with the parameter's whole chain applied."""
        for constraint in self.by_name.get(name, ()):
            weight = constraint(weight)
        return weight


def _is_one_place(earlier: Constraint, new: Constraint) -> bool:
    return type(earlier) is type(new) or (bool(new.role) and earlier.role == new.role)
