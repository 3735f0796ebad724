// SPDX-License-Identifier: Apache-2.0
#include "tests/ui/made_up_run.h"

#include <QFile>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <random>

#include "core/base/events/event_log.h"

namespace meanflow::testing {
namespace {

const std::vector<std::string> kStages = {"encoder", "decoder", "teacher", "cmt", "mean_flow"};
const std::vector<std::int64_t> kSteps = {500, 500, 1600, 900, 300};
const std::vector<std::string> kClasses = {"face", "person", "heart", "clock", "flag", "button", "moon", "ball"};
constexpr double kStart = 1.76e9;

}  // namespace

std::shared_ptr<const base::Image8> madeUpGrid(int rows, int columns, double share) {
  constexpr int kCell = 32;
  auto grid = std::make_shared<base::Image8>(columns * kCell, rows * kCell);
  std::mt19937 random(5);
  std::uniform_int_distribution<int> noise(0, 255);
  for (int y = 0; y < grid->height; ++y) {
    for (int x = 0; x < grid->width; ++x) {
      const int row = y / kCell, column = x / kCell;
      const double dx = x % kCell - 15.5, dy = y % kCell - 15.5;
      const bool is_inside = dx * dx + dy * dy < 100 + 8 * column;
      const int clean[3] = {is_inside ? 60 + 25 * row : 255, is_inside ? 230 - 22 * row : 255,
                            is_inside ? 40 + 24 * column : 255};
      for (int c = 0; c < 3; ++c) {
        grid->at(x, y)[c] = static_cast<std::uint8_t>(share * clean[c] + (1 - share) * noise(random));
      }
    }
  }
  return grid;
}

std::vector<base::EventRecord> madeUpRun(const MadeUpRunOptions& options) {
  std::vector<base::EventRecord> records;
  double now = kStart;
  const auto say = [&](base::TrainingEvent event) {
    records.push_back({static_cast<std::int64_t>(records.size()), now, std::move(event)});
  };
  say(base::RunStarted{.run_name = "emoji-demo",
                       .seed = 1,
                       .device = "cpu",
                       .num_workers = 2,
                       .stages = kStages,
                       .stage_steps = kSteps,
                       .class_names = kClasses});
  say(base::StateChanged{base::RunState::kStarting});
  say(base::LogMessage{"info", "Drew 688 emoji, 584 of them for training, in 1 s"});
  say(base::StateChanged{base::RunState::kRunning});
  say(base::LogMessage{"debug", "Two workers, one thread each"});
  std::mt19937 random(3);
  std::normal_distribution<double> noise;
  for (int s = 0; s < options.num_stages; ++s) {
    const auto n = static_cast<std::size_t>(s);
    const bool is_last = s + 1 == options.num_stages;
    const auto total = kSteps[n];
    const auto end = is_last && !options.is_finished
                         ? static_cast<std::int64_t>(options.share_of_last * static_cast<double>(total))
                         : total;
    say(base::StageStarted{kStages[n], 0, total, 210'000 + 380'000 * s});
    for (std::int64_t step = 1; step <= end; ++step) {
      now += 0.12;
      const double share = static_cast<double>(step) / static_cast<double>(total);
      if (step % 10 == 0 || step == end) {
        const double loss = (0.35 + 0.9 * std::exp(-5 * share)) * (1 + 0.08 * noise(random)) / (1 + 0.5 * s);
        const double norm = 0.6 + 1.5 * std::exp(-3 * share) + 0.15 * std::abs(noise(random));
        say(base::StepCompleted{.stage = kStages[n],
                                .step = step,
                                .images_seen = step * 64,
                                .scalars = {{"loss", loss},
                                            {"grad_norm", norm},
                                            {"lr", 1e-3 * std::min(1.0, static_cast<double>(step) / 50) *
                                                       (0.55 + 0.45 * std::cos(3.14159 * share))}},
                                .seconds_per_step = 0.12,
                                .images_per_second = 530,
                                .eta_seconds = 0.12 * static_cast<double>(total - step),
                                .is_clipped = norm > 1});
      }
      if (options.has_samples && s >= 2 && step % 50 == 0) {
        base::SamplesReady samples{.stage = kStages[n],
                                   .step = step,
                                   .path = kStages[n] + "/samples/step_" + std::to_string(step) + ".png",
                                   .what = s == 2 ? "teacher" : "one_step",
                                   .nfe = s == 2 ? 16 : 1,
                                   .rows = 8,
                                   .columns = 8,
                                   .row_labels = kClasses,
                                   .cost_ms = 41};
        samples.grid = madeUpGrid(8, 8, std::min(1.0, 0.15 + share));
        say(samples);
      }
      if (step % 200 == 0) {
        say(base::CheckpointSaved{kStages[n], step, kStages[n] + "/checkpoints/step_" + std::to_string(step), 5'600'000,
                                  0.09});
      }
    }
    if (options.has_samples && s >= 2) {
      constexpr int kKnots = 9;
      base::TrajectoryReady path{
          .stage = kStages[n], .step = end, .path = "trajectory.png", .label = 2, .label_name = "heart"};
      for (int k = 0; k < kKnots; ++k) {
        const float t = 1 - static_cast<float>(k) / (kKnots - 1);
        path.times.push_back(t);
        path.pca_x.push_back(3 * t);
        path.pca_y.push_back(std::sin(3 * t));
        path.jump_x.push_back(0.3F * t);
        path.jump_y.push_back(-0.2F * t * t);
        path.jump_error.push_back(0.4F * t);
        if (k > 0) path.speed.push_back(1 + 0.4F * t);
      }
      path.frames = madeUpGrid(1, kKnots, 0.8);
      say(path);
    }
    if (s == 3) {
      base::CmtMatrixReady matrix{.stage = "cmt", .step = end};
      constexpr int kTimes = 17;
      for (int i = 0; i < kTimes; ++i) matrix.times.push_back(1 - static_cast<float>(i) / (kTimes - 1));
      for (int i = 0; i < kTimes; ++i) {
        for (int j = 0; j < kTimes; ++j) {
          matrix.errors.push_back(j > i ? 0.02F + 0.03F * static_cast<float>(j - i) : std::nanf(""));
        }
      }
      say(matrix);
    }
    if (!is_last || options.is_finished)
      say(base::StageFinished{kStages[n], end, 0.12 * static_cast<double>(end), 0.23 * static_cast<double>(end)});
  }
  say(base::WatchingCost{0.007, 0.01});
  const auto& last = kStages[static_cast<std::size_t>(options.num_stages - 1)];
  if (options.is_finished) {
    say(base::MetricsReady{last, 300, {{"psnr_test", 22.4}, {"accuracy", 0.957}}});
    say(base::RunFinished{"finished"});
    say(base::StateChanged{base::RunState::kFinished});
  } else if (options.state == base::RunState::kFailed) {
    say(base::LogMessage{"warn", "Gradient norm 812 is 40 times the median of the last 100 steps"});
    say(base::RunFailed{last, static_cast<std::int64_t>(options.share_of_last * 300),
                        "mean_flow: the loss is not finite at step 180 (nan in blocks.2.attn.qkv.weight)", true});
    say(base::StateChanged{base::RunState::kFailed});
  } else if (options.state != base::RunState::kRunning) {
    say(base::StateChanged{options.state});
  }
  return records;
}

void writeRunFolder(const QString& folder, const std::vector<base::EventRecord>& records) {
  QVERIFY(QDir().mkpath(folder));
  QFile config(folder + QStringLiteral("/config.yaml"));
  QVERIFY(config.open(QIODevice::WriteOnly));
  config.write("seed: 1\n");
  auto writer = base::EventLogWriter::open((folder + QStringLiteral("/events.jsonl")).toStdString());
  QVERIFY(writer.ok());
  for (const auto& record : records) (*writer)->publish(record);
}

}  // namespace meanflow::testing
