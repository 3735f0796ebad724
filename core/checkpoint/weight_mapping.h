// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/module_state.h"
#include "core/checkpoint/recognised_model.h"

namespace meanflow::core {

/// A parameter or buffer that a network has.
struct NetworkTensor {
  TensorShapes::Shape shape;
  bool is_parameter = true;  ///< Otherwise a buffer.
  bool is_trained = true;    ///< False for buffers and for frozen parameters: position tables, Fourier frequencies.
};
using NetworkTensors = std::map<std::string, NetworkTensor>;

/// What a network of these sizes consists of; built without memory.
base::Result<NetworkTensors> networkTensors(const RecognisedModel& model);

/// How a file's tensors meet a network's.
struct WeightMapping {
  LoadReport report;  ///< missing, unexpected, mis_shaped
  std::vector<std::string> matched;
  std::vector<std::string> computed;  ///< Not in the file, but the network makes them itself (isComputed).

  bool isComplete() const { return report.complete(); }
  /// "523 tensors match, 4 tables are computed", then what does not fit, one line a list.
  std::string summary() const;
};
WeightMapping mapWeights(const NetworkTensors& network, const TensorShapes& file);

/// Whether a network may make a tensor by itself where a file leaves it out: rope and sin-cos tables, which follow from
/// the sizes, and the last norm of a published encoder, which RAE never applies. Present ones are taken as they are and
/// have to have the network's shape, so that a checkpoint of 256 pixels never goes into a network for 512. The Fourier
/// frequencies `W` are random and so never computed.
bool isComputed(const RecognisedModel& model, const std::string& name);
/// Its value, float32.
torch::Tensor computedTensor(const RecognisedModel& model, const std::string& name);

}  // namespace meanflow::core
