// SPDX-License-Identifier: Apache-2.0
#include "training/verify/case_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace meanflow::training {
namespace {

/// Names come from files: no control characters on the terminal, no second line.
std::string printable(std::string text) {
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text;
}

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
    note << ", the file has " << expected.sizes();
    result.note = note.str();
    return result;
  }
  if (expected.numel() == 0) {  // shapes agree, and there is nothing else to it
    result.pass = true;
    return result;
  }
  const auto a = actual.detach().to(torch::kCPU, torch::kFloat64), b = expected.to(torch::kFloat64);
  if (!b.isfinite().all().item<bool>()) {
    result.note = "the file's values are not finite";
    return result;
  }
  const auto error = (a - b).abs();
  if (!error.isfinite().all().item<bool>()) {
    result.note = "computed values are not finite";
    return result;
  }
  const auto largest = b.abs().max().item<double>();
  result.max_abs_error = error.max().item<double>();
  const auto scale = std::max(largest, tolerance.atol);
  result.max_rel_error = scale > 0 ? result.max_abs_error / scale : result.max_abs_error;
  auto rtol = torch::full_like(b, tolerance.rtol);
  if (tolerance.later_rtol >= 0 && b.dim() > 0) rtol.slice(0, 1).fill_(tolerance.later_rtol);
  const auto allowed = b.abs() * rtol + tolerance.absolute(largest);
  result.pass = (error <= allowed).all().item<bool>();
  // Nothing allowed and no error is 0 / 0.
  result.tolerance_share = (error / allowed).nan_to_num(0.0).max().item<double>();
  return result;
}

bool isGradient(const std::string& name) { return name.find("grad.") != std::string::npos; }

const Comparison* worst(const std::vector<Comparison>& comparisons, double Comparison::*error) {
  const auto found =
      std::max_element(comparisons.begin(), comparisons.end(), [&](const Comparison& a, const Comparison& b) {
        if (a.note.empty() != b.note.empty()) return a.note.empty();
        return a.*error < b.*error;
      });
  return found == comparisons.end() ? nullptr : &*found;
}

}  // namespace

std::string_view columnName(core::Precision column) {
  switch (column) {
    case core::Precision::kFp32:
      return "fp32";
    case core::Precision::kFp64:
      return "fp64";
    case core::Precision::kTf32:
      return "tf32";
    case core::Precision::kBf16:
      return "bf16";
  }
  return "?";
}

std::string_view toString(CaseStatus status) {
  switch (status) {
    case CaseStatus::kPass:
      return "PASS";
    case CaseStatus::kFail:
      return "FAIL";
    case CaseStatus::kUnknown:
      return "UNKNOWN";
    case CaseStatus::kSkipped:
      return "SKIP";
  }
  return "?";
}

void CaseChecker::check(const std::string& stem, const std::string& name, const torch::Tensor& actual) {
  const auto& expected = folder_.expected(stem, name);
  compared_.insert(stem + "/" + name);
  auto tolerance = toleranceFor(folder_, name, expected);
  // A gradient that is zero on paper (of a key's bias: a softmax does not see shifts) is rounding of the sums that
  // others stand out of, so what is rounding follows from the largest of them.
  if (isGradient(name)) {
    const double unit = expected.scalar_type() == torch::kFloat64 ? 1e-15 : 1e-6;
    tolerance.floor = std::max(tolerance.floor, unit * largestGradient(stem));
  }
  comparisons_.push_back(compare(stem == "io" ? name : stem + "/" + name, actual, expected, tolerance));
  comparisons_.back().column = folder_.column;
}

double CaseChecker::largestGradient(const std::string& stem) {
  const auto found = largest_gradient_.find(stem);
  if (found != largest_gradient_.end()) return found->second;
  double largest = 0;
  for (const auto& name : folder_.names(stem))
    if (const auto& tensor = folder_.expected(stem, name); isGradient(name) && tensor.numel() > 0)
      largest = std::max(largest, tensor.abs().max().item<double>());
  return largest_gradient_[stem] = largest;
}

void CaseChecker::checkIfPresent(const std::string& stem, const std::string& name, const torch::Tensor& actual) {
  if (folder_.has(stem, name)) check(stem, name, actual);
}

void CaseChecker::checkGradients(const std::string& stem, const torch::nn::Module& module, const std::string& prefix) {
  const auto parameters = module.named_parameters();
  const auto start = prefix + "grad.";
  for (const auto& name : folder_.names(stem)) {
    if (name.rfind(start, 0) != 0) continue;
    const auto* parameter = parameters.find(name.substr(start.size()));
    if (!parameter)
      throw std::runtime_error(folder_.tensorFile(stem) + ": '" + name +
                               "' is the gradient of no parameter of the network");
    check(stem, name, parameter->grad());
  }
}

void CaseReport::conclude() {
  const bool all_pass = std::all_of(comparisons.begin(), comparisons.end(), [](const Comparison& c) { return c.pass; });
  if (error.empty() && comparisons.empty()) error = "the case holds nothing to compare";
  status = error.empty() && all_pass ? CaseStatus::kPass : CaseStatus::kFail;
}

const Comparison* CaseReport::worstRelative() const { return worst(comparisons, &Comparison::max_rel_error); }
const Comparison* CaseReport::worstAbsolute() const { return worst(comparisons, &Comparison::max_abs_error); }

const Comparison* CaseReport::closestToTolerance() const { return worst(comparisons, &Comparison::tolerance_share); }

std::string CaseReport::line() const {
  auto text = fmt::format("{:<7} {:<26}", toString(status), printable(case_name.empty() ? path : case_name));
  if (!error.empty()) return text + " " + printable(error);
  const auto* rel = worstRelative();
  const auto* abs = worstAbsolute();
  if (!rel) return text;
  if (!rel->note.empty()) return text + fmt::format(" {}: {}", printable(rel->tensor), rel->note);
  text += fmt::format(" rel {:.1e} in {} ({})  abs {:.1e} in {} ({})  {} tensors", rel->max_rel_error,
                      printable(rel->tensor), columnName(rel->column), abs->max_abs_error, printable(abs->tensor),
                      columnName(abs->column), comparisons.size());
  const auto num_failed =
      std::count_if(comparisons.begin(), comparisons.end(), [](const Comparison& c) { return !c.pass; });
  if (num_failed > 0) {
    const auto first =
        std::find_if(comparisons.begin(), comparisons.end(), [](const Comparison& c) { return !c.pass; });
    text += fmt::format(", {} outside the tolerance, first {}", num_failed, printable(first->tensor));
  }
  if (!unchecked.empty()) text += fmt::format(", {} not compared", unchecked.size());
  return text;
}

std::string CaseReport::summary() const {
  auto text = line();
  for (const auto& c : comparisons) {
    if (c.pass) continue;
    text += fmt::format("\n  {} ({}): ", printable(c.tensor), columnName(c.column));
    if (c.note.empty()) {
      text += fmt::format("abs {:.3g}, relative to the largest entry {:.3g} (rtol {:g}, atol {:g})", c.max_abs_error,
                          c.max_rel_error, c.tolerance.rtol, c.tolerance.atol);
    } else {
      text += c.note;
    }
  }
  return text;
}

}  // namespace meanflow::training
