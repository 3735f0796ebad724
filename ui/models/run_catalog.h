// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QDateTime>
#include <QObject>
#include <QString>
#include <QStringList>
#include <utility>
#include <vector>

#include "core/base/events/training_event.h"
#include "ui/models/studio_state.h"

namespace meanflow::ui {

class RecentRuns;

/// What a list says of one run without opening it.
struct RunCard {
  QString folder;
  QString name;
  base::RunState state = base::RunState::kIdle;  ///< As the run said last.
  bool is_there = false;                         ///< The folder can be read.
  bool is_owned = false;                         ///< Some process is training it.
  bool is_foreign = false;                       ///< Of another program: its files can be looked at.
  QString stage;                                 ///< Of the last step it reported.
  qint64 step = 0;
  QDateTime changed;
  QString notes;
  QString parent;  ///< Folder of the run it is a branch of; empty: none.
  QString branch;  ///< "branch of X at MeanFlow step 100: ..."

  /// Left behind by a process that ended without saying so.
  bool isInterrupted() const;
};

/// Reads the end of a run's record, its lock and its notes. Any thread.
RunCard readRunCard(const QString& folder);

/// Every card, those of branches behind the run they left, with how many ancestors in the list they have.
std::vector<std::pair<const RunCard*, int>> asFamilies(const std::vector<RunCard>& cards);

/// The runs a person has: those opened lately and those in the folder new runs are made in. Read on another thread.
class RunCatalog final : public QObject {
  Q_OBJECT
 public:
  RunCatalog(RecentRuns& recent, QString runs_folder, QObject* parent = nullptr);

  const std::vector<RunCard>& cards() const { return cards_; }  ///< Changed last first.
  bool isLoading() const { return num_readings_ > 0; }
  const RunCard* find(const QString& folder) const;

 public Q_SLOTS:
  void refresh();
  /// Kept in the run folder as notes.txt, so that they travel with it.
  void setNotes(const QString& folder, const QString& text);

 Q_SIGNALS:
  void changed();
  void failed(const QString& sentence);

 private:
  RecentRuns& recent_;
  QString runs_folder_;
  std::vector<RunCard> cards_;
  int num_readings_ = 0;
  Background background_;
};

}  // namespace meanflow::ui
