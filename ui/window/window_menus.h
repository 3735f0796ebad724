// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QKeySequence>
#include <QObject>
#include <array>
#include <vector>

#include "ui/window/workspace_layout.h"

class QAction;
class QDockWidget;
class QMenu;
class QMenuBar;
class QUndoStack;

namespace meanflow::ui {

class Theme;

/// The menus of the window: what can be done, its key and its tip. What an action does is connected by the window.
class WindowMenus final : public QObject {
  Q_OBJECT
 public:
  WindowMenus(QMenuBar& bar, const Theme& theme, QUndoStack& undo, const std::vector<QDockWidget*>& docks,
              QObject* parent = nullptr);

  /// Fills the menu of recent runs; the first nine have keys.
  void setRecentRuns(const QStringList& folders);

  QAction *new_run, *demo, *open, *close_run, *export_curves, *quit;
  QAction *import_config, *export_config, *find_setting;
  QAction *start, *pause, *save, *stop, *discard, *start_config, *queue_config, *preflight, *extend;
  QAction *branch, *replay;
  std::array<QAction*, kNumPerspectives> perspectives{};
  QAction *palette, *reset_layout, *live, *previous_mark, *next_mark, *filter_log;
  QAction *theme_system, *theme_light, *theme_dark;
  QAction *about, *about_qt;
  QMenu *recent, *panels;

 Q_SIGNALS:
  void runRequested(const QString& folder);

 private:
  QAction* add(QMenu* menu, const char* name, const QString& icon, const QString& text, const QKeySequence& key,
               const QString& tip);
  void buildFile(QMenu* menu);
  void buildEdit(QMenu* menu, QUndoStack& undo);
  void buildRun(QMenu* menu);
  void buildView(QMenu* menu, const std::vector<QDockWidget*>& docks);
  void buildHelp(QMenu* menu);

  const Theme& theme_;
};

}  // namespace meanflow::ui
