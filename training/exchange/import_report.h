// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/config/config_io.h"

namespace meanflow::training {

/// What an import found and did. Written into import.json of the run folder, printed by `meanflow import`.
struct ImportReport {
  std::string source, format, kind, description;
  std::string run_folder;
  std::string stage;   ///< "encoder", "decoder", "teacher", "cmt", "mean_flow" or "statistics".
  std::string target;  ///< What was written, relative to the run folder.
  std::int64_t step = 0;
  std::int64_t num_parameters = 0;
  std::vector<std::string> dtypes;     ///< Of the weights, as they are kept.
  std::string raw_from, average_from;  ///< Groups of the file: "model", "ema", "(the file itself)".
  std::int64_t num_matched = 0;
  std::vector<std::string> computed;          ///< Tables the file leaves out.
  std::vector<std::string> at_initial_value;  ///< Only with allow_partial.
  std::vector<std::string> left_out;          ///< Of the file: unexpected or of another shape; only with allow_partial.
  std::vector<std::string> ignored;           ///< Of the file: never used by this network.
  std::string optimizer;                      ///< One sentence.
  std::vector<std::string> assumed, notes;
  std::vector<base::ConfigDifference> changed;  ///< Of the run folder's configuration.
};

nlohmann::ordered_json toJson(const ImportReport& report);
/// Lines for a person; without a line break at the end.
std::string toText(const ImportReport& report);

}  // namespace meanflow::training
