// SPDX-License-Identifier: Apache-2.0
//
// The sections of an official file, one function each. Internal to the conversion (official_config.h).
#pragma once
#include "core/base/config/official_reader.h"

namespace meanflow::base {

/// What the sections need to know of each other.
struct OfficialPlan {
  OfficialStage stage = OfficialStage::kAutoencoder;
  bool counts_epochs = false;  ///< The dialect of bytetriper/RAE since December 2025.
  bool has_flat_keys = false;  ///< The dialect of sony/mf-rae (a file may mix both).
  std::int64_t num_images = kImageNetTrainImages;
  std::int64_t num_ranks = 0;     ///< As asked for; 0 = choose.
  std::int64_t latent_side = 16;  ///< From the encoder; set by readAutoencoder.
  std::int64_t latent_channels = 768;

  /// Section of our configuration that `training` fills: "teacher", "cmt"...; empty when nothing is trained.
  std::string trained() const;
  bool hasNetwork() const { return stage != OfficialStage::kAutoencoder && stage != OfficialStage::kDecoder; }
  bool isStudent() const { return stage == OfficialStage::kCmt || stage == OfficialStage::kMeanFlow; }
};

void readAutoencoder(OfficialReader& in, OfficialPlan& plan);       ///< stage_1
void readNetwork(OfficialReader& in, const OfficialPlan& plan);     ///< stage_2
void readTransport(OfficialReader& in, const OfficialPlan& plan);   ///< transport
void readSampler(OfficialReader& in, const OfficialPlan& plan);     ///< sampler
void readGuidance(OfficialReader& in, const OfficialPlan& plan);    ///< guidance
void readMisc(OfficialReader& in, const OfficialPlan& plan);        ///< misc
void readEvaluation(OfficialReader& in, const OfficialPlan& plan);  ///< eval
/// training and gan, which share the length of an epoch.
void readTraining(OfficialReader& in, const OfficialPlan& plan);

}  // namespace meanflow::base
