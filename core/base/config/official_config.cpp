// SPDX-License-Identifier: Apache-2.0
#include "core/base/config/official_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/base/config/config_io.h"
#include "core/base/config/field_table.h"
#include "core/base/config/official_sections.h"

namespace meanflow::base {
namespace {

constexpr std::string_view kSections[] = {"stage_1", "stage_2",  "transport", "sampler", "guidance",
                                          "misc",    "training", "eval",      "gan"};

bool isOfficialSection(std::string_view key) {
  return std::find(std::begin(kSections), std::end(kSections), key) != std::end(kSections);
}

/// The one trainable stage among `stages=...` of the overrides.
std::optional<OfficialStage> stageOfOverrides(const std::vector<std::string>& overrides) {
  RunConfig config;
  bool is_given = false;
  for (const auto& assignment : overrides)
    if (assignment.starts_with("stages")) is_given = applyOverride(config, assignment).ok();
  if (!is_given || config.stages.size() != 1) return std::nullopt;
  if (config.stages[0] == "teacher") return OfficialStage::kTeacher;
  if (config.stages[0] == "cmt") return OfficialStage::kCmt;
  if (config.stages[0] == "mean_flow") return OfficialStage::kMeanFlow;
  return std::nullopt;
}

/// Words of a path in lower case: configs/cmt/CMT_256.yaml -> configs, cmt, cmt, 256, yaml.
std::vector<std::string> wordsOf(const std::string& path) {
  std::vector<std::string> words(1);
  for (const unsigned char c : path) {
    if (std::isalnum(c))
      words.back() += static_cast<char>(std::tolower(c));
    else if (!words.back().empty())
      words.emplace_back();
  }
  return words;
}

OfficialStage chooseStage(OfficialReader& in, const std::vector<std::string>& overrides) {
  if (!in.has("stage_2"))
    return in.has("training") || in.has("gan") ? OfficialStage::kDecoder : OfficialStage::kAutoencoder;
  if (!in.has("training")) {
    const auto target = in.text("stage_2.target").value_or("");
    return target.ends_with("_MF") ? OfficialStage::kSampleStudent : OfficialStage::kSampleTeacher;
  }
  if (const auto asked = stageOfOverrides(overrides)) return *asked;
  const auto times = in.text("transport.params.time_dist_type").value_or("uniform");
  if (in.has("training.optimizer") || in.has("training.scheduler") || times != "uniform")
    return OfficialStage::kTeacher;
  const auto words = wordsOf(in.sourceName());
  const auto has = [&](std::string_view word) { return std::find(words.begin(), words.end(), word) != words.end(); };
  if (has("cmt")) return OfficialStage::kCmt;
  if (has("mf") || has("mfd") || has("mft") || has("meanflow")) return OfficialStage::kMeanFlow;
  if (has("teacher")) return OfficialStage::kTeacher;
  in.fail("training",
          "the file does not say whether it is for mid-training or for MeanFlow (they look alike): add stages=[cmt], "
          "stages=[mean_flow] or stages=[teacher]");
  return OfficialStage::kMeanFlow;
}

std::string stagesText(OfficialStage stage) {
  switch (stage) {
    case OfficialStage::kDecoder:
      return "[decoder]";
    case OfficialStage::kTeacher:
      return "[teacher]";
    case OfficialStage::kCmt:
      return "[cmt]";
    case OfficialStage::kMeanFlow:
      return "[mean_flow]";
    default:
      return "[]";
  }
}

}  // namespace

std::string_view toString(OfficialStage stage) {
  switch (stage) {
    case OfficialStage::kAutoencoder:
      return "the autoencoder";
    case OfficialStage::kDecoder:
      return "decoder training";
    case OfficialStage::kTeacher:
      return "teacher training";
    case OfficialStage::kCmt:
      return "consistency mid-training";
    case OfficialStage::kMeanFlow:
      return "MeanFlow distillation or training";
    case OfficialStage::kSampleTeacher:
      return "sampling from the teacher";
    case OfficialStage::kSampleStudent:
      return "sampling from the student";
  }
  return "";
}

bool isOfficialConfig(const YamlNode& root) {
  if (!root.isMap()) return false;
  std::size_t num_official = 0, num_ours = 0;
  RunConfig defaults;
  const auto table = fieldTable(defaults);
  for (const auto& key : root.keys) {
    if (key.text == "stage_1" || key.text == "stage_2") return true;
    if (isOfficialSection(key.text)) ++num_official;
    if (table.isSection(key.text) || table.find(key.text) != nullptr) ++num_ours;
  }
  return num_official >= 2 && num_ours == 0;
}

Result<OfficialConfig> convertOfficialConfig(const YamlNode& root, const std::string& source_name,
                                             const OfficialOptions& options) {
  RunConfig defaults;
  const auto table = fieldTable(defaults);
  for (const auto& key : root.keys)
    if (table.isSection(key.text) || table.find(key.text) != nullptr)
      return Error{
          fmt::format("{}:{}: {}: is a key of this program in an official configuration; keep to one of the two",
                      source_name, key.line, key.text),
          ErrorKind::kUsage};
  OfficialConfig out;
  OfficialReader in(root, source_name, out);
  if (!in.has("stage_1")) in.fail("", "stage_1 is missing: every official configuration describes its autoencoder");
  OfficialPlan plan;
  plan.num_images = options.num_images;
  plan.num_ranks = options.num_ranks;
  out.stage = plan.stage = chooseStage(in, options.overrides);
  plan.counts_epochs = in.has("training.optimizer") || in.has("training.scheduler") ||
                       in.has("training.log_interval") || in.has("training.checkpoint_interval");
  plan.has_flat_keys = in.has("training.base_lr") || in.has("training.decay_start_epoch") ||
                       in.has("training.ckpt_every") || in.has("training.log_every");
  out.dialect = plan.trained().empty() ? "no training" : plan.counts_epochs ? "RAE" : "mf-rae";
  in.constant("stages", stagesText(plan.stage), fmt::format("the file is for {}", toString(plan.stage)));
  readAutoencoder(in, plan);
  readNetwork(in, plan);
  readTransport(in, plan);
  readSampler(in, plan);
  readGuidance(in, plan);
  readMisc(in, plan);
  readTraining(in, plan);
  readEvaluation(in, plan);
  if (plan.stage == OfficialStage::kSampleTeacher)
    in.constant("sampling.network", "teacher", "the file samples a DiTwDDTHead");
  if (auto finished = in.finish(); !finished) return finished.error();
  return out;
}

Result<OfficialConfig> readOfficialConfig(const std::string& path, const OfficialOptions& options) {
  const auto text = readYamlText(path);
  if (!text) return text.error();
  const auto root = parseYaml(*text, path);
  if (!root) return root.error();
  if (!isOfficialConfig(*root))
    return Error{path + ": not a configuration of mf-rae or RAE (it has neither stage_1 nor stage_2)",
                 ErrorKind::kUsage};
  return convertOfficialConfig(*root, path, options);
}

std::string mappingText(const OfficialConfig& config) {
  std::string out;
  for (const auto& entry : config.mappings) {
    const std::string from =
        entry.official_key.empty() ? "(released code)"
        : entry.line == 0          ? entry.official_key + " (not given)"
                          : fmt::format("{} = {} (line {})", entry.official_key, entry.official_value, entry.line);
    const std::string to = entry.key.empty() ? "ignored" : fmt::format("{} = {}", entry.key, entry.value);
    out += fmt::format("{} -> {}{}\n", from, to, entry.note.empty() ? "" : "  # " + entry.note);
  }
  for (const auto& warning : config.warnings) out += "warning: " + warning + "\n";
  return out;
}

}  // namespace meanflow::base
