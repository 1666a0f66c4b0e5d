"""`streaming`: causal in time, computable frame by frame; the host pools its outputs over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_core.chain import Activation, BatchNorm, Layer, conv2d_of, layers_of
from kelly_core.sound.standardize import Standardize


class CausalConv(nn.Module):
    """Convolution over (frequency, time), causal in time, with batch norm and ReLU.

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel: `(frequency, time)`.
        stride: stride along frequency; the time stride is 1.
        dilation: dilation along time, frames.
        padding: zeros below and above along frequency.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        stride: int,
        dilation: int,
        padding: tuple[int, int],
    ) -> None:
        super().__init__()
        self.weight_layer = nn.Conv2d(inputs, outputs, kernel, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.stride = stride
        self.dilation = dilation
        self.padding = padding
        self.past = (kernel[1] - 1) * dilation  # frames of state

    def forward(self, hidden: Tensor, rate: int = 1, time_stride: int = 1) -> Tensor:
        """Run over a sequence that starts from a reset (zeros before it).

        `rate` and `time_stride` let training skip frames that nothing later reads: with inputs that are
        already every `rate`-th frame the dilation shrinks by `rate`, and every `time_stride`-th output
        is computed. The outputs equal those of `rate = time_stride = 1` at these frames.
        """
        hidden = F.pad(hidden, (self.past // rate, 0, *self.padding))
        return self._convolve(hidden, time_stride, self.dilation // rate)

    def step(self, frame: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run over one frame, or several.

        Args:
            frame: `(batch, inputs, rows, frames)`.
            state: `(batch, inputs, rows, past)`, the frames before it, oldest first.

        Returns:
            The output frames `(batch, outputs, rows_out, frames)` and the next state.
        """
        joined = torch.cat((state, frame), dim=3)
        padded = F.pad(joined, (0, 0, *self.padding))
        return self._convolve(padded, 1, self.dilation), joined[:, :, :, joined.shape[3] - self.past :]

    def _convolve(self, hidden: Tensor, time_stride: int, dilation: int) -> Tensor:
        out = F.conv2d(hidden, self.weight_layer.weight, None, (self.stride, time_stride), 0, (1, dilation))
        return F.relu(self.norm(out))


class EmotionStreaming(nn.Module):
    """Causal network that emits `2 · n_classes` numbers a frame; the host pools them over time.

    The first `n_classes` numbers are pooled by a running mean, the others by a running max:
    `logits = mean_t(a_t) + max_t(b_t)`. Every layer has time stride 1; memory comes from dilation.

    Args:
        n_classes: number of emotions.
        n_mels: mel bands of the input.
        channels: output channels of each 2-D convolution.
        kernels: `(frequency, time)` kernel of each 2-D convolution.
        strides: frequency stride of each 2-D convolution.
        dilations: time dilation of each 2-D convolution, frames.
        hidden: output channels of the 1-D convolutions that see all frequency rows at once.
        hidden_dilations: time dilation of each 1-D convolution (kernel 3), frames.
        training_strides: time stride of each layer, 2-D ones first, in `forward` in training mode. The
            product up to a layer must divide the dilation of the next.
        dropout: dropout before the dense layer.
    """

    def __init__(
        self,
        n_classes: int = 7,
        n_mels: int = 64,
        channels: Sequence[int] = (16, 32, 48, 64),
        kernels: Sequence[tuple[int, int]] = ((5, 5), (3, 3), (3, 3), (3, 3)),
        strides: Sequence[int] = (2, 2, 2, 2),
        dilations: Sequence[int] = (1, 2, 4, 8),
        hidden: Sequence[int] = (96,),
        hidden_dilations: Sequence[int] = (8,),
        training_strides: Sequence[int] = (2, 2, 1, 1, 1),
        dropout: float = 0.15,
    ) -> None:
        super().__init__()
        self.normalize = Standardize()
        self.n_classes = n_classes
        self.n_mels = n_mels
        layers: list[CausalConv] = []
        self.rows_in: list[int] = []
        previous, rows = 1, n_mels
        for width, kernel, stride, dilation in zip(channels, kernels, strides, dilations, strict=True):
            padding = same_padding(rows, kernel[0], stride)
            layers.append(CausalConv(previous, width, kernel, stride, dilation, padding))
            self.rows_in.append(rows)
            previous, rows = width, -(-rows // stride)
        for width, dilation in zip(hidden, hidden_dilations, strict=True):
            layers.append(CausalConv(previous, width, (rows, 3), 1, dilation, (0, 0)))
            self.rows_in.append(rows)
            previous, rows = width, 1
        if rows != 1:
            raise ValueError("hidden needs at least one layer, to join the frequency rows")
        self.layers = nn.ModuleList(layers)
        self.training_strides = tuple(training_strides)
        self._check_training_strides()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(previous, 2 * n_classes)

    def _check_training_strides(self) -> None:
        rate = 1
        for layer, stride in zip(self.layers, self.training_strides, strict=True):
            assert isinstance(layer, CausalConv)
            if layer.dilation % rate:
                raise ValueError(f"dilation {layer.dilation} is not a multiple of the training stride {rate}")
            rate *= stride

    def frame_outputs(self, mel: Tensor, skip: bool = False) -> Tensor:
        """Per-frame outputs of sequences that start from a reset.

        Args:
            mel: `(batch, 1, n_mels, frames)`, dB.
            skip: compute only every `prod(training_strides)`-th frame, with the same values there.

        Returns:
            `(batch, 2 * n_classes, frames)`, or fewer frames with `skip`.
        """
        hidden = self.normalize(mel)
        rate = 1
        for layer, stride in zip(self.layers, self.training_strides, strict=True):
            hidden = layer(hidden, rate, stride if skip else 1)
            rate *= stride if skip else 1
        frames = self.dropout(hidden.squeeze(2)).transpose(1, 2)  # (batch, frames, channels)
        return self.head(frames).transpose(1, 2)

    def chain_layers(self) -> list[Layer]:
        """`frame_outputs` for one frame, as layers of a chain."""
        scale = 1.0 / float(self.normalize.std)
        one = np.ones(1, np.float32)
        mean = one * float(self.normalize.mean)
        layers: list[Layer] = [BatchNorm(mean, one, scale * one, 0 * one, features=self.n_mels)]
        for conv, rows in zip(self.layers, self.rows_in, strict=True):
            assert isinstance(conv, CausalConv)
            layer = conv2d_of(
                conv.weight_layer,
                rows,
                stride=conv.stride,
                dilation=conv.dilation,
                same=conv.padding != (0, 0),
                norm=conv.norm,
            )
            layers += [layer, Activation("relu", layer.outputs)]
        return [*layers, *layers_of(self.head, layers[-1].outputs, "head")]

    def pool(self, outputs: Tensor) -> Tensor:
        """What the host does over time: mean of the first half plus max of the second.

        Args:
            outputs: `(batch, 2 * n_classes, frames)`.

        Returns:
            `(batch, n_classes)` logits.
        """
        a, b = outputs.split(self.n_classes, dim=1)
        return a.mean(dim=2) + b.amax(dim=2)

    def forward(self, mel: Tensor) -> Tensor:
        """Classify whole sequences; in training mode frames are skipped by `training_strides`.

        Args:
            mel: `(batch, 1, n_mels, frames)`, dB.

        Returns:
            `(batch, n_classes)` logits.
        """
        return self.pool(self.frame_outputs(mel, skip=self.training))

    def initial_state(self, batch: int) -> list[Tensor]:
        """State after a reset: one `(batch, channels, rows, past)` tensor of zeros per convolution."""
        states = []
        for layer, rows in zip(self.layers, self.rows_in, strict=True):
            assert isinstance(layer, CausalConv)
            weight = layer.weight_layer.weight
            states.append(weight.new_zeros(batch, weight.shape[1], rows, layer.past))
        return states

    def step(self, frame: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Advance by one frame.

        Args:
            frame: `(batch, n_mels)`, dB.
            state: from `initial_state` or the previous step.

        Returns:
            `(batch, 2 * n_classes)` outputs for the host to pool, and the next state.
        """
        hidden = self.normalize(frame)[:, None, :, None]  # (batch, 1, n_mels, 1)
        following = []
        for layer, past in zip(self.layers, state, strict=True):
            assert isinstance(layer, CausalConv)
            hidden, kept = layer.step(hidden, past)
            following.append(kept)
        return self.head(hidden.flatten(1)), following


def same_padding(rows: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros below and above that give `ceil(rows / stride)` rows, the odd one above.

    This is what frame-by-frame runtimes mean by `same` (TensorFlow's rule), unlike torch's symmetric padding.

    >>> same_padding(64, 5, 2), same_padding(32, 3, 2), same_padding(8, 3, 1)
    ((1, 2), (0, 1), (1, 1))
    """
    total = max(0, (-(-rows // stride) - 1) * stride + kernel - rows)
    return total // 2, total - total // 2
