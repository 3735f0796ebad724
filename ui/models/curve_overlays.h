// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QStringList>
#include <memory>
#include <vector>

#include "ui/models/curve_data.h"
#include "ui/models/run_source.h"

namespace meanflow::ui {

/// Other runs whose curves are laid over those of the run on show. Each is read, and followed, by a source of its own.
class CurveOverlays final : public QObject {
  Q_OBJECT
 public:
  struct Run {
    QString folder;
    QString name;
    std::unique_ptr<RunSource> source;
    std::unique_ptr<CurveData> data;
  };

  explicit CurveOverlays(QObject* parent = nullptr) : QObject(parent) {}

  /// Folders that cannot be read are left out; failed() says why.
  void setFolders(const QStringList& folders);
  void setSmoothing(double weight);
  const std::vector<std::unique_ptr<Run>>& runs() const { return runs_; }

 Q_SIGNALS:
  void changed();
  void failed(const QString& sentence);

 private:
  std::vector<std::unique_ptr<Run>> runs_;
  double smoothing_ = 0;
};

}  // namespace meanflow::ui
