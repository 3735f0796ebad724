// SPDX-License-Identifier: Apache-2.0
//
// Configuration files of the reference repositories, in both of their dialects: sony/mf-rae (flat `training` keys,
// intervals in steps) and bytetriper/RAE since December 2025 (`optimizer` and `scheduler` sections, intervals in
// epochs). What a key means is taken from the code that reads it: a key the released trainers ignore is ignored here,
// and the report says so.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/config/yaml_tree.h"
#include "core/base/result.h"

namespace meanflow::base {

/// What became of one official key, or of one constant of the released code that no file names.
struct OfficialMapping {
  std::string official_key;    ///< Dotted; empty for a constant of the released code.
  int line = 0;                ///< 0 when the file does not give the key.
  std::string official_value;  ///< As written; empty when not given.
  std::string key;             ///< Ours; empty = ignored.
  std::string value;           ///< Ours, as in YAML.
  std::string note;            ///< Why it is ignored, or how the value was computed.
};

enum class OfficialStage { kAutoencoder, kDecoder, kTeacher, kCmt, kMeanFlow, kSampleTeacher, kSampleStudent };
std::string_view toString(OfficialStage stage);

struct OfficialConfig {
  RunConfig config;
  std::string dialect;  ///< "mf-rae" (steps), "RAE" (epochs), or "no training".
  OfficialStage stage = OfficialStage::kAutoencoder;
  std::vector<OfficialMapping> mappings;  ///< In the order of the sections.
  std::vector<std::string> warnings;      ///< What a person should look at: slips of the file, guesses.
};

/// ImageNet-1k training images, which the official files take for granted when they count in epochs.
inline constexpr std::int64_t kImageNetTrainImages = 1'281'167;

struct OfficialOptions {
  /// `stages=[cmt]` among them says which trainer the file is for: mid-training and MeanFlow files look alike.
  std::vector<std::string> overrides;
  std::int64_t num_images = kImageNetTrainImages;
  /// GPUs of the official run, which decide the length of an epoch and the pairs of a CMT step. 0 = the largest of 8,
  /// 4, 2, 1 that divides global_batch_size / grad_accum_steps, which gives the numbers of the published scripts.
  std::int64_t num_ranks = 0;
};

/// Whether the top-level keys are those of an official file.
bool isOfficialConfig(const YamlNode& root);

/// Errors name file, line, the official key and the nearest known one. Overrides are read for `stages` but not applied.
Result<OfficialConfig> convertOfficialConfig(const YamlNode& root, const std::string& source_name,
                                             const OfficialOptions& options = {});
/// Reads and converts a file; an error too when it is not official.
Result<OfficialConfig> readOfficialConfig(const std::string& path, const OfficialOptions& options = {});

/// Optimizer steps in one pass over the data as the released loops count them: micro-batches of a rank (the last
/// partial one dropped or kept) divided by the accumulation.
std::int64_t officialStepsPerEpoch(std::int64_t num_images, std::int64_t global_batch, std::int64_t accumulation,
                                   std::int64_t num_ranks, bool drop_last);

/// The report as lines of text: `training.base_lr = 1e-4 (line 60) -> cmt.training.lr = 0.0001`.
std::string mappingText(const OfficialConfig& config);

}  // namespace meanflow::base
