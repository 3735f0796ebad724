#!/usr/bin/env python3
# The other side of tst_python_round_trip.cpp. SPDX-License-Identifier: Apache-2.0
#
#   python_round_trip.py write FOLDER   writes every layout with torch.save, safetensors and numpy, and what they hold
#   python_round_trip.py check FOLDER   reads what the studio wrote and compares it bit for bit; the last line is "equal"
import argparse
import collections
import json
import os
import sys
import zipfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file

UNTYPED = [torch.uint16, torch.uint32, torch.uint64, torch.float8_e5m2, torch.float8_e4m3fn, torch.float8_e5m2fnuz,
           torch.float8_e4m3fnuz, torch.float8_e8m0fnu]
TYPED = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
         torch.bool, torch.complex64]


def raw(size, dtype):
    """Every bit pattern may occur, NaNs too."""
    return torch.randint(0, 2 if dtype == torch.bool else 256, (size * dtype.itemsize,), dtype=torch.uint8).view(dtype)


def tensors():
    torch.manual_seed(11)
    found = {f"dtype.{str(d)[6:]}": raw(12, d).reshape(3, 4) for d in TYPED + UNTYPED}
    pool = torch.randn(100)
    found |= {
        "scalar": torch.tensor(2.5), "empty": torch.empty(0, 3), "transposed": torch.randn(3, 5).t(), "strided": pool[3:60:7],
        "shared_a": pool[:10], "shared_b": pool[5:15], "permuted": torch.randn(2, 3, 4, 5).permute(3, 1, 0, 2),
        "channels_last": torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "name with ü and .dots": torch.ones(1), "wide": torch.randn(1, 1, 700),
    }
    return found


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def save_big_endian(value, path):
    """torch.save as a big-endian machine does it."""
    torch.save(value, path + ".little")
    with zipfile.ZipFile(path + ".little") as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith("/byteorder"):
                data = b"big"
            elif "/data/" in entry.filename:
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            target.writestr(entry.filename.replace(".little", ""), data)
    os.remove(path + ".little")


def write(folder):
    def at(name):
        return os.path.join(folder, name)

    named = tensors()
    # safetensors has no views; C128 and shared memory are left out of it.
    save_file({k: v.contiguous().clone() for k, v in named.items()}, at("expected.safetensors"), metadata={"format": "pt", "note": "ü"})
    ordered = collections.OrderedDict(named)
    for protocol in (2, 3, 4, 5):
        torch.save(named, at(f"zip_{protocol}.pt"), pickle_protocol=protocol)
        torch.save(ordered, at(f"stream_{protocol}.pt"), pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save(ordered, at("no_checksums.pt"))
    torch.serialization.set_crc32_options(True)
    torch.save({k: torch.nn.Parameter(v) if v.is_floating_point() and v.dtype.itemsize > 1 else v for k, v in named.items()}, at("parameters.pt"))
    save_big_endian({k: v for k, v in named.items() if v.dtype == torch.float32}, at("big_endian.pt"))

    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(8, 3)).sum().backward()
    optimizer.step()
    state = model.state_dict()
    save_file({f"model.{k}": v.clone() for k, v in state.items()}, at("training_expected.safetensors"))
    training = {"model": state, "ema": state, "opt": optimizer.state_dict(), "train_steps": 77, "step": np.int64(5), "rate": np.float32(0.5),
                "args": argparse.Namespace(model="SiT-XL/2", lr=1e-4, resume=None, sizes=[1, 2])}
    torch.save(training, at("training.pt"))
    torch.save(training, at("training_stream.pt"), _use_new_zipfile_serialization=False)

    halves = [{}, {}]
    for i, (name, tensor) in enumerate(named.items()):
        halves[i % 2][name] = tensor.contiguous().clone()
    files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    os.makedirs(at("sharded"))
    for file, half in zip(files, halves):
        save_file(half, at(f"sharded/{file}"))
    with open(at("sharded/model.safetensors.index.json"), "w") as index:
        json.dump({"metadata": {"total_size": 1}, "weight_map": {k: files[i] for i in (0, 1) for k in halves[i]}}, index)

    arrays = {k: v.numpy() for k, v in named.items() if v.dtype not in UNTYPED[3:] + [torch.bfloat16]}
    arrays["fortran"] = np.asfortranarray(named["dtype.float64"].numpy())
    arrays["big"] = named["dtype.int32"].numpy().astype(">i4")
    np.savez(at("stored.npz"), **arrays)
    np.savez_compressed(at("deflated.npz"), **arrays)
    np.save(at("single.npy"), named["permuted"].numpy())


def check(folder):
    expected = load_file(os.path.join(folder, "expected.safetensors"))

    def compare(what, found):
        assert set(found) == set(expected), (what, set(found) ^ set(expected))
        for name, tensor in expected.items():
            assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, (what, name)
            assert torch.equal(bits(found[name]), bits(tensor)), (what, name)

    for mmap in (False, True):
        loaded = torch.load(os.path.join(folder, "ours.pt"), weights_only=True, mmap=mmap)
        compare("pt", loaded["model"])
        compare("pt nested", loaded["deep"]["inner"])
        assert loaded["train_steps"] == 1 << 40 and loaded["rate"] == -0.25 and loaded["flag"] is True and loaded["note"] == "ü", loaded.keys()
    compare("safetensors", load_file(os.path.join(folder, "ours.safetensors")))
    assert zipfile.ZipFile(os.path.join(folder, "ours.pt")).testzip() is None
    with np.load(os.path.join(folder, "ours.npz"), allow_pickle=False) as arrays:
        for name in arrays.files:
            assert torch.equal(bits(torch.from_numpy(arrays[name])), bits(expected[name])), ("npz", name)
        assert len(arrays.files) == len(expected) - 6, len(arrays.files)
    print("equal")


{"write": write, "check": check}[sys.argv[1]](sys.argv[2])
