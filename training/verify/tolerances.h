// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "training/verify/case_folder.h"

namespace meanflow::training {

/// |actual - expected| <= rtol |expected| + atol min(1, max |expected|) + min(floor, atol) + of_largest max |expected|.
/// The absolute part shrinks with tensors smaller than 1, so that a small gradient is not waved through.
struct Tolerance {
  double rtol = 0;
  double atol = 0;
  double floor = 0;
  double of_largest = 0;
  /// In place of rtol for all rows but the first: training steps drift apart. Below 0: rtol.
  double later_rtol = -1;

  double absolute(double largest) const;  ///< Everything but the rtol term.
};

/// What case.json asks for the dtype of `expected`, or the matching row of the one table in tolerances.cpp; in the
/// columns tf32 and bf16 that column's row. Integers, booleans and cases that ask for "exact" are exact.
Tolerance toleranceFor(const CaseFolder& folder, const std::string& tensor_name, const torch::Tensor& expected);

}  // namespace meanflow::training
