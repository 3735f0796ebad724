// SPDX-License-Identifier: GPL-3.0-or-later
#include <QCoreApplication>
#include <QElapsedTimer>
#include <atomic>
#include <chrono>
#include <cmath>
#include <stop_token>
#include <thread>

#include "ui/bench/bench_room.h"

namespace meanflow::ui {
namespace {

constexpr int kEventsPerSecond = 10'000;
constexpr int kGridsPerSecond = 25;
constexpr double kWarmUpSeconds = 3, kSeconds = 15;

std::shared_ptr<const base::Image8> floodGrid(int number) {
  auto grid = std::make_shared<base::Image8>(8 * 32, 8 * 32, 255);
  for (int y = 0; y < grid->height; ++y)
    for (int x = 0; x < grid->width; ++x)
      grid->at(x, y)[(x / 32 + y / 32) % 3] = static_cast<std::uint8_t>(x + y + 7 * number);
  return grid;
}

/// Stands in for training: says far more than any training does, at a steady rate, whatever the window does.
class FloodHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink> sink) override {
    thread_ = std::jthread([this, sink](const std::stop_token& stop) { flood(stop, *sink); });
    return {};
  }
  void send(const base::Command&) override {
    thread_ = {};
    state_ = base::RunState::kStopped;
  }
  base::RunState state() const override { return state_; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  std::atomic<std::int64_t> num_events = 0;

 private:
  void flood(const std::stop_token& stop, base::EventSink& sink) {
    state_ = base::RunState::kRunning;
    base::RunStarted started;
    started.run_name = "flood", started.device = "cpu", started.stages = {"mean_flow"};
    started.stage_steps = {1'000'000};
    for (int k = 0; k < 8; ++k) started.class_names.push_back("class " + std::to_string(k));
    const auto say = [&](base::TrainingEvent event) {
      const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
      sink.publish({num_events++, now, std::move(event)});
    };
    say(started);
    say(base::StateChanged{base::RunState::kRunning});
    say(base::StageStarted{"mean_flow", 0, 1'000'000, 1'000'000});
    const auto begin = std::chrono::steady_clock::now();
    for (std::int64_t step = 1; !stop.stop_requested(); ++step) {
      base::StepCompleted event;
      event.stage = "mean_flow", event.step = step, event.images_seen = 64 * step;
      event.scalars = {{"loss", 1 + 0.3 * std::sin(0.01 * static_cast<double>(step))}, {"grad_norm", 1}, {"lr", 1e-4}};
      event.seconds_per_step = 1.0 / kEventsPerSecond;
      say(std::move(event));
      if (step % (kEventsPerSecond / kGridsPerSecond) == 0) {
        base::SamplesReady grid;
        grid.stage = "mean_flow", grid.step = step, grid.what = "one_step", grid.rows = 8, grid.columns = 8;
        grid.path = "mean_flow/samples/" + std::to_string(step) + ".png";
        grid.grid = floodGrid(static_cast<int>(step));
        say(std::move(grid));
        say(base::LogMessage{"info", "grid at step " + std::to_string(step)});
      }
      if (step % 100 == 0)
        std::this_thread::sleep_until(begin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                  std::chrono::duration<double>(step * 1.0 / kEventsPerSecond)));
    }
  }

  std::atomic<base::RunState> state_ = base::RunState::kIdle;
  std::jthread thread_;
};

}  // namespace

QJsonObject benchFlood(Theme& theme) {
  BenchRoom room;
  FloodHost* host = nullptr;
  MainWindow window(theme, room.settings(), [&](QString*) { return host = new FloodHost; });
  window.setDemoOptions({.out_folder = room.path(QStringLiteral("flood")), .config = {}, .overrides = {}});
  window.resize(1280, 720);
  window.show();
  window.loadTrainingLibrary();
  window.startDemo();
  spinUntil([&] { return window.source() != nullptr; }, 10);
  spinUntil([] { return false; }, kWarmUpSeconds);
  BusyMeter meter;
  const auto events_before = host->num_events.load();
  const double memory_before = residentMib(), cpu_before = threadCpuMs();
  QElapsedTimer clock;
  clock.start();
  meter.restart();
  spinUntil([] { return false; }, kSeconds);
  const double wall_ms = static_cast<double>(clock.nsecsElapsed()) / 1e6;
  const auto num_events = static_cast<double>(host->num_events.load() - events_before);
  const double growth = residentMib() - memory_before;
  const double cpu_ms = threadCpuMs() - cpu_before;
  std::size_t num_grids = 0;
  for (const auto& samples : window.source()->samples()) num_grids += samples.grid ? 1 : 0;
  const auto num_seen = window.source()->metrics().series("mean_flow", "loss")->size();
  window.controller().stopAndSave();
  auto json = meter.frames().toJson(QStringLiteral("flood"), QStringLiteral("frames"));
  json[QStringLiteral("seconds")] = wall_ms / 1e3;
  json[QStringLiteral("events_per_second")] = 1e3 * num_events / wall_ms;
  json[QStringLiteral("points_shown")] = static_cast<double>(num_seen);
  json[QStringLiteral("busy_share")] = meter.busyMs() / wall_ms;
  json[QStringLiteral("cpu_share")] = cpu_ms / wall_ms;
  json[QStringLiteral("memory_mib")] = memory_before;
  json[QStringLiteral("memory_growth_mib")] = growth;
  json[QStringLiteral("bytes_per_event")] = growth * 1048576 / std::max(1.0, num_events);
  json[QStringLiteral("grids_in_memory")] = static_cast<double>(num_grids);
  return json;
}

}  // namespace meanflow::ui
