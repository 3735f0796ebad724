// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <set>
#include <string>
#include <vector>

#include "training/verify/case_folder.h"
#include "training/verify/tolerances.h"

namespace meanflow::training {

struct Comparison {
  std::string tensor;
  double max_abs_error = 0;
  double max_rel_error = 0;  ///< Largest absolute error over the reference's largest absolute entry.
  bool pass = false;
  Tolerance tolerance;
  std::string note;  ///< Why it failed without a number: another shape, not finite.
};

struct CaseReport {
  std::string case_name;
  std::string path;
  std::vector<Comparison> comparisons;
  std::vector<std::string> unchecked;  ///< Expected outputs in the files that nothing was compared with.
  std::string error;                   ///< The case could not be run: no runner, unreadable, an exception.

  bool pass() const;            ///< No error, at least one comparison, every comparison passes.
  std::string summary() const;  ///< One line, plus one for each failed comparison.
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
  /// Compares the `.grad` of each parameter with `grad.NAME` of STEM.safetensors (every name there must be a
  /// parameter).
  void checkGradients(const std::string& stem, const torch::nn::Module& module);

  /// Comparisons so far, and as `unchecked` every tensor that looks like an expected output (out*, loss*, grad*, dbg.*,
  /// cfg_out*, ag_out*) and was not compared.
  CaseReport finish() const;

 private:
  const CaseFolder& folder_;
  std::vector<Comparison> comparisons_;
  std::set<std::string> checked_;  ///< STEM/NAME
};

}  // namespace meanflow::training
