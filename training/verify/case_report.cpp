// SPDX-License-Identifier: Apache-2.0
#include "training/verify/case_report.h"

#include <algorithm>
#include <array>
#include <sstream>

namespace meanflow::training {
namespace {

constexpr std::array kOutputPrefixes = {"out", "loss", "grad", "dbg.", "cfg_out", "ag_out"};

Comparison compare(const std::string& name, const torch::Tensor& actual, const torch::Tensor& expected,
                   const Tolerance& tolerance) {
  Comparison result;
  result.tensor = name;
  result.tolerance = tolerance;
  if (!actual.defined() || actual.sizes() != expected.sizes()) {
    std::ostringstream note;
    note << "computed ";
    if (actual.defined()) {
      note << actual.sizes();
    } else {
      note << "nothing";
    }
    note << ", expected " << expected.sizes();
    result.note = note.str();
    return result;
  }
  if (expected.numel() == 0) {
    result.pass = true;
    return result;
  }
  const auto a = actual.detach().to(torch::kCPU, torch::kFloat64), b = expected.to(torch::kFloat64);
  const auto error = (a - b).abs();
  if (!error.isfinite().all().item<bool>()) {
    result.note = "not finite";
    return result;
  }
  const auto largest = b.abs().max().item<double>();
  result.max_abs_error = error.max().item<double>();
  result.max_rel_error = largest > 0 ? result.max_abs_error / largest : result.max_abs_error;
  // The absolute part shrinks with tensors smaller than 1, so that a small gradient is not waved through.
  const auto atol = tolerance.atol * std::min(1.0, largest) + tolerance.floor;
  result.pass = (error <= b.abs() * tolerance.rtol + atol).all().item<bool>();
  return result;
}

}  // namespace

void CaseChecker::check(const std::string& stem, const std::string& name, const torch::Tensor& actual) {
  const auto& expected = folder_.tensor(stem, name);
  checked_.insert(stem + "/" + name);
  comparisons_.push_back(
      compare(stem == "io" ? name : stem + "/" + name, actual, expected, toleranceFor(folder_, name, expected)));
}

void CaseChecker::checkIfPresent(const std::string& stem, const std::string& name, const torch::Tensor& actual) {
  if (folder_.has(stem, name)) check(stem, name, actual);
}

void CaseChecker::checkGradients(const std::string& stem, const torch::nn::Module& module) {
  const auto parameters = module.named_parameters();
  for (const auto& entry : folder_.file(stem)) {
    const auto& name = entry.first;
    if (name.rfind("grad.", 0) != 0) continue;
    const auto* parameter = parameters.find(name.substr(5));
    TORCH_CHECK(parameter, folder_.name, ": ", stem, " has a gradient for '", name.substr(5),
                "', which is no parameter of the network");
    check(stem, name, parameter->grad());
  }
}

CaseReport CaseChecker::finish() const {
  CaseReport report{
      .case_name = folder_.name, .path = folder_.path, .comparisons = comparisons_, .unchecked = {}, .error = {}};
  for (const auto& [stem, tensors] : folder_.files) {
    if (stem != "io" && stem.rfind("grads", 0) != 0) continue;
    for (const auto& entry : tensors) {
      const auto& name = entry.first;
      const bool is_output = std::any_of(kOutputPrefixes.begin(), kOutputPrefixes.end(),
                                         [&](const char* prefix) { return name.rfind(prefix, 0) == 0; });
      if (is_output && !checked_.contains(stem + "/" + name)) report.unchecked.push_back(stem + "/" + name);
    }
  }
  return report;
}

bool CaseReport::pass() const {
  return error.empty() && !comparisons.empty() &&
         std::all_of(comparisons.begin(), comparisons.end(), [](const Comparison& c) { return c.pass; });
}

std::string CaseReport::summary() const {
  std::ostringstream out;
  out << case_name << ": ";
  if (!error.empty()) return out << "not run: " << error, out.str();
  const auto num_failed =
      std::count_if(comparisons.begin(), comparisons.end(), [](const Comparison& c) { return !c.pass; });
  out << comparisons.size() << " tensors compared, " << num_failed << " outside the tolerance, " << unchecked.size()
      << " unchecked";
  for (const auto& c : comparisons) {
    if (c.pass) continue;
    out << "\n  " << c.tensor << ": ";
    if (c.note.empty()) {
      out << "max abs error " << c.max_abs_error << ", relative to the largest entry " << c.max_rel_error << " (rtol "
          << c.tolerance.rtol << ", atol " << c.tolerance.atol << ")";
    } else {
      out << c.note;
    }
  }
  return out.str();
}

}  // namespace meanflow::training
