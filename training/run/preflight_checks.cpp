// SPDX-License-Identifier: Apache-2.0
#include "training/run/preflight_checks.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "training/exchange/inspect_weights.h"
#include "training/stages/external_weights.h"
#include "training/stages/frozen_encoder.h"
#include "training/stages/networks.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;
using base::PreflightSeverity;

constexpr const char* kTrainedStages[] = {"encoder", "decoder", "teacher", "cmt", "mean_flow"};

void add(base::PreflightReport& report, PreflightSeverity severity, std::string topic, std::string sentence,
         std::string key = {}) {
  report.findings.push_back({severity, std::move(topic), std::move(sentence), std::move(key)});
}

/// Loads named weights into the configured network: what a start does.
void loadNamed(const base::RunConfig& config, const std::string& stage, std::int64_t num_classes) {
  const auto set = core::WeightSet::kAverage;
  if (stage == "encoder" && config.encoder.kind != "trained")
    (void)loadNamedEncoder(config);
  else if (stage == "encoder")
    loadNamedWeights(*makeEncoder(config), config, stage, set);
  else if (stage == "decoder")
    loadNamedWeights(*makeDecoder(config), config, stage, set);
  else if (stage == "teacher")
    loadNamedWeights(*makeTeacher(config, num_classes), config, stage, set);
  else
    loadNamedWeights(*makeStudent(config, num_classes), config, stage, set);
}

/// "; with teacher.model.depth=[4, 2], ... it would fit": the settings that the file asks for.
std::string adviceOf(const base::CheckpointFinding& finding) {
  std::string changes;
  std::size_t count = 0;
  for (const auto& change : finding.changes) {
    if (change.key == "data.num_classes") continue;
    if (++count <= 3) changes += fmt::format("{}{}={}", changes.empty() ? "" : ", ", change.key, change.b);
  }
  if (count == 0) return {};
  return fmt::format("; it fits with {}{}", changes, count > 3 ? fmt::format(" and {} more", count - 3) : "");
}

}  // namespace

const base::TrainingConfig* trainingOf(const base::RunConfig& config, const std::string& stage) {
  if (stage == "encoder") return &config.encoder.training;
  if (stage == "decoder") return &config.decoder.training;
  if (stage == "teacher") return &config.teacher.training;
  if (stage == "cmt" || stage == "control") return &config.cmt.training;
  return stage == "mean_flow" ? &config.mean_flow.training : nullptr;
}

void checkOrder(const base::RunConfig& config, const base::RunFolder* folder, base::PreflightReport& report) {
  std::vector<std::string> before;
  const auto has = [&](const std::string& stage) {
    return std::find(before.begin(), before.end(), stage) != before.end() || !namedWeights(config, stage).empty() ||
           (folder && hasWeights(config, *folder, stage));
  };
  const auto need = [&](const std::string& stage, const std::string& other, bool is_there) {
    if (is_there) return;
    const bool is_statistics = other == "statistics";
    add(report, PreflightSeverity::kRefusal, "stages",
        is_statistics
            ? fmt::format("stage {} needs latent statistics: put decoder before it in stages, or name their file in "
                          "decoder.statistics",
                          stage)
            : fmt::format("stage {} needs a finished {}: put {} before it in stages, or name its weights in {}.weights",
                          stage, other, other, other),
        is_statistics ? "decoder.statistics" : "stages");
  };
  if (config.encoder.kind != "trained" && config.encoder.weights.empty() && !has("encoder"))
    add(report, PreflightSeverity::kRefusal, "weights",
        fmt::format(
            "encoder.kind is {}, but nothing says where that encoder is: set encoder.weights to its file, folder "
            "or hub name",
            config.encoder.kind),
        "encoder.weights");
  for (const auto& stage : config.stages) {
    std::string why;
    const bool is_trained = !isTakenAsIs(config, stage, why);
    const bool has_encoder = has("encoder") || config.encoder.kind != "trained";
    const bool has_statistics = std::find(before.begin(), before.end(), "decoder") != before.end() ||
                                !config.decoder.statistics.empty() || (folder && hasLatentMoments(config, *folder));
    if (is_trained && stage == "decoder") need(stage, "encoder", has_encoder);
    if (is_trained && (stage == "teacher" || stage == "mean_flow")) {
      need(stage, "encoder", has_encoder);
      need(stage, "decoder", has("decoder"));
      need(stage, "statistics", has_statistics);
    }
    if (is_trained && (stage == "cmt" || (stage == "mean_flow" && !has("cmt")))) need(stage, "teacher", has("teacher"));
    if (stage == "control") {
      for (const char* other : {"cmt", "mean_flow"})
        need(stage, other,
             std::find(before.begin(), before.end(), other) != before.end() ||
                 (folder && !folder->listCheckpoints(other).empty()));
    }
    before.push_back(stage);
  }
}

void checkClasses(const base::RunConfig& config, std::int64_t num_classes, base::PreflightReport& report) {
  const auto configured = config.data.num_classes;
  if (configured > 0 && configured != num_classes)
    add(report, PreflightSeverity::kRefusal, "classes",
        fmt::format("data.num_classes is {}, but the data has {} classes; set it to 0, or choose data with {} classes",
                    configured, num_classes, configured),
        "data.num_classes");
  else
    add(report, PreflightSeverity::kGood, "classes", fmt::format("the data has {} classes", num_classes));
}

void checkWeights(const base::RunConfig& config, std::int64_t num_classes, base::PreflightReport& report) {
  for (const std::string stage : kTrainedStages) {
    const auto source = namedWeights(config, stage);
    if (source.empty()) continue;
    const auto key = base::checkpointKey(stage);
    const auto finding = inspectWeights(config, stage, source);
    if (!finding.refusal.empty()) {
      add(report, PreflightSeverity::kRefusal, "weights", key + ": " + finding.refusal, key);
      continue;
    }
    if (finding.num_classes > 0 && finding.num_classes != num_classes) {
      add(report, PreflightSeverity::kRefusal, "classes",
          fmt::format(
              "{}: its label table has {} classes, but the data has {}; choose data with {} classes, or another "
              "checkpoint",
              key, finding.num_classes, num_classes, finding.num_classes),
          key);
      continue;
    }
    try {
      loadNamed(config, stage, num_classes);
    } catch (const c10::Error& error) {
      add(report, PreflightSeverity::kRefusal, "weights", error.what_without_backtrace() + adviceOf(finding), key);
      continue;
    } catch (const std::exception& error) {
      add(report, PreflightSeverity::kRefusal, "weights", error.what() + adviceOf(finding), key);
      continue;
    }
    add(report, PreflightSeverity::kGood, "weights",
        fmt::format("{}: {}; {} of {} tensors are there, {} are tables that are computed", key, finding.description,
                    finding.num_tensors - finding.num_computed, finding.num_tensors, finding.num_computed),
        key);
  }
}

void checkStatistics(const base::RunConfig& config, base::PreflightReport& report) {
  if (config.decoder.statistics.empty()) return;
  const std::string key = "decoder.statistics";
  try {
    const auto moments = loadNamedStatistics(config.decoder.statistics);
    const auto latent = latentShape(config);
    const auto text = [](at::IntArrayRef sizes) { return fmt::format("{}", fmt::join(sizes.vec(), "x")); };
    if (moments.mean.sizes() != at::IntArrayRef(latent.sizes()) || moments.variance.sizes() != moments.mean.sizes())
      add(report, PreflightSeverity::kRefusal, "statistics",
          fmt::format(
              "{}: its latents are {}, but the encoder of these settings makes {}; name the file that belongs to "
              "this encoder, or none, and the decoder stage measures them",
              key, text(moments.mean.sizes()), text(latent.sizes())),
          key);
    else
      add(report, PreflightSeverity::kGood, "statistics",
          fmt::format("{}: latents {}, as the encoder makes them", key, text(moments.mean.sizes())), key);
  } catch (const c10::Error& error) {
    add(report, PreflightSeverity::kRefusal, "statistics", error.what_without_backtrace(), key);
  } catch (const std::exception& error) {
    add(report, PreflightSeverity::kRefusal, "statistics", error.what(), key);
  }
}

void checkBatches(const base::RunConfig& config, std::int64_t num_images, int num_workers,
                  base::PreflightReport& report) {
  add(report, PreflightSeverity::kGood, "data", fmt::format("{} training images", num_images));
  std::map<std::int64_t, std::vector<std::string>> with_rest;  // by batch size: stages that a pass does not fill evenly
  for (const auto& stage : config.stages) {
    std::string why;
    const auto* training = trainingOf(config, stage);
    if (!training || stage == "control" || isTakenAsIs(config, stage, why)) continue;
    const auto key = stage + ".training.batch_size";
    const auto batch = training->batch_size, micro = training->accumulation;
    if (batch < num_workers) {
      add(report, PreflightSeverity::kRefusal, "batch",
          fmt::format("{} is {}, smaller than the number of workers {}; raise it, or lower num_workers", key, batch,
                      num_workers),
          key);
      continue;
    }
    if (batch % (num_workers * micro) != 0)
      add(report, PreflightSeverity::kNote, "batch",
          fmt::format("{} is {}: over {} workers{} that leaves {} over, so that some shares are one image larger; {} "
                      "would not",
                      key, batch, num_workers, micro > 1 ? fmt::format(" and {} micro-batches", micro) : "",
                      batch % (num_workers * micro),
                      (batch + num_workers * micro - 1) / (num_workers * micro) * (num_workers * micro)),
          key);
    if (stage == "cmt") continue;  // its batches are pairs of a bank, not images
    if (batch > num_images)
      add(report, PreflightSeverity::kNote, "batch",
          fmt::format("{} is {}, more than the {} training images: every step sees images more than once", key, batch,
                      num_images),
          key);
    else if (num_images % batch != 0)
      with_rest[batch].push_back(stage);
  }
  for (const auto& [batch, stages] : with_rest)
    add(report, PreflightSeverity::kNote, "batch",
        fmt::format("{}: a pass over the data is {} batches of {} and {} images over, which begin the next pass",
                    fmt::join(stages, ", "), num_images / batch, batch, num_images % batch),
        stages.front() + ".training.batch_size");
}

void checkDisk(const std::string& run_folder, base::PreflightReport& report) {
  if (run_folder.empty()) return;
  std::error_code code;
  auto place = fs::absolute(run_folder, code);
  while (!fs::exists(place, code) && place.has_parent_path() && place != place.parent_path())
    place = place.parent_path();
  const auto space = fs::space(place, code);
  if (code) {
    add(report, PreflightSeverity::kNote, "disk",
        fmt::format("how much room there is under {} could not be found out: {}", place.string(), code.message()));
    return;
  }
  report.disk_free_bytes = static_cast<std::int64_t>(space.available);
  std::int64_t largest = 0;
  for (const auto& stage : report.stages) largest = std::max(largest, stage.checkpoint_bytes);
  if (largest == 0) return;  // nothing was measured
  // A checkpoint is written whole before an old one goes.
  const auto needed = report.diskBytes() + largest;
  if (needed > report.disk_free_bytes)
    add(report, PreflightSeverity::kRefusal, "disk",
        fmt::format("checkpoints take up to {}, but {} has {} free; lower keep_checkpoints, or choose "
                    "another folder",
                    base::byteText(needed), place.string(), base::byteText(report.disk_free_bytes)));
  else
    add(report, PreflightSeverity::kGood, "disk",
        fmt::format("checkpoints take up to {} of {} free under {}", base::byteText(needed),
                    base::byteText(report.disk_free_bytes), place.string()));
}

}  // namespace meanflow::training
