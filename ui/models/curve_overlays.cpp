// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/curve_overlays.h"

#include <QFileInfo>
#include <algorithm>

#include "ui/models/open_run.h"

namespace meanflow::ui {

void CurveOverlays::setFolders(const QStringList& folders) {
  std::erase_if(runs_, [&](const auto& run) { return !folders.contains(run->folder); });
  for (const auto& folder : folders) {
    const bool is_known =
        std::any_of(runs_.begin(), runs_.end(), [&](const auto& run) { return run->folder == folder; });
    if (is_known) continue;
    auto opened = openRun(folder);
    if (!opened.ok()) {
      Q_EMIT failed(QString::fromStdString(opened.error().message));
      continue;
    }
    auto run = std::make_unique<Run>();
    run->folder = folder;
    run->name = QFileInfo(folder).fileName();
    run->source = std::move(*opened);
    run->data = std::make_unique<CurveData>(run->source->metrics());
    run->data->setSmoothing(smoothing_);
    connect(run->source.get(), &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kMetrics) Q_EMIT changed();
    });
    runs_.push_back(std::move(run));
  }
  Q_EMIT changed();
}

void CurveOverlays::setSmoothing(double weight) {
  smoothing_ = weight;
  for (const auto& run : runs_) run->data->setSmoothing(weight);
}

}  // namespace meanflow::ui
