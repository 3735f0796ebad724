// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <vector>

#include "core/base/events/command.h"
#include "core/base/result.h"

namespace meanflow::base {

/// The inbox of a run folder: commands from other processes, one small JSON file each, renamed into place, taken by the
/// trainer between steps. Looking into an empty inbox costs one directory listing.
class Inbox {
 public:
  explicit Inbox(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Result<void> send(const Command& command) const;
  /// Removes and returns the waiting commands in the order they were sent. A file that is no command is moved to
  /// inbox/rejected with a warning.
  std::vector<Command> take() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace meanflow::base
