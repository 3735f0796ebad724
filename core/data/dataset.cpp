// SPDX-License-Identifier: Apache-2.0
#include "core/data/dataset.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/data/counter_random.h"
#include "core/data/dataset_cache.h"

namespace meanflow::core {

const char* const kReferenceEmojiChecksum = "74f44cd6a205aafa";

torch::Tensor toUnitRange(const torch::Tensor& images) { return images.to(torch::kFloat).div_(255); }

std::filesystem::path datasetCacheFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path root =
      cache && *cache ? std::filesystem::path(cache) : std::filesystem::path(home && *home ? home : "/tmp") / ".cache";
  return root / "meanflow-studio" / "data";
}

std::vector<bool> chooseHeldOut(const std::vector<std::string>& groups, double held_out, std::uint64_t seed) {
  std::vector<std::string> names(groups);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const auto num_groups = static_cast<std::int64_t>(names.size());
  shuffle(names, CounterRandom(seed, 0, 0));
  const std::int64_t wanted = std::max<std::int64_t>(2, std::llround(held_out * static_cast<double>(num_groups)));
  names.resize(
      static_cast<std::size_t>(std::clamp<std::int64_t>(wanted, 0, std::max<std::int64_t>(num_groups - 1, 0))));
  std::sort(names.begin(), names.end());
  std::vector<bool> is_held_out;
  for (const auto& group : groups) is_held_out.push_back(std::binary_search(names.begin(), names.end(), group));
  return is_held_out;
}

base::Error loadingStopped() { return {"the loading of the data was stopped"}; }

base::Result<ImageDataset> loadDataset(const base::DataConfig& config, const std::filesystem::path& cache_folder,
                                       const std::stop_token& stop) {
  if (config.kind == "folder") return readFolderDataset(config, stop);
  if (config.kind != "emoji") {
    return base::Error{fmt::format("data.kind: '{}' is not known; use emoji or folder", config.kind),
                       base::ErrorKind::kUsage};
  }
  const auto file = cache_folder / datasetCacheName(config);
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    auto cached = readDatasetCache(file);
    if (cached) return cached;
    spdlog::warn("{}; drawing the emoji set again", cached.error().message);
  }
  auto built = buildEmojiDataset(config, stop);
  if (!built) return built;
  spdlog::info("drew the emoji set: {} pictures, checksum {}", built->picture_ids.size(), built->checksum);
  if (const auto written = writeDatasetCache(file, *built); !written) {
    spdlog::warn("the emoji set is not cached: {}", written.error().message);
  }
  return built;
}

}  // namespace meanflow::core
