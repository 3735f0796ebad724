// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/command_palette.h"

#include <QAction>
#include <QApplication>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMenuBar>
#include <QPainter>
#include <QSettings>
#include <QStandardItemModel>
#include <QStyledItemDelegate>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/fuzzy_match.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

const QString kRecentKey = QStringLiteral("palette/recent");
enum Role { kIndex = Qt::UserRole, kDetail, kShortcut, kPositions };

QString plain(QString text) { return text.remove(QLatin1Char('&')); }

void collect(const QMenu& menu, const QString& path, std::vector<PaletteEntry>& entries) {
  for (auto* action : menu.actions()) {
    if (action->isSeparator() || action->text().isEmpty()) continue;
    const QString title = path + QStringLiteral(" › ") + plain(action->text());
    if (const auto* inner = action->menu()) {
      collect(*inner, title, entries);
      continue;
    }
    // The text of a switch such as Start and Continue changes; what it is stays with its object.
    const QString id = action->objectName().isEmpty() ? title : action->objectName();
    entries.push_back({QStringLiteral("menu:") + id, title, action->toolTip(), action->shortcut(), action->isEnabled(),
                       [action] { action->trigger(); }});
  }
}

/// Two lines an entry, the letters that matched in the accent colour, the shortcut at the right.
class EntryDelegate final : public QStyledItemDelegate {
 public:
  EntryDelegate(const Theme& theme, QObject* parent) : QStyledItemDelegate(parent), theme_(theme) {}

  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const override {
    return {100, 2 * option.fontMetrics.height() + 12};
  }

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const auto& colors = theme_.colors();
    const bool is_chosen = option.state.testFlag(QStyle::State_Selected);
    const bool is_enabled = index.flags().testFlag(Qt::ItemIsEnabled);
    painter->save();
    if (is_chosen) {
      painter->setPen(Qt::NoPen);
      painter->setBrush(colors.accent);
      painter->setRenderHint(QPainter::Antialiasing);
      painter->drawRoundedRect(QRectF(option.rect).adjusted(2, 1, -2, -1), 5, 5);
    }
    const QColor ink = is_chosen ? colors.accent_text : is_enabled ? colors.text : colors.muted;
    const QColor faint = is_chosen ? colors.accent_text : colors.muted;
    const QRect room = option.rect.adjusted(10, 5, -10, -5);
    const int line = option.fontMetrics.height();
    const QString shortcut = index.data(kShortcut).toString();
    const int shortcut_width = option.fontMetrics.horizontalAdvance(shortcut);
    painter->setPen(faint);
    painter->drawText(QRect(room.right() - shortcut_width, room.top(), shortcut_width + 1, line), Qt::AlignVCenter,
                      shortcut);
    QFont bold = option.font;
    bold.setBold(true);
    const auto positions = index.data(kPositions).value<QList<int>>();
    const QString title = option.fontMetrics.elidedText(index.data(Qt::DisplayRole).toString(), Qt::ElideRight,
                                                        room.width() - shortcut_width - 14);
    int x = room.left();
    for (int i = 0; i < title.size(); ++i) {
      const bool is_match = positions.contains(i);
      painter->setFont(is_match ? bold : option.font);
      painter->setPen(is_match && !is_chosen ? colors.accent : ink);
      painter->drawText(QPoint(x, room.top() + option.fontMetrics.ascent()), QString(title[i]));
      x += QFontMetrics(painter->font()).horizontalAdvance(title[i]);
    }
    painter->setFont(option.font);
    painter->setPen(faint);
    painter->drawText(QRect(room.left(), room.top() + line + 1, room.width(), line), Qt::AlignVCenter,
                      option.fontMetrics.elidedText(index.data(kDetail).toString(), Qt::ElideRight, room.width()));
    painter->restore();
  }

 private:
  const Theme& theme_;
};

}  // namespace

std::vector<PaletteEntry> menuEntries(const QMenuBar& menus) {
  std::vector<PaletteEntry> entries;
  for (const auto* action : menus.actions()) {
    if (const auto* menu = action->menu()) collect(*menu, plain(action->text()), entries);
  }
  return entries;
}

CommandPalette::CommandPalette(const Theme& theme, QSettings& settings, QWidget* parent)
    : QDialog(parent, Qt::Popup),
      theme_(theme),
      settings_(settings),
      typed_(new QLineEdit),
      list_(new QListView),
      nothing_(new QLabel(tr("Nothing answers to that. Type fewer letters, or part of a menu, a panel, a run or a "
                             "setting such as \"teacher lr\"."))),
      model_(new QStandardItemModel(this)) {
  setObjectName(QStringLiteral("command_palette"));
  setWindowTitle(tr("Command palette"));
  setAccessibleName(tr("Command palette"));
  typed_->setPlaceholderText(tr("What do you want to do?"));
  typed_->setAccessibleName(tr("Search for actions, runs, panels and settings"));
  typed_->installEventFilter(this);
  list_->setModel(model_);
  list_->setItemDelegate(new EntryDelegate(theme, list_));
  list_->setAccessibleName(tr("What can be done"));
  list_->setFocusPolicy(Qt::NoFocus);  // the keys go to the search line, which moves the choice
  list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  list_->setEditTriggers(QAbstractItemView::NoEditTriggers);
  list_->setUniformItemSizes(true);
  nothing_->setProperty("muted", true);
  nothing_->setWordWrap(true);
  nothing_->setContentsMargins(8, 4, 8, 8);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->addWidget(typed_);
  layout->addWidget(nothing_);
  layout->addWidget(list_, 1);
  connect(typed_, &QLineEdit::textChanged, this, &CommandPalette::refresh);
  connect(list_, &QListView::clicked, this, &CommandPalette::runCurrent);
}

void CommandPalette::openUp() {
  entries_.clear();
  for (const auto& provider : providers_) {
    auto more = provider();
    std::move(more.begin(), more.end(), std::back_inserter(entries_));
  }
  {
    const QSignalBlocker blocker(typed_);
    typed_->clear();
  }
  refresh();
  const auto* window = parentWidget();
  resize(std::clamp(window->width() - 80, 320, 640), std::clamp(window->height() - 160, 240, 460));
  move(window->mapToGlobal(QPoint((window->width() - width()) / 2, 60)));
  show();
  typed_->setFocus(Qt::PopupFocusReason);
}

void CommandPalette::refresh() {
  const auto recent = settings_.value(kRecentKey).toStringList();
  const QString typed = typed_->text();
  struct Found {
    int index;
    int score;
    QList<int> positions;
  };
  std::vector<Found> found;
  for (int i = 0; i < static_cast<int>(entries_.size()); ++i) {
    const auto& entry = entries_[static_cast<std::size_t>(i)];
    const auto used = recent.indexOf(entry.id);
    const int bonus = used >= 0 ? static_cast<int>(kMaxRecent - used) : 0;
    if (typed.trimmed().isEmpty()) {
      found.push_back({i, 10 * bonus, {}});
      continue;
    }
    auto match = fuzzyMatch(typed, entry.title);
    if (!match) {
      // What it does, in words, counts too, but behind every title.
      if (!entry.detail.contains(typed.trimmed(), Qt::CaseInsensitive)) continue;
      match = FuzzyMatch{-100, {}};
    }
    found.push_back({i, match->score + bonus - (entry.is_enabled ? 0 : 20), match->positions});
  }
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.score > b.score; });
  if (found.size() > kMaxShown) found.resize(kMaxShown);
  model_->clear();
  for (const auto& each : found) {
    const auto& entry = entries_[static_cast<std::size_t>(each.index)];
    auto* item = new QStandardItem(entry.title);
    item->setData(each.index, kIndex);
    item->setData(entry.is_enabled ? entry.detail : tr("Not possible now. %1").arg(entry.detail), kDetail);
    item->setData(entry.shortcut.toString(QKeySequence::NativeText), kShortcut);
    item->setData(QVariant::fromValue(each.positions), kPositions);
    item->setData(entry.shortcut.isEmpty() ? entry.title : tr("%1, %2").arg(entry.title, entry.shortcut.toString()),
                  Qt::AccessibleTextRole);
    item->setEnabled(entry.is_enabled);
    model_->appendRow(item);
  }
  nothing_->setVisible(found.empty());
  list_->setCurrentIndex(model_->index(0, 0));
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
  if (watched != typed_ || event->type() != QEvent::KeyPress) return QDialog::eventFilter(watched, event);
  const auto* key = static_cast<QKeyEvent*>(event);
  const auto choose = [this](int rows) {
    const int last = model_->rowCount() - 1;
    if (last >= 0) list_->setCurrentIndex(model_->index(std::clamp(list_->currentIndex().row() + rows, 0, last), 0));
    return true;
  };
  switch (key->key()) {
    case Qt::Key_Down:
      return choose(1);
    case Qt::Key_Up:
      return choose(-1);
    case Qt::Key_PageDown:
      return choose(8);
    case Qt::Key_PageUp:
      return choose(-8);
    case Qt::Key_Return:
    case Qt::Key_Enter:
      runCurrent();
      return true;
    default:
      return false;
  }
}

void CommandPalette::runCurrent() {
  const auto index = list_->currentIndex();
  if (!index.isValid() || !index.flags().testFlag(Qt::ItemIsEnabled)) return;
  const PaletteEntry entry = entries_[static_cast<std::size_t>(index.data(kIndex).toInt())];
  remember(entry.id);
  hide();
  // After the popup has gone: what runs may open a dialog or ask where the focus is.
  QMetaObject::invokeMethod(parentWidget(), entry.run, Qt::QueuedConnection);
}

void CommandPalette::remember(const QString& id) {
  auto recent = settings_.value(kRecentKey).toStringList();
  recent.removeAll(id);
  recent.prepend(id);
  settings_.setValue(kRecentKey, QStringList(recent.mid(0, kMaxRecent)));
}

QStringList CommandPalette::shownTitles() const {
  QStringList titles;
  for (int row = 0; row < model_->rowCount(); ++row) titles << model_->index(row, 0).data().toString();
  return titles;
}

}  // namespace meanflow::ui
