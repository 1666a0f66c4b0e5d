"""Both networks: bounds, one step after the other as the whole, configurations that fit together."""

import numpy as np
import pytest
import torch

from kelly_dynamics.config import DynamicsConfig
from kelly_dynamics.features.table import INPUTS
from kelly_dynamics.model import DynamicsTcn, TcnStep, build_network
from kelly_dynamics.targets import HIGH, LOW


def _network(architecture: str, kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    config = DynamicsConfig(architecture_type=architecture, input=kind, channels=8, layers=4, look_ahead=6)  # type: ignore[arg-type]
    network = build_network(config).eval()
    n = len(INPUTS[config.input])
    network.scale.fit(torch.randn(500, n), torch.tensor([64.0, 0, 0, 0.5]) + torch.randn(500, 4))
    return network


@pytest.mark.parametrize("kind", ["notes", "markings", "causal"])
@pytest.mark.parametrize("architecture", ["mlp", "tcn"])
@torch.no_grad()
def test_note_by_note_equals_the_whole(architecture: str, kind: str) -> None:
    network = _network(architecture, kind)
    notes = torch.randn(3, 50, len(INPUTS[kind]))  # type: ignore[index]
    whole = network(notes)
    if isinstance(network, DynamicsTcn):
        step, state = TcnStep(network), network.initial_state(3)
        assert network.look_ahead == (0 if kind == "causal" else 6)
        flush = torch.cat([notes, torch.zeros(3, network.look_ahead, notes.shape[2])], dim=1)
        answers = []
        for at in range(flush.shape[1]):
            answer, *state = step(flush[:, at : at + 1], *state)
            answers.append(answer)
        stepped = torch.cat(answers, dim=1)[:, network.look_ahead :]
    else:
        stepped = torch.cat([network(notes[:, at : at + 1]) for at in range(50)], dim=1)
    np.testing.assert_allclose(stepped.numpy(), whole.numpy(), atol=1e-5)


@pytest.mark.parametrize("architecture", ["mlp", "tcn"])
@torch.no_grad()
def test_outputs_stay_within_their_bounds(architecture: str) -> None:
    said = _network(architecture, "notes")(torch.randn(2, 40, 32) * 1000)
    assert (said >= torch.tensor(LOW)).all()
    assert (said <= torch.tensor(HIGH)).all()


@torch.no_grad()
def test_the_causal_tcn_hears_nothing_ahead() -> None:
    network = _network("tcn", "causal")
    notes = torch.randn(1, 40, len(INPUTS["causal"]))
    changed = notes.clone()
    changed[:, 20:] += 3.0
    assert torch.equal(network(notes)[:, :20], network(changed)[:, :20])


def test_tiny_budget_is_kept() -> None:
    sizes = {kind: sum(p.numel() for p in _network("mlp", kind).parameters()) for kind in INPUTS}
    assert max(sizes.values()) < 25_000
