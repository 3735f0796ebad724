// SPDX-License-Identifier: Apache-2.0
//
// Lines of the log.txt that the reference programs write while they train.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meanflow::base {

struct StepLine {
  /// Who writes lines of this shape.
  enum class Style {
    kStepEquals,  ///< "(step=0000100) Train Loss: 0.1234, Train Steps/Sec: 1.23": DiT, SiT, mf-rae
    kEpochStep  ///< "[Epoch 3 | Step 1200] train/loss: 0.1234, train/lr: 0.0002": RAE; "[Epoch 3] epoch/loss: …" too
  };
  struct Value {
    std::string name;  ///< As it is written.
    double value = 0;
  };
  Style style = Style::kStepEquals;
  std::int64_t step = -1;   ///< -1: a line about a whole epoch, which says none.
  double unix_seconds = 0;  ///< From the time in front, local to this machine; 0 without one.
  std::vector<Value> values;
};

/// Nothing for a line of another kind, or one without a number. Colours (escape sequences) are passed over.
std::optional<StepLine> parseStepLine(std::string_view line);

/// Seconds since 1970 of the time in front of a line ("[2024-05-01 12:34:56] …"), local to this machine; 0 without one.
double timeOfLine(std::string_view line);

/// A line without its escape sequences, at most `max_bytes`.
std::string withoutEscapes(std::string_view line, std::size_t max_bytes = 4096);

}  // namespace meanflow::base
