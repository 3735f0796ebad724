// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "training/verify/case_folder.h"
#include "training/verify/tolerances.h"

namespace meanflow::training {

struct Comparison {
  std::string tensor;  ///< NAME of io.safetensors, or STEM/NAME.
  core::Precision column = core::Precision::kFp32;
  double max_abs_error = 0;
  /// Largest absolute error over the reference's largest absolute entry, or over the tolerance's atol where that is
  /// larger: a tensor of nothing but rounding (the gradient of a key's bias) has no relative error.
  double max_rel_error = 0;
  double tolerance_share = 0;  ///< Largest error over what is allowed there: above 1 it fails.
  bool pass = false;
  Tolerance tolerance;
  std::string note;  ///< Why it failed without a number: another shape, not finite.
};

enum class CaseStatus {
  kPass,
  kFail,
  kUnknown,  ///< Of a kind that this build has no runner for.
  kSkipped,  ///< Has no tensors for the columns that were asked for.
};
std::string_view columnName(core::Precision column);  ///< "fp32", "fp64", "tf32", "bf16"
std::string_view toString(CaseStatus status);         ///< "PASS", "FAIL", "UNKNOWN", "SKIP"

struct CaseReport {
  std::string case_name;
  std::string path;
  CaseStatus status = CaseStatus::kFail;
  std::vector<Comparison> comparisons;
  std::vector<std::string> unchecked;  ///< STEM/NAME of the files' tensors that were neither an input nor compared.
  std::string error;                   ///< The case could not be run to its end; one line.

  bool pass() const { return status == CaseStatus::kPass; }
  /// Status from error and comparisons: fails without any comparison.
  void conclude();
  /// The comparison with the largest error; null without comparisons. One without a number comes first.
  const Comparison* worstRelative() const;
  const Comparison* worstAbsolute() const;
  const Comparison* closestToTolerance() const;  ///< The one with the largest tolerance_share.
  std::string line() const;     ///< One line: status, name, largest errors and where, or what went wrong.
  std::string summary() const;  ///< line() plus one line for each failed comparison.
};

/// What a runner reports into: compares computed tensors with the case's expected ones.
class CaseChecker {
 public:
  explicit CaseChecker(const CaseFolder& folder) : folder_(folder) {}

  /// Compares with the tensor of the same name in io.safetensors.
  void check(const std::string& name, const torch::Tensor& actual) { check("io", name, actual); }
  /// Compares with `name` of STEM.safetensors.
  void check(const std::string& stem, const std::string& name, const torch::Tensor& actual);
  /// As check, where the files may lack the tensor; then nothing happens.
  void checkIfPresent(const std::string& stem, const std::string& name, const torch::Tensor& actual);
  void checkIfPresent(const std::string& name, const torch::Tensor& actual) { checkIfPresent("io", name, actual); }
  /// Compares the `.grad` of each parameter with PREFIXgrad.NAME of STEM.safetensors (every name there must be a
  /// parameter).
  void checkGradients(const std::string& stem, const torch::nn::Module& module, const std::string& prefix = {});

  const std::vector<Comparison>& comparisons() const { return comparisons_; }
  const std::set<std::string>& compared() const { return compared_; }  ///< STEM/NAME

 private:
  double largestGradient(const std::string& stem);

  const CaseFolder& folder_;
  std::map<std::string, double> largest_gradient_;  ///< By STEM.
  std::vector<Comparison> comparisons_;
  std::set<std::string> compared_;
};

}  // namespace meanflow::training
