// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <cmath>

#include "core/base/config/config_io.h"
#include "core/base/events/event_json.h"
#include "core/base/metrics/run_pyramid.h"
#include "ui/bench/bench_room.h"
#include "ui/panels/curves_panel.h"

namespace meanflow::ui {
namespace {

constexpr int kNumOpenings = 5;
constexpr double kPatience = 300;

/// A log as a long training leaves it: nearly all of it steps. The lines are put together by hand, for speed; whether
/// they are what the reader expects shows when they are read.
bool writeLongRun(const QString& folder, std::int64_t num_events) {
  if (!QDir().mkpath(folder)) return false;
  QFile config(folder + QStringLiteral("/config.yaml"));
  if (!config.open(QIODevice::WriteOnly)) return false;
  config.write(QByteArray::fromStdString(base::toYaml(base::RunConfig{})));
  config.close();
  QFile log(folder + QStringLiteral("/events.jsonl"));
  if (!log.open(QIODevice::WriteOnly)) return false;
  std::string text;
  std::int64_t sequence = 0;
  const double begin = 1.7e9;
  const auto say = [&](base::TrainingEvent event, double time) {
    text += base::toJsonLine({sequence++, time, std::move(event)}) + "\n";
  };
  base::RunStarted started;
  started.run_name = "long", started.device = "cpu", started.stages = {"teacher"}, started.stage_steps = {num_events};
  say(started, begin);
  say(base::StateChanged{base::RunState::kRunning}, begin);
  say(base::StageStarted{"teacher", 0, num_events, 1'000'000}, begin);
  for (std::int64_t step = 1; sequence < num_events - 2; ++step) {
    const double share = static_cast<double>(step) / static_cast<double>(num_events);
    const double wave = std::sin(0.37 * static_cast<double>(step % 100'003));
    fmt::format_to(
        std::back_inserter(text),
        R"({{"seq":{},"time":{:.3f},"type":"step_completed","stage":"teacher","step":{},"images_seen":{},"scalars":{{"loss":{:.6f},"grad_norm":{:.6f},"lr":0.0001}},"seconds_per_step":0.1,"images_per_second":640.0,"eta_seconds":{:.1f},"is_clipped":false}})"
        "\n",
        sequence++, begin + 0.1 * static_cast<double>(step), step, 64 * step,
        (0.3 + std::exp(-8 * share)) * (1 + 0.2 * wave), 1 + 0.5 * wave, 0.1 * static_cast<double>(num_events - step));
    if (step % 10'000 == 0)
      say(base::CheckpointSaved{"teacher", step, "teacher/checkpoints/x", 1 << 20, 0.1},
          begin + 0.1 * static_cast<double>(step));
    if (text.size() > (4 << 20)) {
      if (log.write(text.data(), static_cast<qint64>(text.size())) < 0) return false;
      text.clear();
    }
  }
  const double end = begin + 0.1 * static_cast<double>(num_events);
  say(base::StateChanged{base::RunState::kFinished}, end);
  say(base::RunFinished{"finished"}, end);
  return log.write(text.data(), static_cast<qint64>(text.size())) >= 0;
}

/// Whether the curves of the whole run are on the screen: those of its last step among them.
bool showsAllCurves(MainWindow& window) {
  auto* curves = window.findChild<CurvesPanel*>();
  if (!window.source() || !curves || !curves->isVisible() || window.source()->metrics().stages().empty()) return false;
  const auto* loss = window.source()->metrics().series("teacher", "loss");
  const auto* stage = window.source()->metrics().stage("teacher");
  return loss && !loss->empty() && window.source()->summary().state == base::RunState::kFinished &&
         loss->x(loss->size() - 1) == static_cast<double>(stage->step) && loss->view(0, 1e18).size() > 1000 &&
         !curves->readOut(loss->x(loss->size() - 1)).isEmpty();
}

}  // namespace

QJsonObject benchOpen(Theme& theme, std::int64_t num_events) {
  BenchRoom room;
  const QString folder = room.path(QStringLiteral("long"));
  const auto fail = [](const QString& what) {
    return QJsonObject{{QStringLiteral("bench"), QStringLiteral("open")}, {QStringLiteral("error"), what}};
  };
  QElapsedTimer clock;
  clock.start();
  if (!writeLongRun(folder, num_events))
    return fail(QStringLiteral("%1 cannot be written; is there room? Ten million events take 2 GB.").arg(folder));
  const double write_seconds = static_cast<double>(clock.elapsed()) / 1e3;
  const std::filesystem::path log = (folder + QStringLiteral("/events.jsonl")).toStdString();
  const auto bytes = std::filesystem::file_size(log);

  double first_ms = 0, read_seconds = 0;
  const auto open = [&](MainWindow& window) {
    window.resize(1280, 720);
    window.show();
    spinUntil([] { return false; }, 0.3);  // the welcome page is on the screen
    clock.restart();
    window.openFolder(folder);
    if (!spinUntil([&] { return showsAllCurves(window); }, kPatience)) return -1.0;
    window.findChild<CurvesPanel*>()->showAll();
    window.grab();  // drawn, if it was not yet
    return static_cast<double>(clock.nsecsElapsed()) / 1e6;
  };
  {
    MainWindow window(theme, room.settings(), {});
    first_ms = open(window);
    if (first_ms < 0) return fail(QStringLiteral("no curves after %1 s").arg(kPatience));
    spinUntil([&] { return !window.source()->isLoading() && !window.source()->isCondensed(); }, kPatience);
    read_seconds = static_cast<double>(clock.elapsed()) / 1e3;
    spinUntil([&] { return base::loadRunPyramid(log).ok(); }, 10);
    window.closeQuietly();
  }
  FrameTimes times;
  for (int k = 0; k + 1 < kNumOpenings; ++k) {
    MainWindow window(theme, room.settings(), {});
    times.ms.push_back(open(window));
    window.closeQuietly();
  }
  // Once more, to the end: how the window fares while the points come in, and when they are smoothed another way.
  MainWindow window(theme, room.settings(), {});
  times.ms.push_back(open(window));
  auto* curves = window.findChild<CurvesPanel*>();
  BusyMeter meter;
  meter.restart();
  spinUntil([&] { return !window.source()->isCondensed(); }, kPatience);
  const double detail_seconds = static_cast<double>(clock.elapsed()) / 1e3;
  spinUntil([] { return false; }, 1);
  spinUntil([&] { return curves->isUpToDate(); }, kPatience);
  const double longest_ms = meter.frames().quantile(1);
  meter.restart();
  clock.restart();
  curves->setSmoothing(0.99);
  spinUntil([&] { return curves->isUpToDate(); }, kPatience);
  const double smoothing_ms = static_cast<double>(clock.nsecsElapsed()) / 1e6;
  auto json = times.toJson(QStringLiteral("open"), QStringLiteral("openings"));
  json[QStringLiteral("events")] = static_cast<double>(num_events);
  json[QStringLiteral("log_mib")] = static_cast<double>(bytes) / 1048576;
  json[QStringLiteral("write_seconds")] = write_seconds;
  json[QStringLiteral("first_open_ms")] = first_ms;
  json[QStringLiteral("read_seconds")] = read_seconds;
  json[QStringLiteral("detail_seconds")] = detail_seconds;
  json[QStringLiteral("longest_turn_ms")] = longest_ms;
  json[QStringLiteral("smoothing_ms")] = smoothing_ms;
  json[QStringLiteral("smoothing_longest_turn_ms")] = meter.frames().quantile(1);
  json[QStringLiteral("memory_mib")] = residentMib();
  window.closeQuietly();
  return json;
}

}  // namespace meanflow::ui
