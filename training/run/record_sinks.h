// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/base/events/fan_out_sink.h"
#include "core/base/run/run_folder.h"

namespace meanflow::training {

/// The sinks every run has - events.jsonl, the TensorBoard file, log.txt - and `more` behind them. Throws
/// std::runtime_error when the run folder cannot be written.
std::shared_ptr<base::FanOutSink> openRecord(const base::RunFolder& folder,
                                             const std::vector<std::shared_ptr<base::EventSink>>& more);

/// classes.json: the class names of the data a run was trained on, in label order.
void writeClassNames(const base::RunFolder& folder, const std::vector<std::string>& names);
base::Result<std::vector<std::string>> readClassNames(const base::RunFolder& folder);

}  // namespace meanflow::training
