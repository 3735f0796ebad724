// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QWidget>
#include <optional>
#include <string>

#include "ui/models/run_source.h"

class QLabel;
class QStackedLayout;

namespace meanflow::ui {

class EmptyState;
class ResidualCharts;
class Theme;

/// Bias and variance of the proxy velocity (Proposition 3.1): what the single-point velocity, the teacher's distance
/// from the oracle and the oracle bias add to the squared MeanFlow residual, over training and over t, for the eta in
/// use and for eta = 0 and 1, and in words which of them dominates.
class BiasVariancePanel final : public QWidget {
  Q_OBJECT
 public:
  explicit BiasVariancePanel(const Theme& theme, QWidget* parent = nullptr);

  void setSource(RunSource* source);
  ResidualCharts& charts() { return *charts_; }
  QString words() const;
  bool showsResiduals() const;

 public Q_SLOTS:
  void showStep(const QString& stage, qint64 step, bool is_live);

 Q_SIGNALS:
  void stepPicked(const QString& stage, qint64 step);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void refreshSoon();
  void refresh();
  void applyTheme();
  /// Whose residuals are shown: the stage at the cursor, or the one that has some.
  std::string shownStage() const;

  const Theme& theme_;
  QPointer<RunSource> source_;
  std::string stage_;
  std::int64_t step_ = 0;
  bool is_stale_ = false;
  QStackedLayout* pages_;
  EmptyState* empty_;
  QLabel* words_;
  QLabel* legend_;
  ResidualCharts* charts_;
};

}  // namespace meanflow::ui
