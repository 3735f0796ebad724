// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>
#include <QString>
#include <cstdint>
#include <string>
#include <vector>

#include "ui/models/run_source.h"
#include "ui/models/studio_state.h"

namespace meanflow::ui {

/// Accuracy by class of one way of making images, as the report of a run gives it: the share of its images that the
/// judge takes for the class they were asked for.
struct ClassScoreRow {
  QString key;    ///< "cmt_1", "student_1", ...
  QString title;  ///< "CMT, 1 step"
  std::int64_t num_samples = 0;
  std::vector<double> accuracy;  ///< By label; NaN where the report has no figure.
  /// Images of one class: the report asks for as many of each.
  double samplesAClass() const {
    return accuracy.empty() ? 0 : static_cast<double>(num_samples) / static_cast<double>(accuracy.size());
  }
};

/// A class between two rows.
struct ClassChange {
  int label = 0;
  double before = 0, after = 0;
  double z = 0;  ///< Of two proportions, pooled: (after - before) over its standard error if nothing had changed.
};
/// |z| from which a class counts as won or lost; by chance alone one class in twenty reaches it.
inline constexpr double kNotableZ = 2;
/// Classes with figures in both rows, by label. z is 0 where both are all right or all wrong.
std::vector<ClassChange> classChanges(const ClassScoreRow& before, const ClassScoreRow& after);

/// What report/report.json of the run on show says of its classes, read on another thread and again when the run has
/// new figures. UI thread.
class ClassScores final : public QObject {
  Q_OBJECT
 public:
  explicit ClassScores(QObject* parent = nullptr) : QObject(parent) {}

  void setSource(RunSource* source);
  void refresh();
  const std::vector<ClassScoreRow>& rows() const { return rows_; }
  const std::vector<std::string>& classNames() const { return class_names_; }  ///< In the order of labels.
  bool isLoading() const { return is_reading_ && !has_read_; }
  /// Why a report that is there cannot be used; empty when all is well or when there is none.
  const QString& trouble() const { return trouble_; }

 Q_SIGNALS:
  void changed();

 private:
  struct Reading {
    QString folder, trouble;
    std::vector<std::string> class_names;
    std::vector<ClassScoreRow> rows;
  };
  static Reading read(const QString& folder, std::vector<std::string> class_names);

  QPointer<RunSource> source_;
  std::vector<ClassScoreRow> rows_;
  std::vector<std::string> class_names_;
  QString trouble_;
  std::uint64_t seen_evaluations_ = 0;
  bool has_read_ = false, is_reading_ = false, is_again_wanted_ = false;
  Background reader_;
};

}  // namespace meanflow::ui
