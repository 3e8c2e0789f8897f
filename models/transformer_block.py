#!/usr/bin/env python3
"""Writes an untrained transformer block for pictures of 28 x 28 as a TorchScript file.

    transformer_block.py --out models/transformer_block.pt

The rows of a picture are 28 tokens of 28 pixels. The network embeds them, adds a learned position,
applies one block (attention of four heads and an MLP, each behind a layer norm, with a skip
connection) and classifies the mean token. `descramble train` trains it. It needs PyTorch.
"""

import argparse

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        return x.reshape(n, t, self.heads, d // self.heads).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = torch.softmax(query @ key.transpose(2, 3) / (d // self.heads) ** 0.5, dim=-1)
        return self.out((scores @ value).transpose(1, 2).reshape(n, t, d))


class TransformerBlock(nn.Module):
    def __init__(self, width: int = 32, heads: int = 4, classes: int = 10):
        super().__init__()
        self.embed = nn.Linear(28, width)
        self.position = nn.Parameter(0.02 * torch.randn(28, width))
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * width, width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x.squeeze(1)) + self.position
        x = x + self.attention(self.norm1(x))
        x = x + self.fc2(self.act(self.fc1(self.norm2(x))))
        return self.head(x.mean(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    torch.manual_seed(1)
    torch.jit.script(TransformerBlock().eval()).save(parser.parse_args().out)


if __name__ == "__main__":
    main()
