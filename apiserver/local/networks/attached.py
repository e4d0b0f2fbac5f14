"""Which runs are on which bridges."""

from __future__ import annotations

from collections.abc import Sequence

from apiserver.engine.ports.networks import NetworkPlan
from apiserver.local.networks.namespaces import RunNamespaces


class Attached:
    """A run is on a bridge as long as it has a namespace and its plan says so."""

    def __init__(self, namespaces: RunNamespaces) -> None:
        self._namespaces = namespaces
        self._bridges: dict[tuple[str, int], frozenset[str]] = {}

    def add(self, plan: NetworkPlan) -> None:
        """It is on its bridges, or is about to be."""
        self._bridges[_run(plan)] = bridges_of(plan)

    def discard(self, plan: NetworkPlan) -> None:
        self._bridges.pop(_run(plan), None)

    def any_on(self, bridge: str) -> bool:
        return not self.unused([bridge])

    def unused(self, bridges: Sequence[str]) -> Sequence[str]:
        """Those of the bridges that nobody is on."""
        runs = self._namespaces.runs() if bridges else ()
        # One whose plan we do not know may be anywhere.
        return [bridge for bridge in bridges if not any(bridge in self._bridges.get(run, {bridge}) for run in runs)]


def bridges_of(plan: NetworkPlan) -> frozenset[str]:
    """Their interfaces."""
    return frozenset(each.network.interface for each in plan.attachments)


def _run(plan: NetworkPlan) -> tuple[str, int]:
    return plan.container_id, plan.run
