// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QAbstractTableModel>
#include <deque>

#include "ui/models/log_store.h"

namespace meanflow::ui {

class Theme;

/// The lines of a LogStore that pass a filter: columns time, where, text.
class LogModel final : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column { kTime, kWhere, kText, kNumColumns };

  explicit LogModel(const Theme& theme, QObject* parent = nullptr);

  void setStore(const LogStore* store);
  void setFilter(LogLevel least, const QString& text);
  /// Takes in lines that came since the last call and drops those the store has forgotten.
  void update();
  /// The last shown row at or before a place on the axis; -1 if there is none.
  int rowAt(const StepAxis& axis, std::int64_t position) const;
  qsizetype numHidden() const;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  bool passes(const LogLine& line) const;
  const LogLine& line(int row) const;
  void rebuild();

  const Theme& theme_;
  const LogStore* store_ = nullptr;
  LogLevel least_ = LogLevel::kInfo;
  QString text_;
  std::deque<std::int64_t> shown_;  ///< Numbers of the lines that pass, ascending.
  std::int64_t next_number_ = 0;    ///< First line not looked at yet.
};

}  // namespace meanflow::ui
