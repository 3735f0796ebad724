// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/demo_run.h"

#include <cstdlib>
#include <filesystem>

namespace meanflow::base {

std::string defaultRunsFolder() {
  namespace fs = std::filesystem;
  const char* data_home = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  const fs::path data =
      data_home && *data_home ? fs::path(data_home) : fs::path(home ? home : ".") / ".local" / "share";
  return (data / "meanflow-studio" / "runs").string();
}

RunRequest demoRequest(const DemoOptions& options) {
  const std::string preset = options.is_quick ? "demo-quick" : "demo";
  RunRequest request;
  request.config = preset;
  request.run_folder = options.run_folder;
  if (request.run_folder.empty())
    request.run_folder =
        (std::filesystem::path(defaultRunsFolder()) / (preset + "-seed-" + std::to_string(options.seed))).string();
  request.overrides.push_back("seed=" + std::to_string(options.seed));
  if (options.has_control)
    request.overrides.push_back("stages=[encoder, decoder, teacher, cmt, mean_flow, control, report]");
  return request;
}

}  // namespace meanflow::base
