// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is measured with the training library.
#include <QElapsedTimer>
#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "core/base/events/bounded_queue_sink.h"
#include "core/base/run/run_state.h"
#include "ui/bench/bench_room.h"
#include "ui/models/recorded_run_source.h"
#include "ui/models/sample_job.h"

namespace meanflow::ui {
namespace {

constexpr int kNumClasses = 10, kNumGrids = 40;
constexpr std::int64_t kTeacherSteps = 420, kFirstWatched = 40, kLastWatched = 120, kFirstIdle = 240;
constexpr double kPatienceOfHost = 150;
constexpr int kWakeMs = 50;  // both ways: looking for the end must not be what is measured

QJsonObject benchFailure(const QString& bench, const QString& what) {
  return {{QStringLiteral("bench"), bench}, {QStringLiteral("error"), what}};
}

base::RunRequest smallRun(const QString& folder) {
  base::RunRequest request;
  request.run_folder = folder.toStdString();
  request.config = "demo-quick";
  request.overrides = {"stages=[encoder, decoder, teacher]",
                       "encoder.training.steps=20",
                       "decoder.training.steps=20",
                       "teacher.training.steps=" + std::to_string(kTeacherSteps),
                       "teacher.training.log_every=1",
                       "data.train_per_class=40",
                       "data.test_per_class=8"};
  return request;
}

/// Milliseconds of the teacher's steps after `first`, to `last`.
std::vector<double> stepsOf(const base::MetricsStore& metrics, std::int64_t first, std::int64_t last) {
  std::vector<double> ms;
  const auto* seconds = metrics.series("teacher", "unix_seconds");
  for (std::size_t i = 1; seconds && i < seconds->size(); ++i)
    if (seconds->x(i - 1) >= static_cast<double>(first) && seconds->x(i) <= static_cast<double>(last))
      ms.push_back(1e3 * (seconds->y(i) - seconds->y(i - 1)));
  return ms;
}

bool hasEnded(base::RunState state) { return state != base::RunState::kIdle && base::isEnded(state); }

double stepsPerSecond(const std::vector<double>& ms) {
  double sum = 0;
  for (const double each : ms) sum += each;
  return sum > 0 ? 1e3 * static_cast<double>(ms.size()) / sum : 0;
}

/// The best of the turns, while the window would take a person for present and after that.
struct Rates {
  double watched = 0, idle = 0;
  void take(const base::MetricsStore& metrics) {
    watched = std::max(watched, stepsPerSecond(stepsOf(metrics, kFirstWatched, kLastWatched)));
    idle = std::max(idle, stepsPerSecond(stepsOf(metrics, kFirstIdle, kTeacherSteps)));
  }
};

void trainHeadless(base::TrainingHost& host, Rates& rates, const QString& folder, QString* error) {
  auto sink = std::make_shared<base::BoundedQueueSink>();
  base::MetricsStore metrics;
  if (const auto started = host.start(smallRun(folder), sink); !started.ok()) {
    *error = QString::fromStdString(started.error().message);
    return;
  }
  QElapsedTimer clock;
  clock.start();
  // No event loop and no window: the thread sleeps as `meanflow train` does.
  while (!hasEnded(metrics.state()) && static_cast<double>(clock.elapsed()) < 1e3 * kPatienceOfHost) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kWakeMs));
    for (const auto& record : sink->drain()) metrics.apply(record);
  }
  if (metrics.state() != base::RunState::kFinished)
    *error = QString::fromStdString("not finished: " + metrics.failure());
  while (!base::isEnded(host.state())) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  rates.take(metrics);
}

}  // namespace

QJsonObject benchGrid(const TrainingHostFactory& factory, const QString& folder) {
  const QString bench = QStringLiteral("grid");
  if (const auto checked = RecordedRunSource::check(folder); !checked.ok())
    return benchFailure(bench, folder.isEmpty() ? QStringLiteral("name a run: meanflow-studio RUN --bench grid")
                                                : QString::fromStdString(checked.error().message));
  QString error;
  const std::unique_ptr<base::TrainingHost> host(factory(&error));
  if (!host) return benchFailure(bench, error);
  std::size_t num_classes = 0;
  {
    RecordedRunSource source(folder);
    spinUntil([&] { return !source.isLoading(); }, 60);
    num_classes = source.summary().class_names.size();
  }
  if (num_classes == 0) return benchFailure(bench, QStringLiteral("%1 has not said which classes it has").arg(folder));
  SampleJob job;
  job.setHost(host.get());
  QObject::connect(&job, &SampleJob::failed, &job, [&](const QString& sentence) { error = sentence; });
  FrameTimes times, first_images;
  double first_ms = 0;
  for (int k = 0; k <= kNumGrids; ++k) {
    SampleSettings settings;
    for (int row = 0; row < kNumClasses; ++row)  // a run of fewer classes has some of them twice
      settings.classes.push_back(row % static_cast<std::int64_t>(num_classes));
    settings.seed = static_cast<std::uint64_t>(k);
    job.start(folder, settings, std::nullopt);
    spinUntil([&] { return !error.isEmpty() || !job.isBusy(); }, 60);
    if (!error.isEmpty() || job.isBusy()) {
      job.setHost(nullptr);
      return benchFailure(bench, error.isEmpty() ? QStringLiteral("no grid after a minute") : error);
    }
    if (k == 0) {
      first_ms = job.totalMs();  // weights are read and networks made
    } else {
      times.ms.push_back(job.totalMs());
      first_images.ms.push_back(job.firstMs());
    }
  }
  job.setHost(nullptr);
  auto json = times.toJson(bench, QStringLiteral("grids"));
  json[QStringLiteral("images")] = kNumClasses * 8;
  json[QStringLiteral("first_ms")] = first_ms;
  json[QStringLiteral("first_image_p50_ms")] = first_images.quantile(0.5);
  return json;
}

QJsonObject benchIdle(Theme& theme, const TrainingHostFactory& factory) {
  const QString bench = QStringLiteral("idle");
  BenchRoom room;
  QString error;
  FrameTimes with_window;
  Rates headless, windowed;
  double window_cpu_ms = 0, window_wall_ms = 0;
  for (int turn = 0; turn < 2; ++turn) {
    {
      const std::unique_ptr<base::TrainingHost> host(factory(&error));
      if (!host) return benchFailure(bench, error);
      trainHeadless(*host, headless, room.path(QStringLiteral("headless-%1").arg(turn)), &error);
      if (!error.isEmpty()) return benchFailure(bench, error);
    }
    const auto request = smallRun(room.path(QStringLiteral("window-%1").arg(turn)));
    DemoOptions demo{.out_folder = QString::fromStdString(request.run_folder),
                     .config = QString::fromStdString(request.config),
                     .overrides = {}};
    for (const auto& text : request.overrides) demo.overrides << QString::fromStdString(text);
    MainWindow window(theme, room.settings(), factory);
    window.setDemoOptions(demo);
    window.resize(1280, 720);
    window.show();
    window.loadTrainingLibrary();
    window.startDemo();
    const auto state = [&] { return window.source() ? window.source()->summary().state : base::RunState::kIdle; };
    spinUntil(
        [&] {
          const auto* stage = window.source() ? window.source()->metrics().stage("teacher") : nullptr;
          return (stage && stage->step >= kFirstIdle) || hasEnded(state());
        },
        kPatienceOfHost, kWakeMs);
    if (window.hasAttention())
      return benchFailure(bench, QStringLiteral("the window was not idle yet when it was to be measured as idle"));
    const double cpu_before = threadCpuMs();
    QElapsedTimer clock;
    clock.start();
    spinUntil([&] { return hasEnded(state()); }, kPatienceOfHost, kWakeMs);
    window_cpu_ms += threadCpuMs() - cpu_before;
    window_wall_ms += static_cast<double>(clock.nsecsElapsed()) / 1e6;
    if (state() != base::RunState::kFinished)
      return benchFailure(bench, QStringLiteral("the run in the window did not finish: ") + window.bannerMessage());
    windowed.take(window.source()->metrics());
    const auto ms = stepsOf(window.source()->metrics(), kFirstIdle, kTeacherSteps);
    with_window.ms.insert(with_window.ms.end(), ms.begin(), ms.end());
    window.closeQuietly();
  }
  const auto share = [](double of, double all) { return all > 0 ? of / all : 0; };
  auto json = with_window.toJson(bench, QStringLiteral("steps"));
  json[QStringLiteral("headless_steps_per_second")] = headless.idle;
  json[QStringLiteral("window_steps_per_second")] = windowed.idle;
  json[QStringLiteral("share_of_headless")] = share(windowed.idle, headless.idle);
  json[QStringLiteral("share_while_watched")] = share(windowed.watched, headless.watched);
  json[QStringLiteral("window_cpu_share")] = window_cpu_ms / std::max(1.0, window_wall_ms);
  return json;
}

}  // namespace meanflow::ui
