// SPDX-License-Identifier: Apache-2.0
//
// Cases about the networks: DiT-DH, its student, LightningDiT.
#pragma once
#include "core/models/ddt.h"
#include "training/verify/case_report.h"

namespace meanflow::training {

/// Sizes and switches from a case's `config` (or part of one); what is absent keeps DdtOptions' default.
core::DdtOptions ddtOptions(const nlohmann::json& config);

/// Creates the network of `config` and loads `weights` exactly; throws with the report where they do not fit.
core::DiTwDDTHead makeDdt(const nlohmann::json& config, const core::TensorMap& weights, bool is_student);

void runDdt(const CaseFolder& folder, CaseChecker& checker);
void runLightningDit(const CaseFolder& folder, CaseChecker& checker);
void runStudent(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
