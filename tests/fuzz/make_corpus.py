#!/usr/bin/env python3
# Writes the seeds of the fuzzing corpus with the reference libraries. SPDX-License-Identifier: Apache-2.0
#
#   PYTHON tests/fuzz/make_corpus.py        (PYTHON of the environment that packaging/setup prints)
#
# What a fuzzer found later lies beside the seeds as found_*.
import argparse
import collections
import io
import json
import os
import struct
import zipfile

import numpy as np
import torch
from safetensors.torch import save_file

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def folder(name):
    path = os.path.join(root, name)
    os.makedirs(path, exist_ok=True)
    return path


def write(target, name, data):
    with open(os.path.join(folder(target), name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def pt_seeds():
    shared = torch.arange(6.0)
    objects = {
        "state_dict": collections.OrderedDict([("a.weight", torch.ones(2, 3)), ("a.bias", torch.zeros(2))]),
        "views": {"t": torch.arange(6.0).reshape(2, 3).t(), "s": shared[::2], "a": shared[:3], "e": torch.empty(0, 3)},
        "dtypes": {str(d): torch.ones(2).to(d) for d in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool,
                                                       torch.uint16, torch.float8_e4m3fn, torch.complex64)},
        "training": {"model": {"w": torch.ones(1)}, "ema": {"w": torch.ones(1)}, "train_steps": 12, "lr": 1e-4, "flag": True,
                     "opt": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"betas": (0.9, 0.95), "params": [0]}]}},
        "objects": {"args": argparse.Namespace(model="SiT-XL/2", lr=None), "n": np.float32(2.5), "b": b"\x00\xff", "big": 1 << 70,
                    "set": {1, 2}, "size": torch.Size([1, 2]), "parameter": torch.nn.Parameter(torch.ones(2)), "none": None},
    }
    # Without checksums a mutated file gets past them.
    torch.serialization.set_crc32_options(False)
    for name, value in objects.items():
        torch.save(value, os.path.join(folder("pt"), name + ".pt"))
        torch.save(value, os.path.join(folder("pt"), name + "_legacy.pt"), _use_new_zipfile_serialization=False)
        torch.save(value, os.path.join(folder("pt"), name + "_p4.pt"), pickle_protocol=4)
    torch.serialization.set_crc32_options(True)
    torch.save(objects["state_dict"], os.path.join(folder("pt"), "checksums.pt"))


def npz_seeds():
    arrays = {"mu": np.arange(4.0), "fortran": np.asfortranarray(np.ones((2, 3), np.float32)), "big": np.arange(3, dtype=">i4"),
              "flag": np.array(True), "text": np.array(["a"]), "half": np.ones(2, np.float16)}
    for name, save in (("stored.npz", np.savez), ("deflated.npz", np.savez_compressed)):
        buffer = io.BytesIO()
        save(buffer, **arrays)
        write("npz", name, buffer.getvalue())
    for version in ((1, 0), (2, 0), (3, 0)):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.ones((2, 1)), version=version)
        write("npz", f"array_{version[0]}.npy", buffer.getvalue())
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(2, dtype=[("a", "<f4"), ("b", "<i2", (2,))]))
    write("npz", "structure.npy", buffer.getvalue())


def safetensors_seeds():
    save_file({"w": torch.ones(2, 3), "b": torch.ones(2, dtype=torch.bfloat16), "n": torch.empty(0, 2)},
              os.path.join(folder("safetensors"), "plain.safetensors"), metadata={"format": "pt"})
    save_file({str(i): torch.ones(1).to(d) for i, d in enumerate((torch.float64, torch.int8, torch.bool, torch.float8_e5m2))},
              os.path.join(folder("safetensors"), "dtypes.safetensors"))

    def raw(name, header, data=b""):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        write("safetensors", name, struct.pack("<Q", len(text)) + text + data)

    raw("empty", {})
    raw("overlap", {"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}, "b": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}}, b"abc")
    raw("overflow", {"a": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 0]}})
    write("safetensors", "bomb", struct.pack("<Q", 1 << 63) + b"{}")
    raw("deep", b"[" * 300)


def yaml_seeds():
    write("yaml", "seed.yaml", "seed: 3\n")
    write("yaml", "nested.yaml", "teacher:\n  model: {depth: [4, 2]}\n  steps: 1e3\n")
    write("yaml", "anchor.yaml", "a: &a [1, 1]\nb: [*a, *a]\n")
    write("yaml", "deep.yaml", "[" * 60)
    write("yaml", "strings.yaml", "name: \"x\\u0041\"\nother: |\n  text\n  more\n")
    presets = os.path.join(os.path.dirname(root), "..", "..", "resources", "presets")
    with open(os.path.join(presets, "demo-quick.yaml"), "rb") as file:
        write("yaml", "demo-quick.yaml", file.read())


def shard_index_seeds():
    write("shard_index", "plain.json", json.dumps({"metadata": {"total_size": 8}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}))
    write("shard_index", "escape.json", json.dumps({"weight_map": {"a": "../m"}}))
    write("shard_index", "wrong.json", json.dumps({"weight_map": {"a": 1}}))


pt_seeds()
npz_seeds()
safetensors_seeds()
yaml_seeds()
shard_index_seeds()
