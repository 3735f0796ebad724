#!/usr/bin/env python3
# The other side of tst_exchange_cli.cpp. SPDX-License-Identifier: Apache-2.0
#
#   exchange_round_trip.py write FOLDER WEIGHTS   training files as the official trainers save them, of the names and shapes in WEIGHTS
#   exchange_round_trip.py check FOLDER           compares what was imported and exported again, bit for bit; the last line is "equal"
#   exchange_round_trip.py same A B [GROUP]       whether two files hold the same tensors; GROUP of A where it is a dictionary
import argparse
import collections
import os
import sys

import numpy as np
import torch
from safetensors.torch import load_file

STEP = 4321


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def compare(what, found, expected):
    assert set(found) == set(expected), (what, sorted(set(found) ^ set(expected))[:5])
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, (what, name, found[name].dtype, found[name].shape)
        assert torch.equal(bits(found[name]), bits(tensor)), (what, name)


def load(path):
    if os.path.isdir(path):
        return {k: v for f in sorted(os.listdir(path)) if f.endswith(".safetensors") for k, v in load_file(os.path.join(path, f)).items()}
    if path.endswith(".safetensors"):
        return load_file(path)
    if path.endswith(".npz"):
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    return torch.load(path, weights_only=True)


def training_file(weights):
    """Model, average and AdamW state as a trainer holds them: frozen tables without gradients, buffers not averaged."""
    torch.manual_seed(3)
    # Registration order is not the alphabet's.
    names = sorted(weights, key=lambda n: (n.startswith("blocks"), sum(n.encode()) % 97, n))
    model = collections.OrderedDict((n, torch.randn_like(weights[n])) for n in names)
    parameters = [(n, torch.nn.Parameter(model[n], requires_grad=n != "pos_embed" and not n.endswith(".W"))) for n in names if "_rope." not in n]
    optimizer = torch.optim.AdamW([p for _, p in parameters], lr=1e-4)
    for _ in range(2):
        for _, p in parameters:
            if p.requires_grad:
                p.grad = torch.randn_like(p)
        optimizer.step()
    model = collections.OrderedDict((n, dict(parameters)[n].detach() if n in dict(parameters) else model[n]) for n in names)
    ema = collections.OrderedDict((n, v if "_rope." in n else torch.randn_like(v)) for n, v in model.items())
    return model, ema, optimizer, [n for n, _ in parameters]


def write(folder, weights_path):
    def at(name):
        return os.path.join(folder, name)

    model, ema, optimizer, order = training_file(load_file(weights_path))
    args = argparse.Namespace(model="whatever", lr=1e-4)
    scheduler = {"base_lrs": [1e-4], "last_epoch": STEP, "_step_count": STEP + 1}
    latest = {"model": model, "ema": ema, "opt": optimizer.state_dict(), "scheduler": scheduler, "train_steps": STEP,
              "config_path": "configs/mf/training/MF_XL.yaml", "training_cfg": {"epochs": 1}, "cli_overrides": {"image_size": 256}}
    torch.save(latest, at("latest.pt"))
    torch.save({"ema": ema}, at("ema.pt"))
    torch.save(ema, at("bare.pt"))
    torch.save({"model": {f"module._orig_mod.{n}": v for n, v in model.items()}, "ema": ema, "optimizer": optimizer.state_dict(), "step": STEP, "epoch": 3,
                "scheduler": scheduler}, at("ep-0000003.pt"))
    torch.save({"ema": ema, "args": args}, at("with_args.pt"))
    torch.save({"model": model, "ema": ema}, at("old_stream.pt"), _use_new_zipfile_serialization=False)
    torch.save({"state_dict": {f"ema_denoiser.{n}": v for n, v in ema.items()} | {f"denoiser.{n}": v for n, v in model.items()}, "global_step": STEP}, at("lightning.ckpt"))
    torch.save({"model": model, "ema": ema, "order": order, "optimizer": optimizer.state_dict()["state"]}, at("expected.pt"))


def check(folder):
    expected = torch.load(os.path.join(folder, "expected.pt"), weights_only=True)
    for source in ("latest.pt", "ep-0000003.pt", "old_stream.pt", "lightning.ckpt", "ema.pt", "bare.pt", "with_args.pt"):
        has_both = source in ("latest.pt", "ep-0000003.pt", "old_stream.pt", "lightning.ckpt")
        out = os.path.join(folder, "out_" + source)
        for name in ("ema.pt", "ema.safetensors", "ema.npz", "hf"):
            compare((source, name), load(os.path.join(out, name)), expected["ema"])
        both = load(os.path.join(out, "both.pt"))
        assert both["train_steps"] == (STEP if source in ("latest.pt", "ep-0000003.pt", "lightning.ckpt") else 0), both["train_steps"]
        compare((source, "both ema"), both["ema"], expected["ema"])
        compare((source, "both model"), both["model"], expected["model" if has_both else "ema"])
    for source in ("latest.pt", "ep-0000003.pt"):
        run = os.path.join(folder, "run_" + source, "mean_flow", "checkpoints", f"step_{STEP:08}")
        found = load_file(os.path.join(run, "optimizer.safetensors"))
        wanted = {f"{expected['order'][i]}.{key}": value for i, state in expected["optimizer"].items() for key, value in state.items()}
        compare((source, "optimizer"), found, wanted)
    print("equal")


def same(a, b, group=None):
    first = load(a)
    if group:
        first = first[group]
    compare((a, b), first, load(b))
    print("equal")


{"write": write, "check": check, "same": same}[sys.argv[1]](*sys.argv[2:])
