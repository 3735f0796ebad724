// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QElapsedTimer>
#include <cmath>
#include <random>

#include "ui/bench/bench_room.h"
#include "ui/models/run_source.h"
#include "ui/panels/curves_panel.h"

namespace meanflow::ui {
namespace {

constexpr int kNumFrames = 300;
constexpr double kShare = 0.005;  // of the visible range a frame: the whole of it in some seconds

void fillCurves(RunSource& source, std::int64_t num_points) {
  base::RunStarted started;
  started.run_name = "bench";
  started.stages = {"teacher"};
  started.stage_steps = {num_points};
  std::vector<base::EventRecord> records = {{0, 1.7e9, started},
                                            {1, 1.7e9, base::StageStarted{"teacher", 0, num_points, 1}}};
  std::mt19937 random(1);
  std::normal_distribution<double> noise;
  for (std::int64_t step = 1; step <= num_points; ++step) {
    const double share = static_cast<double>(step) / static_cast<double>(num_points);
    base::StepCompleted event;
    event.stage = "teacher";
    event.step = step;
    event.images_seen = 64 * step;
    event.scalars = {{"loss", (0.3 + std::exp(-8 * share)) * (1 + 0.2 * noise(random))}};
    records.push_back({step + 1, 1.7e9 + 0.1 * static_cast<double>(step), std::move(event)});
    if (records.size() < 20'000 && step < num_points) continue;
    source.feed(records);
    records.clear();
  }
}

}  // namespace

QJsonObject benchCurves(const Theme& theme, std::int64_t num_points) {
  QElapsedTimer clock;
  clock.start();
  RunSource source(QStringLiteral("/bench"));
  source.setMaxPoints(static_cast<std::size_t>(num_points));  // all of them by themselves, as of a record
  fillCurves(source, num_points);
  const double fill_seconds = static_cast<double>(clock.elapsed()) / 1e3;
  CurvesPanel panel(theme);
  panel.resize(1000, 600);
  panel.setShownScalars({QStringLiteral("loss")});
  panel.show();
  QApplication::processEvents();
  clock.restart();
  panel.setSource(&source);
  panel.zoomTo(0, 0.2 * static_cast<double>(num_points));
  const double first_ms = static_cast<double>(clock.nsecsElapsed()) / 1e6;  // smoothing of all points among it
  FrameTimes times, cpu_times;
  for (int frame = 0; frame < kNumFrames; ++frame) {
    clock.restart();
    const double cpu_before = threadCpuMs();
    panel.panBy(kShare);
    cpu_times.ms.push_back(threadCpuMs() - cpu_before);
    times.ms.push_back(static_cast<double>(clock.nsecsElapsed()) / 1e6);
    QApplication::processEvents();
  }
  panel.setSource(nullptr);
  return {{QStringLiteral("bench"), QStringLiteral("curves")},
          {QStringLiteral("points"), static_cast<double>(num_points)},
          {QStringLiteral("frames"), kNumFrames},
          {QStringLiteral("fill_seconds"), fill_seconds},
          {QStringLiteral("first_ms"), first_ms},
          {QStringLiteral("p50_ms"), times.quantile(0.5)},
          {QStringLiteral("p99_ms"), times.quantile(0.99)},
          {QStringLiteral("cpu_p50_ms"), cpu_times.quantile(0.5)},
          {QStringLiteral("cpu_p99_ms"), cpu_times.quantile(0.99)},
          {QStringLiteral("max_ms"), times.quantile(1)}};
}

}  // namespace meanflow::ui
