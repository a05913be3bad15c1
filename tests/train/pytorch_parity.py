"""Trains what pytorch_parity_test.cpp trained, from the same weights and data, and compares. usage: pytorch_parity.py FOLDER [CLIP_NORM]"""
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file

folder = sys.argv[1]
clip_norm = float(sys.argv[2]) if len(sys.argv) > 2 else 0
torch.set_num_threads(1)
model = torch.nn.Sequential(torch.nn.Linear(10, 64), torch.nn.ReLU(), torch.nn.LayerNorm(64), torch.nn.Linear(64, 3))
model.load_state_dict(load_file(folder + "/start.safetensors"))
x = torch.from_numpy(np.fromfile(folder + "/x.bin", np.float32).reshape(-1, 10).copy())
y = torch.from_numpy(np.fromfile(folder + "/y.bin", np.int32).astype(np.int64))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01)
loss = torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 0.5, 2.0]), label_smoothing=0.1)
for _ in range(20):
    for i in range(0, len(x), 64):
        optimizer.zero_grad()
        loss(model(x[i : i + 64]), y[i : i + 64]).backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
trained = load_file(folder + "/trained.safetensors")
difference = max((trained[name] - value).abs().max().item() for name, value in model.state_dict().items())
print(f"largest difference of a parameter after 100 steps: {difference:.2e}")
save_file(model.state_dict(), folder + "/pytorch.safetensors")
sys.exit(0 if difference < 1e-5 else 1)
