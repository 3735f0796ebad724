// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace meanflow::base {

/// The weights of one checkpoint, to be written for other programs. Names are those of `meanflow export`.
struct ExportOrder {
  std::string run_folder, stage;
  std::int64_t step = -1;              ///< Negative = the newest.
  std::string format = "safetensors";  ///< safetensors, pt, npz, or hf (a folder).
  std::string weights = "ema";         ///< ema, model, or with pt both.
  std::string out;                     ///< File, for hf folder.
  bool replace = false;                ///< What `out` names may go.
};

/// What came of it.
struct ExportOutcome {
  std::string error;  ///< Not empty: nothing was written.
  std::vector<std::string> files;
  std::string description;  ///< What the weights are, in a line.
  std::int64_t num_tensors = 0, num_bytes = 0;
  std::vector<std::string> notes;  ///< What a person should know of the files.
};

}  // namespace meanflow::base
