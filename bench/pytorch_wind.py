#!/usr/bin/python3
"""pytorch_wind.py D LAYERS FFN MINIBATCH [SECONDS]: the wind encoder's training step in PyTorch on one thread.

Prints the median CPU milliseconds of a step (forward, backward, AdamW). The rival of `build/bench/train_step`; run by
bench/run.sh where python3-torch is installed.
"""
import statistics
import sys
import time

import torch
from torch import nn

D, LAYERS, FFN, MINIBATCH = (int(a) for a in sys.argv[1:5])
SECONDS = float(sys.argv[5]) if len(sys.argv) > 5 else 5.0
STATIONS, WINDOW = 57, 12
HEADS = 8 if D >= 512 else 4


class Wind(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(WINDOW, 256), nn.Linear(256, D))
        layer = nn.TransformerEncoderLayer(D, HEADS, FFN, dropout=0.0, activation="relu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS)
        code = max(2, D // 8)
        self.reduce = nn.Sequential(nn.Linear(D, D // 4), nn.Linear(D // 4, code), nn.ReLU())
        self.decode = nn.Sequential(
            nn.Flatten(), nn.Linear(STATIONS * code, D), nn.ReLU(), nn.Linear(D, D // 4), nn.ReLU(),
            nn.Linear(D // 4, STATIONS))

    def forward(self, x):
        return self.decode(self.reduce(self.encoder(self.embed(x))))


torch.set_num_threads(1)
torch.manual_seed(0)
model = Wind()
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
loss_of = nn.MSELoss()
x, y = torch.randn(MINIBATCH, STATIONS, WINDOW), torch.randn(MINIBATCH, STATIONS)


def step():
    optimiser.zero_grad()
    loss_of(model(x), y).backward()
    optimiser.step()


for _ in range(3):
    step()
times, end = [], time.monotonic() + SECONDS
while time.monotonic() < end or len(times) < 5:
    start = time.process_time()
    step()
    times.append(time.process_time() - start)
print(f"{1000 * statistics.median(times):.2f}")
