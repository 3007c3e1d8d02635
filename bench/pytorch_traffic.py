#!/usr/bin/python3
"""pytorch_traffic.py D HEADS FFN MINIBATCH [SECONDS [THREADS]]: the traffic model's training step in PyTorch.

Prints the median milliseconds of a step (forward, backward, Adam): 207 stations, 12 steps, 2 layers; CPU time on one
thread, wall time on several. The rival of `build/bench/traffic_step` and of a run on as many ranks; run by bench/run.sh
where python3-torch is installed.
"""
import statistics
import sys
import time

import torch
from torch import nn

D, HEADS, FFN, MINIBATCH = (int(a) for a in sys.argv[1:5])
SECONDS = float(sys.argv[5]) if len(sys.argv) > 5 else 5.0
THREADS = int(sys.argv[6]) if len(sys.argv) > 6 else 1
STATIONS, WINDOW, HORIZON, SLOTS, LAYERS = 207, 12, 12, 288, 2
OVER_TIME, OVER_SPACE = (0, 2, 3, 1, 4), (0, 1, 3, 2, 4)  # of [sample, step, station, head, channel]


class Attention(nn.Module):
    """z + attention along one axis of the grid [sample, step, station, channel], norm first."""

    def __init__(self, order):
        super().__init__()
        self.order, self.back = order, [order.index(axis) for axis in range(5)]
        self.norm, self.qkv, self.out = nn.LayerNorm(D), nn.Linear(D, 3 * D), nn.Linear(D, D)

    def forward(self, z):
        heads = [part.view(*z.shape[:3], HEADS, D // HEADS).permute(self.order)
                 for part in self.qkv(self.norm(z)).chunk(3, -1)]
        q, k, v = heads
        shares = torch.softmax(q * (D // HEADS) ** -0.5 @ k.transpose(-2, -1), -1)
        return z + self.out((shares @ v).permute(self.back).reshape(z.shape))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.Sequential(nn.LayerNorm(D), nn.Linear(D, FFN), nn.GELU(), nn.Linear(FFN, D))

    def forward(self, z):
        return z + self.parts(z)


class Traffic(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(1, D)
        self.node = nn.Parameter(0.02 * torch.randn(STATIONS, D))
        self.moment = nn.Parameter(0.02 * torch.randn(WINDOW, 1, D))
        self.slot = nn.Embedding(SLOTS, D)
        self.layers = nn.Sequential(*[
            part for _ in range(LAYERS) for part in (Attention(OVER_TIME), Attention(OVER_SPACE), FeedForward())])
        self.norm, self.out = nn.LayerNorm(D), nn.Linear(WINDOW * D, HORIZON)

    def forward(self, x, slot):
        z = self.embed(x) + self.node + (self.slot(slot)[:, :, None] + self.moment)
        z = self.norm(self.layers(z)).transpose(1, 2).flatten(2)
        return self.out(z).transpose(1, 2) + x[:, -1:, :, 0]


torch.set_num_threads(THREADS)
torch.manual_seed(0)
model = Traffic()
optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
x, y = torch.randn(MINIBATCH, WINDOW, STATIONS, 1), torch.randn(MINIBATCH, HORIZON, STATIONS)
slot, mask = torch.randint(SLOTS, (MINIBATCH, WINDOW)), torch.ones(MINIBATCH, HORIZON, STATIONS)


def step():
    optimiser.zero_grad()
    loss = (mask * (model(x, slot) - y).abs()).sum() / mask.sum()
    loss.backward()
    optimiser.step()


for _ in range(2):
    step()
clock = time.process_time if THREADS == 1 else time.monotonic
times, end = [], time.monotonic() + SECONDS
while time.monotonic() < end or len(times) < 4:
    start = clock()
    step()
    times.append(clock() - start)
print(f"{1000 * statistics.median(times):.2f}")
