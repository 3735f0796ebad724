// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/imported_stages.h"

#include <QCoreApplication>
#include <QStringList>

namespace meanflow::ui {

QString importedFrom(const base::RunConfig& config, const std::string& stage) {
  const std::string weights = stage == "encoder"     ? config.encoder.weights
                              : stage == "decoder"   ? config.decoder.weights
                              : stage == "teacher"   ? config.teacher.weights
                              : stage == "cmt"       ? config.cmt.weights
                              : stage == "mean_flow" ? config.mean_flow.weights
                                                     : std::string();
  return QString::fromStdString(weights);
}

QString shortSource(const QString& source) {
  const QStringList parts = source.split(QLatin1Char('/'), Qt::SkipEmptyParts);
  if (parts.isEmpty()) return source;
  // RUN/STAGE/checkpoints/step_00000200
  const QString& last = parts.back();
  bool is_step = last.startsWith(QLatin1String("step_")) && parts.size() >= 4;
  const int step = is_step ? last.mid(5).toInt(&is_step) : 0;
  return is_step ? QCoreApplication::translate("ImportedStages", "%1, step %2").arg(parts[parts.size() - 4]).arg(step)
                 : last;
}

}  // namespace meanflow::ui
