// SPDX-License-Identifier: Apache-2.0
#include "training/verify/tolerances.h"

#include <algorithm>
#include <string_view>

namespace meanflow::training {
namespace {

using core::Precision;

// A row applies where the case's name starts with `case_prefix`, the tensor's name contains `tensor_part` and the
// column fits; the first match wins. In the columns fp32 and fp64 rows are exceptions that a case.json states in words,
// never looser than what it says; everything else has the numbers of the case.json itself.
struct Row {
  Precision column;
  std::string_view case_prefix;
  std::string_view tensor_part;
  Tolerance tolerance;
};
constexpr Row kRows[] = {
    // "finite differences divide by 2*delta: allow rtol 2e-3 on dudt (and what follows) in float32". Their rounding
    // error, about 1e-7 |u| / delta, is the same for large and small entries: a quarter of the 2e-3 is taken of the
    // tensor's largest one.
    {Precision::kFp32, "mfd_loss", "jvp", {.rtol = 2e-4, .atol = 2e-5, .floor = 1e-9}},
    {Precision::kFp32, "mft_loss", "jvp", {.rtol = 2e-4, .atol = 2e-5, .floor = 1e-9}},
    {Precision::kFp32, "mfd_loss", ".dudt", {.rtol = 2e-3, .of_largest = 5e-4}},
    {Precision::kFp32, "mft_loss", ".dudt", {.rtol = 2e-3, .of_largest = 5e-4}},
    {Precision::kFp32, "mfd_loss", ".target", {.rtol = 2e-3, .of_largest = 5e-4}},
    {Precision::kFp32, "mft_loss", ".target", {.rtol = 2e-3, .of_largest = 5e-4}},
    {Precision::kFp32, "mfd_loss", "loss", {.rtol = 2e-3, .atol = 2e-5}},
    {Precision::kFp32, "mft_loss", "loss", {.rtol = 2e-3, .atol = 2e-5}},
    {Precision::kFp32, "mfd_loss", "sq_err_sum", {.rtol = 2e-3, .atol = 2e-5}},
    {Precision::kFp32, "mft_loss", "sq_err_sum", {.rtol = 2e-3, .atol = 2e-5}},
    {Precision::kFp32, "mfd_loss", "grad.", {.rtol = 2e-3, .atol = 2e-5, .floor = 1e-9}},
    {Precision::kFp32, "mft_loss", "grad.", {.rtol = 2e-3, .atol = 2e-5, .floor = 1e-9}},
    // "decides steps adaptively - compare with rtol 2e-3"
    {Precision::kFp32, "samplers_ode", "dopri5", {.rtol = 2e-3, .atol = 1e-4}},
    {Precision::kFp32, "samplers_ode", "bosh3", {.rtol = 2e-3, .atol = 1e-4}},
    // Float32 results recorded as float64; the case's float32 numbers.
    {Precision::kFp32, "optim", "loss", {.rtol = 1e-4, .atol = 1e-6}},
    {Precision::kFp32, "optim", "grad_norm", {.rtol = 1e-4, .atol = 1e-6}},
    // "loss_ref rtol 1e-3 on the first step, 5e-3 later; params atol 2e-4 (AdamW amplifies sign noise of near-zero
    // gradients)"
    {Precision::kFp32, "train_", "loss", {.rtol = 1e-3, .later_rtol = 5e-3}},
    {Precision::kFp32, "train_", "grad_norm", {.rtol = 1e-3, .later_rtol = 5e-3}},
    {Precision::kFp32, "train_", "lr", {.rtol = 1e-9}},
    {Precision::kFp32, "train_", "", {.atol = 2e-4, .floor = 1e-7}},

    // bfloat16 keeps 8 bits (half a unit: 2^-9 = 0.002). Errors are relative to a tensor's largest entry, not to each
    // entry: a few times
    // what was measured on a CPU (outputs 0.03, gradients 0.04, weights after five steps 0.08).
    // A finite difference divides the rounding of u by delta: at delta 0.005 it is as large as du/dt itself, at 0.001
    // five times so. Nothing but its size is checked; the JVP is what bf16 training should use.
    {Precision::kBf16, "mfd_loss", ".dudt", {.of_largest = 4}},
    {Precision::kBf16, "mft_loss", ".dudt", {.of_largest = 4}},
    {Precision::kBf16, "mfd_loss", "fd0.001", {.of_largest = 4}},
    {Precision::kBf16, "mft_loss", "fd0.001", {.of_largest = 4}},
    {Precision::kBf16, "mfd_loss", "fd", {.of_largest = 1}},
    {Precision::kBf16, "mft_loss", "fd", {.of_largest = 1}},
    {Precision::kBf16, "mft_loss", "eta", {.of_largest = 1}},
    {Precision::kBf16, "mfd_loss", "train_mode.", {.of_largest = 1}},
    {Precision::kBf16, "mft_loss", "train_mode.", {.of_largest = 1}},
    {Precision::kBf16, "train_", "lr", {.rtol = 1e-9}},
    {Precision::kBf16, "train_mf", "", {.of_largest = 1}},
    {Precision::kBf16, "train_", "", {.of_largest = 0.2}},
    // Losses here are means of signed products, gradients of a key's bias are zero up to rounding: both need an
    // absolute part.
    {Precision::kBf16, "", "loss", {.atol = 5e-3, .floor = 5e-3, .of_largest = 0.1}},
    {Precision::kBf16, "", "grad", {.atol = 1e-4, .floor = 1e-4, .of_largest = 0.15}},
    {Precision::kBf16, "", "", {.of_largest = 0.1}},

    // TF32 keeps 10 bits: a quarter of bfloat16's rounding, and sums stay in float32.
    {Precision::kTf32, "mfd_loss", ".dudt", {.of_largest = 1}},
    {Precision::kTf32, "mft_loss", ".dudt", {.of_largest = 1}},
    {Precision::kTf32, "mfd_loss", "fd", {.of_largest = 0.25}},
    {Precision::kTf32, "mft_loss", "fd", {.of_largest = 0.25}},
    {Precision::kTf32, "mft_loss", "eta", {.of_largest = 0.25}},
    {Precision::kTf32, "mfd_loss", "train_mode.", {.of_largest = 0.25}},
    {Precision::kTf32, "mft_loss", "train_mode.", {.of_largest = 0.25}},
    {Precision::kTf32, "train_", "lr", {.rtol = 1e-9}},
    {Precision::kTf32, "train_mf", "", {.of_largest = 0.25}},
    {Precision::kTf32, "train_", "", {.of_largest = 0.05}},
    {Precision::kTf32, "", "loss", {.atol = 1.25e-3, .floor = 1.25e-3, .of_largest = 0.025}},
    {Precision::kTf32, "", "grad", {.atol = 2.5e-5, .floor = 2.5e-5, .of_largest = 0.04}},
    {Precision::kTf32, "", "", {.of_largest = 0.025}},
};

constexpr Tolerance kFloat32Default = {.rtol = 1e-4, .atol = 2e-5, .floor = 1e-9};
constexpr Tolerance kFloat64Default = {.rtol = 1e-9, .atol = 1e-12, .floor = 1e-13};

const Row* findRow(const CaseFolder& folder, const std::string& tensor_name) {
  const auto found = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& row) {
    return row.column == folder.column && folder.name().rfind(row.case_prefix, 0) == 0 &&
           tensor_name.find(row.tensor_part) != std::string::npos;
  });
  return found == std::end(kRows) ? nullptr : found;
}

}  // namespace

double Tolerance::absolute(double largest) const {
  return atol * std::min(1.0, largest) + std::min(floor, atol) + of_largest * largest;
}

Tolerance toleranceFor(const CaseFolder& folder, const std::string& tensor_name, const torch::Tensor& expected) {
  const auto description = folder.description();
  const bool is_exact = description.has("tolerances") && description.json()["tolerances"] == "exact";
  if (!expected.is_floating_point() || is_exact) return {};
  if (const auto* row = findRow(folder, tensor_name)) return row->tolerance;
  const bool is_double = expected.scalar_type() == torch::kFloat64;
  auto tolerance = is_double ? kFloat64Default : kFloat32Default;
  const auto* key = is_double ? "float64" : "float32";
  if (!description.has("tolerances") || !description.json()["tolerances"].is_object() ||
      !description.at("tolerances").has(key))
    return tolerance;
  const auto stated = description.at("tolerances").at(key);
  tolerance.rtol = stated.numberOr("rtol", 0, 0, 1);
  tolerance.atol = stated.numberOr("atol", 0, 0, 1);
  return tolerance;
}

}  // namespace meanflow::training
