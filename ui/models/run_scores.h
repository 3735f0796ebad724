// SPDX-License-Identifier: GPL-3.0-or-later
//
// The figures of a scored run, each with a card that says how it was made. Read from what lies in the run folder, which
// anybody may have written: nothing of it is trusted.
#pragma once
#include <QMap>
#include <QString>
#include <QStringList>
#include <vector>

#include "core/base/metrics/metrics_store.h"

namespace meanflow::ui {

/// One line of a card.
struct ScoreFact {
  QString name;
  QString value;         ///< Empty: not known.
  bool is_ruler = true;  ///< Belongs to the measuring: numbers compare only where it is the same. Otherwise it says
                         ///< what was measured.
};

/// One number.
struct Score {
  QString measure;  ///< Key: "accuracy", "frechet_real", ...; names of the run's own metrics as they are.
  double value = 0;
  QString run;  ///< Folder it comes from.
  std::vector<ScoreFact> card;
};

/// One way of making images, with all its numbers.
struct ScoreRow {
  QString key;            ///< As in report.json: "student_2".
  QString title;          ///< "CMT + MFD, 2 steps".
  QString line;           ///< What joins its points in a chart, "CMT + MFD"; empty: it is not on one.
  QString weights;        ///< "average (EMA)"; empty: it has none.
  int nfe = 0;            ///< Network evaluations; 0: does not apply.
  bool is_floor = false;  ///< What held-out images get: the best that samples can hope for.
  std::vector<Score> scores;
  QMap<QString, double> accuracy_by_class;

  const Score* find(const QString& measure) const;
  /// The class with the lowest accuracy; empty without any.
  QString worstClass() const;
};

struct RunScores {
  QString folder, name;
  bool has_report = false;
  bool is_current = false;  ///< The report was made of the newest checkpoints, with the evaluation's present settings.
  QString trouble;          ///< Why there is no report, or what of it could not be read; empty: all is well.
  std::vector<ScoreRow> rows;
};

/// Reads report/report.json, report/scored_from.json, config.yaml and the judge's weights (for their checksum). Any
/// thread.
RunScores readRunScores(const QString& folder);

/// Appends what the run said of itself in events: the newest of each stage's evaluations, and the report's figures when
/// report.json is missing.
void addReportedMetrics(RunScores& scores, const std::vector<base::Timed<base::MetricsReady>>& evaluations);

/// Empty when the two cards say the same of the measuring; otherwise one sentence.
QString whyNotComparable(const Score& a, const Score& b);

QString measureTitle(const QString& measure);    ///< For a column; unknown names as they are.
QString measureMeaning(const QString& measure);  ///< One sentence; empty for unknown names.
/// 1: more is better, -1: less is, 0: not known.
int measureSense(const QString& measure);
/// All measures that any row has: those of the report in its order, then others by name.
QStringList measuresOf(const std::vector<RunScores>& runs);
QString formatScore(const QString& measure, double value);

}  // namespace meanflow::ui
