// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string>

#include "core/base/result.h"

namespace meanflow::base {

/// The folder in which Hugging Face's libraries keep downloads: HF_HUB_CACHE, else HF_HOME/hub, else
/// $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub.
std::filesystem::path hubCacheFolder();

/// What a person may give where weights are asked for: a file or folder as it is, or a hub name
/// ("facebook/dinov2-with-registers-base") that is in the cache. Nothing is ever downloaded. The error says where was
/// looked.
Result<std::filesystem::path> findWeights(const std::string& path_or_hub_name);

}  // namespace meanflow::base
