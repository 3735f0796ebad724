// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "training/verify/case_folder.h"

namespace meanflow::training {

/// |actual - expected| <= rtol |expected| + atol min(1, max |expected|) + floor.
struct Tolerance {
  double rtol = 0;
  double atol = 0;
  double floor = 0;
};

/// What case.json asks for the dtype of `expected`, or the matching row of the table of exceptions in tolerances.cpp.
/// Integers, booleans and cases that ask for "exact" are exact; float64 tensors default to rtol 1e-9.
Tolerance toleranceFor(const CaseFolder& folder, const std::string& tensor_name, const torch::Tensor& expected);

}  // namespace meanflow::training
