// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/types.h>

#include <string>

namespace meanflow::core {

/// Prepares LibTorch once a process, before any tensor is made: keeps freed blocks inside the process (a training step
/// otherwise spends a third of its time in mmap and munmap) and opens libtorch_cuda.so where an NVIDIA driver is
/// present.
void initialiseTorch();

/// "auto" | "cpu" | "cuda" | "cuda:1" -> device. Throws std::runtime_error with what to do when CUDA is asked for and
/// LibTorch sees no GPU.
torch::Device resolveDevice(const std::string& name);

/// CPU seconds used so far by the calling thread / by the whole process.
double threadCpuSeconds();
double processCpuSeconds();

}  // namespace meanflow::core
