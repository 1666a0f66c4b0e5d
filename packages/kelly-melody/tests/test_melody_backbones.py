"""Backbones: step by step equals the whole, later steps change nothing earlier, the batch is free."""

import pytest
import torch

from kelly_melody.model import LstmBackbone, TcnBackbone, TransformerBackbone


@pytest.fixture(params=["lstm", "lstm2", "tcn", "transformer", "short span"])
def backbone(request):
    torch.manual_seed(0)
    made = {
        "lstm": lambda: LstmBackbone(5, 8, 1, 0.1),
        "lstm2": lambda: LstmBackbone(5, 8, 2, 0.1),
        "tcn": lambda: TcnBackbone(5, 8, 3, 3, 0.1),
        "transformer": lambda: TransformerBackbone(5, 8, 2, 2, 64, 0.1),
        "short span": lambda: TransformerBackbone(5, 8, 2, 2, 7, 0.1),
    }[request.param]()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    return made.eval()


@torch.no_grad()
def test_step_by_step_gives_what_the_whole_gives(backbone):
    steps = torch.randn(3, 50, 5)
    whole = backbone(steps)
    assert whole.shape == (3, 50, backbone.width)
    state = backbone.initial_state(3)
    for at in range(50):
        said, state = backbone.step(steps[:, at], state)
        torch.testing.assert_close(said, whole[:, at], atol=1e-5, rtol=1e-5)
    assert [tuple(part.shape[1:]) for part in state] == list(backbone.state_shapes().values())


@torch.no_grad()
def test_later_steps_change_nothing_earlier(backbone):
    steps = torch.randn(1, 20, 5)
    changed = steps.clone()
    changed[:, 12:] += 1.0
    torch.testing.assert_close(backbone(steps)[:, :12], backbone(changed)[:, :12], atol=1e-6, rtol=1e-6)
    assert (backbone(steps)[:, 12] - backbone(changed)[:, 12]).abs().max() > 1e-3
