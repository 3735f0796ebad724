// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QByteArray>
#include <QString>
#include <QStringList>
#include <vector>

#include "ui/models/run_scores.h"

namespace meanflow::ui {

/// Scores as lines of text: what is copied and exported. Numbers in full, not as they are shown.
struct ScoreTable {
  QStringList header;
  std::vector<QStringList> lines;

  QString toTsv() const;
  QString toMarkdown() const;
  QByteArray toCsv() const;  ///< RFC 4180 with "\n".
};

/// `with_cards`: a column for each statement of the cards and one for each class, as the CSV export has them; otherwise
/// the columns on show.
ScoreTable scoreTable(const std::vector<RunScores>& runs, bool with_cards);

}  // namespace meanflow::ui
