// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QDialog>
#include <QKeySequence>
#include <QString>
#include <functional>
#include <vector>

class QLabel;
class QLineEdit;
class QListView;
class QMenu;
class QMenuBar;
class QSettings;
class QStandardItemModel;

namespace meanflow::ui {

class Theme;

/// Something that can be done, as the palette lists it.
struct PaletteEntry {
  QString id;      ///< Stays the same between sessions: what was used lately is remembered by it.
  QString title;   ///< "Run › Pause".
  QString detail;  ///< What it does, in a line.
  QKeySequence shortcut;
  bool is_enabled = true;
  std::function<void()> run;
};

/// Every action of the menus, however deep, as entries "Menu › Action".
std::vector<PaletteEntry> menuEntries(const QMenuBar& menus);

/// Ctrl+K: type a few letters of anything that can be done, Enter does it. Up and Down choose, Escape leaves. What was
/// used lately comes first while nothing is typed.
class CommandPalette final : public QDialog {
  Q_OBJECT
 public:
  static constexpr int kMaxShown = 60;
  static constexpr int kMaxRecent = 8;
  using Provider = std::function<std::vector<PaletteEntry>()>;

  CommandPalette(const Theme& theme, QSettings& settings, QWidget* parent);
  /// Asked each time the palette opens, in this order.
  void addProvider(Provider provider) { providers_.push_back(std::move(provider)); }
  QStringList shownTitles() const;

 public Q_SLOTS:
  void openUp();

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void refresh();
  void runCurrent();
  void remember(const QString& id);

  const Theme& theme_;
  QSettings& settings_;
  std::vector<Provider> providers_;
  std::vector<PaletteEntry> entries_;
  QLineEdit* typed_;
  QListView* list_;
  QLabel* nothing_;
  QStandardItemModel* model_;
};

}  // namespace meanflow::ui
