// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/run/atomic_file.h"
#include "tests/support/kept_events.h"
#include "training/run/training_run.h"

/// Runs of the whole pipeline, tiny (tiny_preset.h).
namespace meanflow::testing::pipeline {

namespace fs = std::filesystem;

inline const std::vector<std::string> kStages = {"encoder", "decoder", "teacher", "cmt", "mean_flow"};

struct Ended {
  base::Result<training::RunEnd> end = training::RunEnd::kFinished;
  std::shared_ptr<KeptEvents> listener = std::make_shared<KeptEvents>();
};

/// One process's work on a run; `command` is sent when an event satisfies `when`.
inline Ended work(const base::RunRequest& request, const std::function<bool(const base::TrainingEvent&)>& when = {},
                  base::Command command = base::StopAndSave{}) {
  Ended ended;
  auto run = training::TrainingRun::prepare(request, {ended.listener});
  if (!run) {
    ended.end = run.error();
    return ended;
  }
  if (when)
    ended.listener->answer = [&](const base::TrainingEvent& event) {
      if (when(event)) (*run)->send(command);
    };
  ended.end = (*run)->run();
  return ended;
}

inline std::map<std::string, std::string> filesIn(const fs::path& folder, const std::string& suffix = {}) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().string().ends_with(suffix))
      files[fs::relative(entry.path(), folder)] = base::readFile(entry.path()).value();
  return files;
}

inline base::RunRequest requestFor(const std::string& folder, const std::string& config = {},
                                   const std::vector<std::string>& overrides = {}) {
  base::RunRequest request;
  request.run_folder = folder;
  request.config = config;
  request.overrides = overrides;
  return request;
}

inline std::string textOf(const base::Result<training::RunEnd>& end) {
  return end ? "ended without an error" : end.error().message;
}

}  // namespace meanflow::testing::pipeline
