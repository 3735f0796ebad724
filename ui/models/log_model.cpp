// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/log_model.h"

#include <QDateTime>
#include <algorithm>

#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

LogModel::LogModel(const Theme& theme, QObject* parent) : QAbstractTableModel(parent), theme_(theme) {
  connect(&theme, &Theme::changed, this, [this] {
    if (rowCount() > 0) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, kNumColumns - 1), {Qt::ForegroundRole});
  });
}

void LogModel::setStore(const LogStore* store) {
  beginResetModel();
  store_ = store;
  rebuild();
  endResetModel();
}

void LogModel::setFilter(LogLevel least, const QString& text) {
  beginResetModel();
  least_ = least;
  text_ = text;
  rebuild();
  endResetModel();
}

bool LogModel::passes(const LogLine& line) const {
  return line.level <= least_ &&
         (text_.isEmpty() || QString::fromStdString(line.text).contains(text_, Qt::CaseInsensitive));
}

void LogModel::rebuild() {
  shown_.clear();
  next_number_ = 0;
  if (!store_) return;
  for (const auto& line : store_->lines()) {
    if (passes(line)) shown_.push_back(line.number);
    next_number_ = line.number + 1;
  }
}

void LogModel::update() {
  if (!store_ || store_->lines().empty()) return;
  const auto first = store_->lines().front().number;
  const auto num_gone = std::lower_bound(shown_.begin(), shown_.end(), first) - shown_.begin();
  if (num_gone > 0) {
    beginRemoveRows({}, 0, static_cast<int>(num_gone) - 1);
    shown_.erase(shown_.begin(), shown_.begin() + num_gone);
    endRemoveRows();
  }
  std::vector<std::int64_t> fresh;
  for (auto number = std::max(next_number_, first); number <= store_->lines().back().number; ++number) {
    if (passes(store_->lines()[static_cast<std::size_t>(number - first)])) fresh.push_back(number);
  }
  next_number_ = store_->lines().back().number + 1;
  if (fresh.empty()) return;
  beginInsertRows({}, rowCount(), rowCount() + static_cast<int>(fresh.size()) - 1);
  shown_.insert(shown_.end(), fresh.begin(), fresh.end());
  endInsertRows();
}

const LogLine& LogModel::line(int row) const {
  return store_
      ->lines()[static_cast<std::size_t>(shown_[static_cast<std::size_t>(row)] - store_->lines().front().number)];
}

int LogModel::rowAt(const StepAxis& axis, std::int64_t position) const {
  if (!store_) return -1;
  for (int row = rowCount() - 1; row >= 0; --row) {
    const auto& at = line(row).at;
    if (at.stage.empty() || axis.position(at.stage, at.step) <= position) return row;
  }
  return -1;
}

qsizetype LogModel::numHidden() const {
  return store_ ? static_cast<qsizetype>(store_->lines().size()) - static_cast<qsizetype>(shown_.size()) : 0;
}

int LogModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(shown_.size());
}
int LogModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int{kNumColumns}; }

QVariant LogModel::data(const QModelIndex& index, int role) const {
  // Rows may be asked for between the store forgetting lines and update(): those show nothing.
  if (!index.isValid() || !store_ || store_->lines().empty()) return {};
  if (shown_[static_cast<std::size_t>(index.row())] < store_->lines().front().number) return {};
  const auto& line = this->line(index.row());
  if (role == Qt::ForegroundRole) {
    const auto& colors = theme_.colors();
    if (index.column() != kText) return colors.muted;
    switch (line.level) {
      case LogLevel::kError:
        return colors.bad;
      case LogLevel::kWarning:
        return colors.warning;
      case LogLevel::kDebug:
        return colors.muted;
      case LogLevel::kInfo:
        return colors.text;
    }
  }
  if (role == Qt::ToolTipRole && index.column() == kText) return QString::fromStdString(line.text);
  if (role != Qt::DisplayRole) return {};
  switch (index.column()) {
    case kTime:
      return QDateTime::fromMSecsSinceEpoch(static_cast<qint64>(line.unix_seconds * 1000))
          .toString(QStringLiteral("HH:mm:ss"));
    case kWhere:
      return line.at.stage.empty() ? QString()
                                   : QStringLiteral("%1 %2").arg(stageTitle(line.at.stage)).arg(line.at.step);
    default:
      return QString::fromStdString(line.text).replace(u'\n', u' ');
  }
}

QVariant LogModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  switch (section) {
    case kTime:
      return tr("Time");
    case kWhere:
      return tr("Stage, step");
    default:
      return tr("Message");
  }
}

}  // namespace meanflow::ui
