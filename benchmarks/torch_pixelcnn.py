"""The PixelCNN that ours is held against, in PyTorch: convolutions whose weights are multiplied by a mask."""

import torch


class MaskedConv2d(torch.nn.Conv2d):
    """A convolution that sees what precedes a pixel in raster order, and the pixel itself where `centre`."""

    def __init__(self, inputs: int, outputs: int, size: int, *, centre: bool) -> None:
        super().__init__(inputs, outputs, size, padding=size // 2)
        mask = torch.zeros(size, size)
        mask[: size // 2] = 1
        mask[size // 2, : size // 2 + centre] = 1
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]."""
        return self._conv_forward(x, self.weight * self.mask, self.bias)


class Block(torch.nn.Module):
    """A residual block of h channels between streams of 2 h."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.ReLU(),
            torch.nn.Conv2d(2 * channels, channels, 1),
            torch.nn.ReLU(),
            MaskedConv2d(channels, channels, 3, centre=True),
            torch.nn.ReLU(),
            torch.nn.Conv2d(channels, 2 * channels, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, 2 h, H, W] -> [B, 2 h, H, W]."""
        return x + self.layers(x)


def torch_pixelcnn(channels: int, blocks: int = 8, head: int = 64) -> torch.nn.Module:
    """Logits of binary images: [B, 1, H, W] -> [B, 1, H, W]."""
    return torch.nn.Sequential(
        MaskedConv2d(1, 2 * channels, 7, centre=False),
        *(Block(channels) for _ in range(blocks)),
        torch.nn.ReLU(),
        torch.nn.Conv2d(2 * channels, head, 1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(head, 1, 1),
    )
