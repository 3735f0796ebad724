// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/class_scores.h"

#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

constexpr qint64 kMostReportBytes = 64 << 20;

/// "student_2" is made by the stage mean_flow in two steps.
QString rowTitle(const QString& key) {
  if (key == QLatin1String("reconstruction")) return ClassScores::tr("Reconstructions");
  const QString weights = key.section(QLatin1Char('_'), 0, 0);
  bool is_number = false;
  const int steps = key.section(QLatin1Char('_'), 1, 1).toInt(&is_number);
  if (!is_number) return key;
  const QString stage = stageTitle(weights == QLatin1String("student") ? "mean_flow" : weights.toStdString());
  const QString text =
      steps == 1 ? ClassScores::tr("%1, 1 step").arg(stage) : ClassScores::tr("%1, %2 steps").arg(stage).arg(steps);
  return key.endsWith(QLatin1String("_guided")) ? ClassScores::tr("%1, guided").arg(text) : text;
}

}  // namespace

std::vector<ClassChange> classChanges(const ClassScoreRow& before, const ClassScoreRow& after) {
  std::vector<ClassChange> changes;
  const double n0 = before.samplesAClass(), n1 = after.samplesAClass();
  for (std::size_t i = 0; i < std::min(before.accuracy.size(), after.accuracy.size()); ++i) {
    const double p0 = before.accuracy[i], p1 = after.accuracy[i];
    if (!std::isfinite(p0) || !std::isfinite(p1)) continue;
    ClassChange change{static_cast<int>(i), p0, p1, 0};
    if (n0 > 0 && n1 > 0) {
      const double pooled = (n0 * p0 + n1 * p1) / (n0 + n1);
      const double error = std::sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1));
      if (error > 0) change.z = (p1 - p0) / error;
    }
    changes.push_back(change);
  }
  return changes;
}

void ClassScores::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  rows_.clear();
  class_names_.clear();
  trouble_.clear();
  has_read_ = false;
  seen_evaluations_ = 0;
  if (source_) {
    seen_evaluations_ = source_->metrics().revisions().evaluations;
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind != StoreKind::kSummary) return;
      const auto evaluations = source_->metrics().revisions().evaluations;
      const bool has_names = !source_->summary().class_names.empty() && source_->summary().class_names != class_names_;
      if (evaluations == seen_evaluations_ && !has_names) return;
      seen_evaluations_ = evaluations;
      refresh();
    });
  }
  refresh();
  Q_EMIT changed();
}

void ClassScores::refresh() {
  if (!source_) return;
  if (is_reading_) {
    is_again_wanted_ = true;
    return;
  }
  is_reading_ = true;
  reader_.run(
      this, [folder = source_->folder(), names = source_->summary().class_names] { return read(folder, names); },
      [this](Reading reading) {
        is_reading_ = false;
        if (source_ && reading.folder == source_->folder()) {
          has_read_ = true;
          trouble_ = reading.trouble;
          class_names_ = std::move(reading.class_names);
          rows_ = std::move(reading.rows);
          Q_EMIT changed();
        } else {
          is_again_wanted_ = true;
        }
        if (std::exchange(is_again_wanted_, false)) refresh();
      });
}

ClassScores::Reading ClassScores::read(const QString& folder, std::vector<std::string> class_names) {
  Reading reading;
  reading.folder = folder;
  reading.class_names = std::move(class_names);
  QFile file(folder + QStringLiteral("/report/report.json"));
  if (!file.exists()) return reading;
  if (!file.open(QIODevice::ReadOnly)) {
    reading.trouble = tr("%1 cannot be read: %2").arg(file.fileName(), file.errorString());
    return reading;
  }
  QJsonParseError problem;
  const auto report = QJsonDocument::fromJson(file.read(kMostReportBytes), &problem).object();
  if (report.isEmpty()) {
    reading.trouble = tr("%1 is not a report: %2").arg(file.fileName(), problem.errorString());
    return reading;
  }
  const auto samples = report[QStringLiteral("samples")].toObject();
  for (auto it = samples.begin(); it != samples.end(); ++it) {
    const auto row = it->toObject();
    const auto by_class = row[QStringLiteral("accuracy_by_class")].toObject();
    if (by_class.isEmpty()) continue;
    // A record that does not name its classes still has them in the report, by name.
    if (reading.class_names.empty())
      for (const auto& name : by_class.keys()) reading.class_names.push_back(name.toStdString());
    ClassScoreRow scores{it.key(), rowTitle(it.key()), row[QStringLiteral("num_samples")].toInteger(), {}};
    for (const auto& name : reading.class_names)
      scores.accuracy.push_back(by_class.value(QString::fromStdString(name)).toDouble(std::nan("")));
    reading.rows.push_back(std::move(scores));
  }
  return reading;
}

}  // namespace meanflow::ui
