// SPDX-License-Identifier: Apache-2.0
//
// Cases about the representation autoencoder: a frozen encoder, latent statistics, the ViT decoder.
#pragma once
#include "training/verify/case_report.h"

namespace meanflow::training {

void runRae(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
