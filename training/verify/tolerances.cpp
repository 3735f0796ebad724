// SPDX-License-Identifier: Apache-2.0
#include "training/verify/tolerances.h"

#include <string_view>

namespace meanflow::training {
namespace {

// Exceptions that a case.json states in words. A row applies where the case's name starts with `case_prefix` and the
// tensor's name contains `tensor_part`; the first match wins. Never looser than what the case's notes allow.
struct Exception {
  std::string_view case_prefix;
  std::string_view tensor_part;
  torch::ScalarType dtype;
  Tolerance tolerance;
};
constexpr Exception kExceptions[] = {
    // "finite differences divide by 2*delta: allow rtol 2e-3 on dudt (and what follows) in float32". Their rounding error is
    // absolute, about 1e-7 |u| / delta.
    {"mfd_loss", "jvp", torch::kFloat32, {.rtol = 2e-4, .atol = 2e-5, .floor = 1e-9}},
    {"mft_loss", "jvp", torch::kFloat32, {.rtol = 2e-4, .atol = 2e-5, .floor = 1e-9}},
    {"mfd_loss", ".dudt", torch::kFloat32, {.rtol = 2e-3, .atol = 1e-3}},
    {"mft_loss", ".dudt", torch::kFloat32, {.rtol = 2e-3, .atol = 1e-3}},
    {"mfd_loss", ".target", torch::kFloat32, {.rtol = 2e-3, .atol = 5e-4}},
    {"mft_loss", ".target", torch::kFloat32, {.rtol = 2e-3, .atol = 5e-4}},
    {"mfd_loss", "loss", torch::kFloat32, {.rtol = 2e-3, .atol = 2e-5}},
    {"mft_loss", "loss", torch::kFloat32, {.rtol = 2e-3, .atol = 2e-5}},
    {"mfd_loss", "sq_err_sum", torch::kFloat32, {.rtol = 2e-3, .atol = 2e-5}},
    {"mft_loss", "sq_err_sum", torch::kFloat32, {.rtol = 2e-3, .atol = 2e-5}},
    {"mfd_loss", "grad.", torch::kFloat32, {.rtol = 2e-3, .atol = 2e-5, .floor = 1e-9}},
    {"mft_loss", "grad.", torch::kFloat32, {.rtol = 2e-3, .atol = 2e-5, .floor = 1e-9}},
    // "decides steps adaptively - compare with rtol 2e-3"
    {"samplers_ode", "dopri5", torch::kFloat32, {.rtol = 2e-3, .atol = 1e-4}},
    {"samplers_ode", "bosh3", torch::kFloat32, {.rtol = 2e-3, .atol = 1e-4}},
    // Float32 results recorded as float64.
    {"optim", "loss", torch::kFloat64, {.rtol = 1e-4, .atol = 1e-6}},
    {"optim", "grad_norm", torch::kFloat64, {.rtol = 1e-4, .atol = 1e-6}},
    // "loss_ref rtol 1e-3 on the first step, 5e-3 later; params atol 2e-4"
    {"train_", "loss", torch::kFloat64, {.rtol = 1e-3}},
    {"train_", "grad_norm", torch::kFloat64, {.rtol = 1e-3}},
    {"train_", "", torch::kFloat32, {.rtol = 1e-4, .atol = 2e-4, .floor = 1e-7}},
};

constexpr Tolerance kFloat32Default = {.rtol = 1e-4, .atol = 2e-5, .floor = 1e-9};
constexpr Tolerance kFloat64Default = {.rtol = 1e-9, .atol = 1e-10, .floor = 1e-13};

}  // namespace

Tolerance toleranceFor(const CaseFolder& folder, const std::string& tensor_name, const torch::Tensor& expected) {
  if (!expected.is_floating_point() || folder.description.value("tolerances", nlohmann::json()) == "exact") return {};
  for (const auto& row : kExceptions) {
    if (folder.name.rfind(row.case_prefix, 0) == 0 && tensor_name.find(row.tensor_part) != std::string::npos &&
        expected.scalar_type() == row.dtype) {
      return row.tolerance;
    }
  }
  const bool is_double = expected.scalar_type() == torch::kFloat64;
  auto tolerance = is_double ? kFloat64Default : kFloat32Default;
  const auto all = folder.description.value("tolerances", nlohmann::json::object());
  const auto* key = is_double ? "float64" : "float32";
  if (all.is_object() && all.contains(key) && all[key].is_object()) {
    tolerance.rtol = all[key].value("rtol", tolerance.rtol);
    tolerance.atol = all[key].value("atol", tolerance.atol);
  }
  return tolerance;
}

}  // namespace meanflow::training
