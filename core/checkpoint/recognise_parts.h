// SPDX-License-Identifier: Apache-2.0
//
// The families that recogniseModels (recognised_model.h) asks in turn, and arithmetic they share. Private to this
// folder.
#pragma once
#include <optional>

#include "core/checkpoint/recognised_model.h"

namespace meanflow::core::recognise {

// Each gives the model when the tensors are of its family. `tensors` is relative to where the network lies.
std::optional<RecognisedModel> ddt(const TensorShapes& tensors, const KnownSizes& known);
std::optional<RecognisedModel> lightningDit(const TensorShapes& tensors, const KnownSizes& known);
std::optional<RecognisedModel> plainDit(const TensorShapes& tensors, const KnownSizes& known);
std::optional<RecognisedModel> vitDecoder(const TensorShapes& tensors, const KnownSizes& known);
std::optional<RecognisedModel> ownEncoder(const TensorShapes& tensors, const KnownSizes& known);
std::optional<RecognisedModel> latentStatistics(const TensorShapes& tensors);

/// Where an encoder's tensors lie: `wrapper` before the family's own prefix ("encoder.encoder." in RAE's dumps).
struct EncoderPlace {
  EncoderFamily family = EncoderFamily::kDinov2;
  std::string wrapper = {}, prefix = {};  ///< prefix includes wrapper.
};
std::optional<EncoderPlace> encoderPlace(const TensorShapes& tensors);
std::optional<RecognisedModel> pretrainedEncoder(const TensorShapes& tensors, const EncoderPlace& place,
                                                 const KnownSizes& known);

/// The ratio r that gives hidden width h for every (width, h): trunc(width * r), with SwiGLU two thirds of it. Round
/// numbers first. Nothing when there is none.
std::optional<double> mlpRatio(const std::vector<std::pair<std::int64_t, std::int64_t>>& widths_and_hidden,
                               bool is_swiglu);

/// Heads from `known` (one number or one a part) where they divide the width, else from `published`, else 0 and
/// "num_heads" in model.unknown.
std::int64_t headsFor(RecognisedModel& model, std::int64_t width, std::size_t part, const KnownSizes& known,
                      std::int64_t published);

/// Classes and whether there is a null row in a label table of `num_rows` rows.
struct Labels {
  std::int64_t num_classes = 0;
  bool has_null = true;
};
Labels labelsOf(std::int64_t num_rows, const KnownSizes& known);

}  // namespace meanflow::core::recognise
