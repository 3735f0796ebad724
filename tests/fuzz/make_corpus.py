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


def masked_crc(data):
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(data, length=None):
    head = struct.pack("<Q", len(data) if length is None else length)
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, content):  # bytes
    return varint(number << 3 | 2) + varint(len(content)) + content


def tb_event(step, values, time=1.7e9):
    return b"\x09" + struct.pack("<d", time) + b"\x10" + varint(step) + field(5, b"".join(field(1, v) for v in values))


def tfevents_seeds():
    png = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
                        "0000000049454e44ae426082")
    scalar = lambda tag, value: field(1, tag) + b"\x15" + struct.pack("<f", value)
    tensor = lambda tag, body: field(1, tag) + field(8, body)
    version = record(b"\x09" + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2"))
    write("tfevents", "scalars", version + record(tb_event(1, [scalar(b"loss", 0.5), scalar(b"lr", 1e-4)])) + record(tb_event(2, [scalar(b"loss", 0.25)])))
    write("tfevents", "tensors", version + record(tb_event(3, [
        tensor(b"float", b"\x08\x01" + field(2, b"") + field(4, struct.pack("<f", 2.0))),
        tensor(b"packed", b"\x08\x01" + field(5, struct.pack("<f", 3.0))),
        tensor(b"double", b"\x08\x02" + b"\x31" + struct.pack("<d", 4.0)),
        tensor(b"int64", b"\x08\x09" + field(10, varint(5))),
        tensor(b"half", b"\x08\x13" + field(13, varint(0x3C00)))])))
    write("tfevents", "images", version + record(tb_event(4, [field(1, b"samples") + field(4, b"\x08\x01\x10\x01\x18\x03" + field(4, png)),
                                                              tensor(b"tf2", b"\x08\x07" + field(8, b"1") + field(8, b"1") + field(8, png) * 2)])))
    write("tfevents", "session", version + record(b"\x09" + struct.pack("<d", 1.7e9) + b"\x10\x05" + field(7, b"\x08\x01")))
    write("tfevents", "torn", (version + record(tb_event(1, [scalar(b"loss", 0.5)])))[:-3])
    write("tfevents", "four_gigabytes", version + record(b"", 1 << 32))
    write("tfevents", "event", tb_event(7, [scalar(b"bare", 1.0), field(1, b"x") * 40]))


def step_log_seeds():
    write("step_log", "sit.txt", "[\033[34m2024-05-01 12:34:56\033[0m] Training for 1400 epochs...\n"
                                 "[\033[34m2024-05-01 12:35:56\033[0m] (step=0000100) Train Loss: 0.8123, Train Steps/Sec: 3.21\n")
    write("step_log", "rae.txt", "[\033[34m2025-10-01 00:00:00\033[0m] [Epoch 0 | Step 100] train/loss: 0.9012, train/lr: 0.0002\n"
                                 "[\033[34m2025-10-01 00:10:00\033[0m] [Epoch 0] epoch/loss: 0.8\n")
    write("step_log", "odd.txt", "(step=0000200/7000), Train Loss: nan, BS-1GPU: 32 Train Steps/Sec: 1e400, id: x, a:b:c: 3\n(step=)\n(step=99999999999999999999) a: 1\n")


pt_seeds()
npz_seeds()
safetensors_seeds()
yaml_seeds()
shard_index_seeds()
tfevents_seeds()
step_log_seeds()
