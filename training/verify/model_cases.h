// SPDX-License-Identifier: Apache-2.0
//
// Cases about the networks: DiT-DH, its student, LightningDiT.
#pragma once
#include <functional>

#include "core/device/meta_scope.h"
#include "core/models/ddt.h"
#include "training/verify/case_report.h"

namespace meanflow::training {

/// Sizes and switches from a case's `config` (or part of one); what is absent keeps DdtOptions' default.
core::DdtOptions ddtOptions(const CaseConfig& config);

/// Builds a network and loads STEM.safetensors exactly; throws with the report where they do not fit. Shapes are
/// compared first, on a copy that takes no memory: sizes that the weights do not have are never allocated.
template <class Network, class Options>
Network buildLoaded(const CaseFolder& folder, const std::string& stem, const Options& options,
                    const std::function<core::TensorMap(const core::TensorMap&)>& map_names = {}) {
  const auto weights = map_names ? map_names(folder.file(stem)) : folder.file(stem);
  const auto load = [&](Network& network) {
    const auto loaded = core::loadInto(*network, weights, core::Strictness::kExact);
    if (!loaded) throw std::runtime_error(folder.tensorFile(stem) + ": " + loaded.error().message);
  };
  {
    const core::MetaScope no_memory;
    Network shapes(options);
    load(shapes);
  }
  Network network(options);
  load(network);
  network->eval();
  network->to(folder.device);
  return network;
}

/// DiT-DH of `config` with the weights of STEM.safetensors.
core::DiTwDDTHead makeDdt(const CaseFolder& folder, const CaseConfig& config, const std::string& stem, bool is_student);

void runDdt(const CaseFolder& folder, CaseChecker& checker);
void runLightningDit(const CaseFolder& folder, CaseChecker& checker);
void runStudent(const CaseFolder& folder, CaseChecker& checker);

}  // namespace meanflow::training
