// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/format.h"

#include <QCoreApplication>
#include <QLocale>
#include <cmath>

namespace meanflow::ui {
namespace {
QString say(const char* text) { return QCoreApplication::translate("Format", text); }
QString fromView(std::string_view text) { return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())); }
}  // namespace

QString formatCount(std::int64_t value) { return QLocale().toString(static_cast<qlonglong>(value)); }

QString formatNumber(double value) {
  if (std::isnan(value)) return QStringLiteral("–");
  if (std::isinf(value)) return value > 0 ? QStringLiteral("∞") : QStringLiteral("−∞");
  return QString::number(value, 'g', 4);
}

QString formatShort(double value) {
  static constexpr struct {
    double scale;
    const char* suffix;
  } kUnits[] = {{1e9, " G"}, {1e6, " M"}, {1e3, " k"}};
  for (const auto& unit : kUnits) {
    if (std::abs(value) >= unit.scale) {
      return QString::number(value / unit.scale, 'f', std::abs(value) / unit.scale < 100 ? 1 : 0) +
             QLatin1String(unit.suffix);
    }
  }
  return QString::number(value, 'g', 3);
}

QString formatDuration(double seconds) {
  if (!(seconds >= 0) || std::isinf(seconds)) return QStringLiteral("–");
  const auto whole = static_cast<qint64>(std::llround(seconds));
  if (seconds < 1) return say("under 1 s");
  if (whole < 60) return say("%1 s").arg(whole);
  if (whole < 3600) return say("%1 min %2 s").arg(whole / 60).arg(whole % 60, 2, 10, QLatin1Char('0'));
  if (whole < 172800) return say("%1 h %2 min").arg(whole / 3600).arg(whole / 60 % 60, 2, 10, QLatin1Char('0'));
  return say("%1 days").arg(static_cast<double>(whole) / 86400, 0, 'f', 1);
}

QString formatBytes(std::int64_t bytes) { return QLocale().formattedDataSize(bytes); }

QString stageTitle(std::string_view stage) {
  if (stage == "encoder") return say("Encoder");
  if (stage == "decoder") return say("Decoder");
  if (stage == "teacher") return say("Teacher");
  if (stage == "cmt") return say("CMT");
  if (stage == "mean_flow") return say("MeanFlow");
  if (stage == "control") return say("Control");
  if (stage == "report") return say("Report");
  return fromView(stage);
}

QString stagePurpose(std::string_view stage) {
  if (stage == "encoder") return say("Learns a representation of the images by filling in masked patches");
  if (stage == "decoder") return say("Learns to draw images from the representation");
  if (stage == "teacher")
    return say("Learns the velocity from noise to data (flow matching); needs many steps to sample");
  if (stage == "cmt")
    return say("Consistency mid-training: the student learns to jump along the teacher's trajectories");
  if (stage == "mean_flow")
    return say("MeanFlow distillation: the student learns average velocities, for images in one step");
  if (stage == "control") return say("More CMT for the time distillation took, to compare with");
  if (stage == "report") return say("Trains a small classifier on real images and scores all ways of making images");
  return {};
}

QString runStateText(base::RunState state) {
  switch (state) {
    case base::RunState::kIdle:
      return say("not started");
    case base::RunState::kStarting:
      return say("starting");
    case base::RunState::kRunning:
      return say("running");
    case base::RunState::kPausing:
      return say("pausing");
    case base::RunState::kPaused:
      return say("paused");
    case base::RunState::kStopping:
      return say("stopping");
    case base::RunState::kStopped:
      return say("stopped");
    case base::RunState::kFinished:
      return say("finished");
    case base::RunState::kFailed:
      return say("failed");
  }
  return {};
}

QString scalarTitle(std::string_view name) {
  if (name == "loss") return say("Loss");
  if (name == "grad_norm") return say("Gradient norm");
  if (name == "lr") return say("Learning rate");
  if (name == "throughput") return say("Throughput");
  return fromView(name);
}

}  // namespace meanflow::ui
