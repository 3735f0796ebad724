// SPDX-License-Identifier: Apache-2.0
#include "training/report/scoring.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/config/config_io.h"
#include "core/base/events/event_log.h"
#include "core/base/formats/png.h"
#include "core/base/run/atomic_file.h"
#include "core/checkpoint/tensor_file.h"
#include "core/data/image_io.h"
#include "core/device/device.h"
#include "core/evaluation/class_accuracy.h"
#include "core/evaluation/frechet.h"
#include "core/evaluation/psnr.h"
#include "core/flow/guidance.h"
#include "core/flow/mean_flow_sampler.h"
#include "core/flow/noise.h"
#include "core/flow/ode_solver.h"
#include "training/loop/checkpoint_store.h"
#include "training/report/sample_rows.h"
#include "training/sampling/live_painter.h"
#include "training/stages/external_weights.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kPiece = 125;                // samples of one piece of work
constexpr std::uint64_t kReportNoise = 1ull << 40;  // noise numbers apart from those of grids and live pictures
constexpr int kGridScale = 3;

fs::path scoredFromFile(const base::RunFolder& folder) { return folder.stage("report") / "scored_from.json"; }

/// Everything the scores follow from: settings, and which checkpoints (their training time tells a retrained stage
/// apart).
std::string scoredFrom(const base::RunConfig& config, const base::RunFolder& folder) {
  nlohmann::ordered_json root;
  for (const auto& field : base::schema())
    if (field.key == "seed" || field.key.starts_with("data.") || field.key.starts_with("evaluation."))
      root["settings"][field.key] = base::getValue(config, field.key).value();
  for (const char* key : {"encoder.weights", "decoder.weights", "decoder.statistics", "teacher.weights", "cmt.weights",
                          "mean_flow.weights"})
    if (const auto value = base::getValue(config, key).value(); value != "\"\"" && !value.empty())
      root["settings"][key] = value;
  for (const char* stage : {"encoder", "decoder", "teacher", "cmt", "mean_flow", "control"})
    if (const auto progress = CheckpointStore(folder, stage).newestProgress())
      root["checkpoints"][stage] = {{"step", progress->step}, {"wall_seconds", progress->wall_seconds}};
  return root.dump(2) + "\n";
}

/// A piece of work that any rank can take.
struct Piece {
  enum class Kind { kJudge, kLatentError, kGrid, kImages } kind = Kind::kImages;
  std::size_t row = 0;  ///< Index into rows, for kGrid and kImages.
  std::int64_t begin = 0, end = 0;
};

/// What report.json calls the latent error's step counts.
constexpr std::int64_t kLatentErrorSteps[] = {1, 2, 4};

/// Wall seconds since the last call, for the log.
class Stopwatch {
 public:
  double lap() {
    const auto now = Clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

/// Scores one run on one worker.
class Scoring {
 public:
  Scoring(Workspace& workspace, ScoringBoard& board)
      : workspace_(workspace),
        board_(board),
        config_(workspace.config()),
        settings_(config_.evaluation),
        rows_(sampleRows(config_, workspace.run().folder())) {
    using enum Piece::Kind;
    pieces_.push_back({kJudge});  // first: it cannot be divided
    const auto split = [&](Piece::Kind kind, std::size_t row, std::int64_t total) {
      for (std::int64_t at = 0; at < total; at += kPiece)
        pieces_.push_back({kind, row, at, std::min(total, at + kPiece)});
    };
    if (hasWeights(config_, workspace.run().folder(), "teacher")) split(kLatentError, 0, settings_.latent_error_noises);
    for (std::size_t row = rows_.size(); row-- > 0;) {  // costly ones first
      pieces_.push_back({kGrid, row});
      split(kImages, row, rows_[row].num_samples);
    }
  }

  void run() {
    const torch::InferenceMode guard;
    const auto wall_start = std::chrono::steady_clock::now();
    const double cpu_start = core::processCpuSeconds();
    Stopwatch watch;
    if (isLeader()) workspace_.run().publish(base::StageStarted{"report", 0, 1, 0});
    workOffPieces();
    const double pieces = watch.lap();
    gatherLatentErrors();
    gatherFeatures();
    if (!isLeader()) return;
    const double features = watch.lap();
    write();
    workspace_.run().log(
        "debug", fmt::format("report: samples {:.1f} s, features {:.1f} s, distances and files {:.1f} s", pieces,
                             features, watch.lap()));
    workspace_.run().publish(base::StageFinished{
        "report", 1, std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start).count(),
        core::processCpuSeconds() - cpu_start});
  }

 private:
  bool isLeader() const { return workspace_.worker().isLeader(); }
  std::int64_t numClasses() const { return workspace_.numClasses(); }

  /// The leader looks for commands between pieces; every rank leaves when one stops the run.
  void obeyCommands() {
    if (isLeader()) {
      auto control = workspace_.run().pollControl();
      if (control == Control::kPause) {
        workspace_.run().setState(base::RunState::kPaused);
        while (control == Control::kPause || control == Control::kSaveNow || control == Control::kChangeSetting)
          control = workspace_.run().waitControl();
        if (control == Control::kContinue) workspace_.run().setState(base::RunState::kRunning);
      }
      if (control == Control::kStopAndSave || control == Control::kDiscard) {
        workspace_.run().setState(base::RunState::kStopping);
        board_.is_discarded = control == Control::kDiscard;
        board_.is_stopped = true;
      }
    }
    if (board_.is_stopped) throw RunInterrupted{!board_.is_discarded};
  }

  void workOffPieces() {
    images_.resize(rows_.size());
    createGridFolder();
    while (true) {
      obeyCommands();
      const auto at = board_.next_piece.fetch_add(1);
      if (at >= static_cast<std::int64_t>(pieces_.size())) break;
      const Piece& piece = pieces_[at];
      switch (piece.kind) {
        case Piece::Kind::kJudge:
          trainOrLoadJudge();
          break;
        case Piece::Kind::kLatentError:
          latent_errors_.push_back(latentErrors(piece.begin, piece.end));
          break;
        case Piece::Kind::kGrid:
          writeSampleGrid(rows_[piece.row]);
          break;
        case Piece::Kind::kImages:
          images_[piece.row].push_back(
              {piece.begin, decodeTo8Bit(makeLatents(rows_[piece.row], noiseFor(piece.begin, piece.end),
                                                     labelsFor(piece.begin, piece.end)))});
          break;
      }
      workspace_.run().publish(base::Progress{"scoring", static_cast<double>(board_.num_done.fetch_add(1) + 1),
                                              static_cast<double>(pieces_.size())});
    }
    workspace_.worker().barrier();  // the judge is there, all images are made
  }

  void trainOrLoadJudge() {
    const auto file = workspace_.run().folder().stage("report") / "judge.safetensors";
    auto judge = std::make_shared<core::Judge>(settings_.judge, numClasses());
    bool is_loaded = false;
    if (const auto saved = core::loadTensors(file.string()); saved) {
      try {
        judge->loadState(*saved);
        is_loaded = true;
      } catch (const std::exception& error) {
        workspace_.run().log("warn", file.string() + " does not fit, the judge is trained anew: " + error.what());
      }
    }
    if (!is_loaded) {
      const torch::InferenceMode training(false);
      core::JudgeTraining options;
      options.seed = stageSeed(workspace_.seed(), "judge");
      *judge = core::trainJudge(workspace_.data(), settings_.judge, options);
      std::error_code ignored;
      fs::create_directories(file.parent_path(), ignored);
      if (auto written = core::saveTensors(file.string(), judge->state()); !written)
        throw std::runtime_error(written.error().message);
    }
    board_.judge = judge;
  }

  torch::Tensor noiseFor(std::int64_t begin, std::int64_t end) const {
    return core::noise(workspace_.seed(), core::Stream::kSampleNoise, kReportNoise + static_cast<std::uint64_t>(begin),
                       end - begin, workspace_.latent().sizes())
        .to(workspace_.device());
  }
  torch::Tensor labelsFor(std::int64_t begin, std::int64_t end) const {
    return torch::arange(begin, end, torch::kInt64).remainder(numClasses()).to(workspace_.device());
  }

  core::VelocityField teacherField(const base::GuidanceConfig& guidance) {
    return core::classifierFreeGuidance(core::velocityField(workspace_.teacher()), guidance, numClasses());
  }

  core::DiTwDDTHead student(const std::string& stage) {
    auto& network = students_[stage];
    if (!network) {
      auto loaded = loadStudent(config_, workspace_.run().folder(), stage, numClasses(), workspace_.device());
      network = std::make_unique<core::DiTwDDTHead>(loaded);
    }
    return *network;
  }

  torch::Tensor makeLatents(const SampleRow& row, const torch::Tensor& z, const torch::Tensor& y) {
    if (row.weights == "teacher")
      return core::solveOde(teacherField(row.guidance), z, y, workspace_.schedule().grid(row.nfe + 1),
                            {.keep_states = false})
          .final();
    return core::sampleMeanFlow(core::flowMap(student(row.stage)), z, y, row.nfe);
  }

  /// Features and predictions of some images, in the images' order on every rank.
  struct Scored {
    torch::Tensor features, logits, labels;
  };
  Scored score(const torch::Tensor& images, const torch::Tensor& labels) const {
    const auto features = board_.judge->features(images);
    return {features, board_.judge->classify(features), labels};
  }

  /// As an image file would hold them: clamped and truncated to 8 bits.
  torch::Tensor decodeTo8Bit(const torch::Tensor& latents) {
    return workspace_.codec().decode(latents).clamp(0, 1).mul(255).to(torch::kUInt8).to(torch::kCPU);
  }

  torch::Tensor gather(const std::vector<torch::Tensor>& parts, std::vector<std::int64_t> trailing,
                       torch::ScalarType dtype) const {
    auto mine = parts.empty() ? torch::empty(
                                    [&] {
                                      trailing.insert(trailing.begin(), 0);
                                      return trailing;
                                    }(),
                                    dtype)
                              : torch::cat(parts);
    return workspace_.worker().allGatherRows(mine);
  }

  void gatherFeatures() {
    for (const auto& pieces : images_) {
      std::vector<torch::Tensor> features, numbers;
      for (const auto& [begin, images] : pieces) {
        features.push_back(board_.judge->features(images).to(torch::kCPU));
        numbers.push_back(torch::arange(begin, begin + images.size(0), torch::kInt64));
      }
      // In the samples' order, whoever made them: sums over rows then give the same last digits every time.
      const auto order = gather(numbers, {}, torch::kInt64).argsort();
      scored_.push_back(scored(gather(features, {settings_.judge.features}, torch::kFloat32).index_select(0, order),
                               labelsFor(0, order.size(0)).to(torch::kCPU)));
    }
    const auto& data = workspace_.data();
    train_ = scoreImages(data.train_images, data.train_labels);
    test_ = scoreImages(data.test_images, data.test_labels);
    train_reconstructions_ = scoreImages(reconstruct(data.train_images), data.train_labels);
    const auto test = reconstruct(data.test_images);
    test_reconstructions_ = scoreImages(test, data.test_labels);
    figures_.psnr_test = core::psnr(test, data.test_images);
  }

  Scored scored(const torch::Tensor& features, const torch::Tensor& labels) const {
    return {features, board_.judge->classify(features), labels};
  }

  /// Each rank scores its share of `images` (uint8, the same on every rank).
  Scored scoreImages(const torch::Tensor& images, const torch::Tensor& labels) const {
    return scored(encodeShared(images, workspace_.worker(),
                               [&](const torch::Tensor& part) { return board_.judge->features(part); }),
                  labels);
  }

  /// Each rank encodes and decodes its share of `images`; uint8 in and out, the same on every rank.
  torch::Tensor reconstruct(const torch::Tensor& images) {
    return encodeShared(images, workspace_.worker(), [&](const torch::Tensor& part) {
      return decodeTo8Bit(workspace_.codec().encode(core::toUnitRange(part).to(workspace_.device())));
    });
  }

  /// The students whose latent error is measured, with the stage of their weights.
  std::vector<std::pair<std::string, std::string>> students() const {
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& row : rows_)
      if (row.weights != "teacher" && row.nfe == 1) found.emplace_back(row.weights, row.stage);
    return found;
  }

  /// One row of float64 numbers: `begin`, the squared norm of the teacher's fine solution from noises `begin` to
  /// `end`, and the squared distance to it of each student at each of kLatentErrorSteps.
  torch::Tensor latentErrors(std::int64_t begin, std::int64_t end) {
    const auto z = noiseFor(begin, end), y = labelsFor(begin, end);
    // To t = 0: the student's jumps end there too.
    const auto grid = workspace_.schedule().grid(settings_.fine_steps + 1, 0);
    const auto reference = core::solveOde(teacherField(settings_.guidance), z, y, grid, {.keep_states = false}).final();
    const auto squared = [](const torch::Tensor& x) { return x.to(torch::kFloat64).square().sum().item<double>(); };
    std::vector<double> row = {static_cast<double>(begin), squared(reference)};
    for (const auto& [weights, stage] : students())
      for (const auto steps : kLatentErrorSteps)
        row.push_back(squared(core::sampleMeanFlow(core::flowMap(student(stage)), z, y, steps) - reference));
    return torch::tensor(row, torch::kFloat64).unsqueeze(0);
  }

  void gatherLatentErrors() {
    const auto measured = students();
    const auto width = static_cast<std::int64_t>(2 + measured.size() * std::size(kLatentErrorSteps));
    const auto rows = gather(latent_errors_, {width}, torch::kFloat64);
    if (rows.size(0) == 0) return;
    // Summed in the order of the noises, as the features are.
    const auto sums = rows.index_select(0, rows.select(1, 0).argsort()).sum(0);
    std::int64_t at = 2;
    for (const auto& [weights, stage] : measured)
      for (const auto steps : kLatentErrorSteps)
        figures_.latent_error[weights][std::to_string(steps)] =
            sums[at++].item<double>() / std::max(1e-30, sums[1].item<double>());
  }

  SampleFigures figuresOf(const Scored& scored, const core::Moments& real, const core::Moments& recon) const {
    SampleFigures figures;
    const auto accuracy = core::classAccuracy(scored.logits, scored.labels);
    figures.accuracy = accuracy.overall;
    for (std::size_t c = 0; c < accuracy.by_class.size(); ++c)
      figures.accuracy_by_class[workspace_.data().class_names[c]] = accuracy.by_class[c];
    figures.num_samples = scored.labels.size(0);
    const auto moments = core::momentsOf(scored.features);
    figures.frechet_real = core::frechetDistance(moments, real);
    figures.frechet_recon = core::frechetDistance(moments, recon);
    figures.frechet_recon_relative = core::relativeFrechetDistance(moments, recon);
    return figures;
  }

  void write() {
    const auto& run = workspace_.run();
    figures_.seed = config_.seed;
    figures_.num_workers = workspace_.worker().size();
    figures_.judge_accuracy = core::classAccuracy(test_.logits, test_.labels).overall;
    figures_.num_samples = settings_.num_samples;
    figures_.guidance = settings_.guidance;
    const auto real = core::momentsOf(train_.features), recon = core::momentsOf(train_reconstructions_.features);
    figures_.samples.emplace_back("reconstruction", figuresOf(train_reconstructions_, real, recon));
    for (std::size_t row = 0; row < rows_.size(); ++row)
      figures_.samples.emplace_back(rows_[row].key, figuresOf(scored_[row], real, recon));
    figures_.floors["real"] = core::frechetDistance(core::momentsOf(test_.features), real);
    figures_.floors["recon"] = core::frechetDistance(core::momentsOf(test_reconstructions_.features), recon);
    figures_.floors["recon_relative"] =
        core::relativeFrechetDistance(core::momentsOf(test_reconstructions_.features), recon);
    for (const auto& stage : config_.stages)
      if (const auto progress = CheckpointStore(run.folder(), stage).newestProgress())
        figures_.stages.push_back({stage, progress->step, progress->wall_seconds, progress->cpu_seconds});
    figures_.wall_seconds = activeSeconds(run.folder());
    const auto folder = run.folder().stage("report");
    for (const auto& row : rows_) figures_.grids.push_back(gridFile(row.key));
    writeImageGrids();
    if (auto written = writeReport(figures_, folder); !written) throw std::runtime_error(written.error().message);
    if (auto written = base::writeFileAtomically(scoredFromFile(run.folder()), scoredFrom(config_, run.folder()));
        !written)
      throw std::runtime_error(written.error().message);
    publishMetrics();
  }

  /// Wall time of all processes that worked on the run, from its event log: the gap before a resume does not count.
  static double activeSeconds(const base::RunFolder& folder) {
    const auto events = base::readAllEvents(folder.events());
    if (!events || events->empty()) return 0;
    double total = 0, begin = events->front().unix_seconds, last = begin;
    bool is_first = true;
    for (const auto& record : *events) {
      const auto* state = std::get_if<base::StateChanged>(&record.event);
      if (state && state->state == base::RunState::kStarting && !is_first) {
        total += last - begin;
        begin = record.unix_seconds;
      }
      is_first = false;
      last = record.unix_seconds;
    }
    return total + last - begin;
  }

  static std::string gridFile(const std::string& name) { return name + ".png"; }

  void createGridFolder() const {
    std::error_code failure;
    const auto folder = workspace_.run().folder().stage("report");
    fs::create_directories(folder, failure);
    if (failure) throw std::runtime_error("cannot create " + folder.string() + ": " + failure.message());
  }

  void writeGrid(const std::string& name, const std::string& title, const torch::Tensor& images) const {
    const auto grid =
        core::makeLabelledGrid(images, settings_.grid_columns, workspace_.data().class_names, title, 1, kGridScale);
    const auto file = workspace_.run().folder().stage("report") / gridFile(name);
    if (auto written = base::writePng(file, grid); !written) throw std::runtime_error(written.error().message);
  }

  /// The same noises for every way of making images, one row a class.
  void writeSampleGrid(const SampleRow& row) {
    std::vector<std::uint64_t> indices;
    for (std::int64_t c = 0; c < numClasses(); ++c)
      for (std::int64_t k = 0; k < settings_.grid_columns; ++k) indices.push_back(gridNoiseIndex(c, k));
    const auto z = core::noise(workspace_.seed(), core::Stream::kSampleNoise, indices, workspace_.latent().sizes());
    const auto y = torch::arange(numClasses(), torch::kInt64).repeat_interleave(settings_.grid_columns);
    writeGrid(row.key, rowTitle(row.key),
              decodeTo8Bit(makeLatents(row, z.to(workspace_.device()), y.to(workspace_.device()))));
  }

  /// Held-out images and their reconstructions.
  void writeImageGrids() {
    const auto columns = settings_.grid_columns;
    std::vector<std::int64_t> chosen;
    for (std::int64_t c = 0; c < numClasses(); ++c) {
      const auto of_class = (workspace_.data().test_labels == c).nonzero().flatten();
      for (std::int64_t k = 0; k < columns; ++k)
        chosen.push_back(of_class[k * of_class.size(0) / columns].item<std::int64_t>());
    }
    const auto real = workspace_.data().test_images.index_select(0, torch::tensor(chosen));
    writeGrid("real", "held-out images", real);
    writeGrid("reconstruction", "their reconstructions",
              decodeTo8Bit(workspace_.codec().encode(core::toUnitRange(real).to(workspace_.device()))));
    for (const char* name : {"real", "reconstruction"}) figures_.grids.push_back(gridFile(name));
  }

  void publishMetrics() const {
    base::MetricsReady event;
    event.stage = "report";
    event.step = 1;
    event.metrics = {{"psnr_test", figures_.psnr_test},
                     {"judge_accuracy", figures_.judge_accuracy},
                     {"wall_seconds", figures_.wall_seconds}};
    for (const auto& [key, row] : figures_.samples) {
      event.metrics.push_back({key + "/accuracy", row.accuracy});
      event.metrics.push_back({key + "/frechet_recon_relative", row.frechet_recon_relative});
    }
    for (const auto& [weights, by_steps] : figures_.latent_error)
      for (const auto& [steps, value] : by_steps)
        event.metrics.push_back({"latent_error/" + weights + "_" + steps, value});
    workspace_.run().publish(std::move(event));
  }

  Workspace& workspace_;
  ScoringBoard& board_;
  const base::RunConfig& config_;
  const base::EvaluationConfig& settings_;
  std::vector<SampleRow> rows_;
  std::vector<Piece> pieces_;
  std::vector<std::vector<std::pair<std::int64_t, torch::Tensor>>> images_;  ///< By row: this rank's, uint8, by number.
  std::vector<torch::Tensor> latent_errors_;                                 ///< This rank's, as latentErrors() says.
  std::map<std::string, std::unique_ptr<core::DiTwDDTHead>> students_;
  std::vector<Scored> scored_;
  Scored train_, test_, train_reconstructions_, test_reconstructions_;
  ReportFigures figures_;
};

}  // namespace

bool isScored(const base::RunConfig& config, const base::RunFolder& folder) {
  const auto scored = base::readFile(scoredFromFile(folder), 1 << 20);
  return scored && fs::exists(folder.stage("report") / "report.json") && *scored == scoredFrom(config, folder);
}

void scoreRun(Workspace& workspace, ScoringBoard& board) { Scoring(workspace, board).run(); }

}  // namespace meanflow::training
