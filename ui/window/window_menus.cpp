// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/window_menus.h"

#include <QAction>
#include <QActionGroup>
#include <QDockWidget>
#include <QMenu>
#include <QMenuBar>
#include <QUndoStack>

#include "ui/theme/theme.h"

namespace meanflow::ui {

WindowMenus::WindowMenus(QMenuBar& bar, const Theme& theme, QUndoStack& undo, const std::vector<QDockWidget*>& docks,
                         QObject* parent)
    : QObject(parent), theme_(theme) {
  buildFile(bar.addMenu(tr("&File")));
  buildEdit(bar.addMenu(tr("&Edit")), undo);
  buildRun(bar.addMenu(tr("&Run")));
  buildView(bar.addMenu(tr("&View")), docks);
  buildHelp(bar.addMenu(tr("&Help")));
}

QAction* WindowMenus::add(QMenu* menu, const char* name, const QString& icon, const QString& text,
                          const QKeySequence& key, const QString& tip) {
  auto* action = menu->addAction(text);
  action->setObjectName(QLatin1String(name));
  if (!icon.isEmpty()) action->setIcon(theme_.icon(icon));
  action->setShortcut(key);
  action->setToolTip(tip);
  action->setStatusTip(tip);
  return action;
}

void WindowMenus::buildFile(QMenu* menu) {
  new_run = add(menu, "new_run", QStringLiteral("sliders"), tr("&New run…"), QKeySequence::New,
                tr("Choose a preset, change its settings, start it"));
  demo = add(menu, "demo", QStringLiteral("demo"), tr("Run the &demo"), QKeySequence(tr("Ctrl+D")),
             tr("Train the whole pipeline on embedded emoji, in minutes"));
  open = add(menu, "open", QStringLiteral("open"), tr("&Open run folder…"), QKeySequence::Open,
             tr("Open a run, finished or being trained right now"));
  recent = menu->addMenu(theme_.icon(QStringLiteral("folder")), tr("&Recent runs"));
  close_run = add(menu, "close_run", {}, tr("&Close run"), QKeySequence(tr("Ctrl+W")),
                  tr("Back to the welcome page; a run elsewhere goes on"));
  menu->addSeparator();
  import_config = add(menu, "import_config", {}, tr("&Import configuration…"), QKeySequence(tr("Ctrl+I")),
                      tr("Read a YAML file of this program, of sony/mf-rae or of bytetriper/RAE into a new run"));
  export_config = add(menu, "export_config", {}, tr("Save configuration &as…"), QKeySequence(tr("Ctrl+Alt+S")),
                      tr("Write the settings of the new run to a YAML file"));
  export_curves = add(menu, "export_curves", QStringLiteral("export"), tr("&Export curves…"),
                      QKeySequence(tr("Ctrl+E")), tr("Save the curves as PNG, SVG or CSV"));
  menu->addSeparator();
  quit = add(menu, "quit", {}, tr("&Quit"), QKeySequence(tr("Ctrl+Q")),
             tr("Close the window; a live run is stopped and saved first"));
}

void WindowMenus::buildEdit(QMenu* menu, QUndoStack& undo) {
  auto* undo_action = undo.createUndoAction(this, tr("&Undo"));
  undo_action->setObjectName(QStringLiteral("undo"));
  undo_action->setShortcut(QKeySequence(tr("Ctrl+Z")));
  auto* redo_action = undo.createRedoAction(this, tr("&Redo"));
  redo_action->setObjectName(QStringLiteral("redo"));
  redo_action->setShortcut(QKeySequence(tr("Ctrl+Shift+Z")));
  const QString tip = tr("Take back, or do again, a change of the new run's settings");
  for (auto* action : {undo_action, redo_action}) {
    action->setStatusTip(tip);
    action->setToolTip(tip);
    // The stack writes its own text into the tip as it changes.
    connect(action, &QAction::changed, action, [action, tip] {
      if (action->toolTip() != tip) action->setToolTip(tip);
    });
    menu->addAction(action);
  }
  menu->addSeparator();
  find_setting = add(menu, "find_setting", {}, tr("&Find a setting"), QKeySequence(tr("Ctrl+Shift+F")),
                     tr("Search the settings by name and help"));
  filter_log =
      add(menu, "filter_log", {}, tr("Filter the &log"), QKeySequence::Find, tr("Show only log lines with a text"));
}

void WindowMenus::buildRun(QMenu* menu) {
  start = add(menu, "start", QStringLiteral("play"), tr("S&tart"), QKeySequence(tr("Ctrl+Return")),
              tr("Start a run, or continue this one from its last checkpoint"));
  pause = add(menu, "pause", QStringLiteral("pause"), tr("&Pause"), QKeySequence(tr("Ctrl+P")),
              tr("Hold after the current step, or go on"));
  save = add(menu, "save", QStringLiteral("save"), tr("&Save now"), QKeySequence(tr("Ctrl+S")),
             tr("Write a checkpoint now and go on"));
  stop = add(menu, "stop", QStringLiteral("stop"), tr("St&op and save"), QKeySequence(tr("Ctrl+Shift+S")),
             tr("Write a checkpoint, then end the run"));
  discard = add(menu, "discard", QStringLiteral("discard"), tr("&Discard…"), QKeySequence(tr("Ctrl+Shift+Backspace")),
                tr("End the run at once without saving"));
  menu->addSeparator();
  start_config = add(menu, "start_config", {}, tr("Start the &new run"), QKeySequence(tr("Ctrl+Shift+Return")),
                     tr("Start a run with the settings of the configuration panel"));
  queue_config = add(menu, "queue_config", {}, tr("Put the new run into the &queue"), QKeySequence(tr("Ctrl+Shift+Q")),
                     tr("It starts by itself when the runs before it have ended"));
  preflight = add(menu, "preflight", {}, tr("Pre-&flight of the new run"), QKeySequence(tr("Ctrl+Shift+F5")),
                  tr("A few dry steps tell time, memory and disk, and what would stop the run"));
  extend = add(menu, "extend", {}, tr("&Extend…"), QKeySequence(tr("Ctrl+Shift+X")),
               tr("Raise a stage's steps and continue a run that has ended"));
  menu->addSeparator();
  branch = add(menu, "branch", QStringLiteral("branch"), tr("&Branch from here…"), QKeySequence(tr("Ctrl+B")),
               tr("A new run that leaves this one at the step under the cursor and goes on with other settings"));
  replay = add(menu, "replay", QStringLiteral("replay"), tr("Repla&y this step"), QKeySequence(tr("Ctrl+R")),
               tr("Train up to the step under the cursor again, beside the run, and look into every operation of it"));
}

void WindowMenus::buildView(QMenu* menu, const std::vector<QDockWidget*>& docks) {
  palette = add(menu, "palette", QStringLiteral("search"), tr("Command &palette"), QKeySequence(tr("Ctrl+K")),
                tr("Find anything that can be done by typing a few letters"));
  menu->addSeparator();
  auto* group = new QActionGroup(this);
  const std::array<std::pair<QString, QString>, kNumPerspectives> names = {
      {{tr("&Train"), tr("Pipeline, samples, curves and log")},
       {tr("&Diagnose"), tr("Gradients by block, alarms, bias and variance, CMT errors")},
       {tr("&Sample"), tr("Sampling on request beside the saved samples")},
       {tr("&Evaluate"), tr("Runs compared: curves, checkpoints, samples and the map of the classes")}}};
  for (int i = 0; i < kNumPerspectives; ++i) {
    const auto n = static_cast<std::size_t>(i);
    auto* action = add(menu, "", {}, names[n].first, QKeySequence(QStringLiteral("F%1").arg(i + 5)), names[n].second);
    action->setObjectName(QStringLiteral("perspective_%1").arg(i));
    action->setCheckable(true);
    group->addAction(action);
    perspectives[n] = action;
  }
  menu->addSeparator();
  panels = menu->addMenu(tr("Pan&els"));
  for (std::size_t i = 0; i < docks.size(); ++i) {
    auto* action = docks[i]->toggleViewAction();
    action->setObjectName(QStringLiteral("panel_") + docks[i]->objectName());
    action->setShortcut(
        QKeySequence(i < 10 ? QStringLiteral("Alt+%1").arg((i + 1) % 10) : QStringLiteral("Alt+Shift+%1").arg(i - 9)));
    panels->addAction(action);
  }
  reset_layout =
      add(menu, "reset_layout", QStringLiteral("refresh"), tr("&Reset layout"), QKeySequence(tr("Ctrl+Shift+R")),
          tr("Put the panels of this perspective back where they were at first"));
  menu->addSeparator();
  live = add(menu, "live", QStringLiteral("live"), tr("&Live"), QKeySequence(tr("Ctrl+L")),
             tr("Keep everything at the newest step"));
  previous_mark = add(menu, "previous_mark", QStringLiteral("previous"), tr("Pre&vious mark"),
                      QKeySequence(tr("Alt+Left")), tr("To the checkpoint or sample grid before"));
  next_mark = add(menu, "next_mark", QStringLiteral("next"), tr("Ne&xt mark"), QKeySequence(tr("Alt+Right")),
                  tr("To the next checkpoint or sample grid"));
  menu->addSeparator();
  auto* themes = menu->addMenu(tr("T&heme"));
  auto* theme_group = new QActionGroup(this);
  theme_system = add(themes, "theme_system", {}, tr("&System"), QKeySequence(tr("Ctrl+T, S")),
                     tr("Light or dark as the desktop is"));
  theme_light = add(themes, "theme_light", {}, tr("&Light"), QKeySequence(tr("Ctrl+T, L")), tr("Dark on light"));
  theme_dark = add(themes, "theme_dark", {}, tr("&Dark"), QKeySequence(tr("Ctrl+T, D")), tr("Light on dark"));
  for (auto* action : {theme_system, theme_light, theme_dark}) {
    action->setCheckable(true);
    theme_group->addAction(action);
  }
}

void WindowMenus::buildHelp(QMenu* menu) {
  about = add(menu, "about", {}, tr("&About MeanFlow Studio"), QKeySequence(tr("F1")), tr("What this program is"));
  about_qt = add(menu, "about_qt", {}, tr("About &Qt"), QKeySequence(tr("Shift+F1")), tr("The toolkit of this window"));
}

void WindowMenus::setRecentRuns(const QStringList& folders) {
  recent->clear();
  for (int i = 0; i < folders.size(); ++i) {
    auto* action = recent->addAction(folders[i]);
    action->setToolTip(tr("Open this run"));
    action->setStatusTip(action->toolTip());
    if (i < 9) action->setShortcut(QKeySequence(QStringLiteral("Ctrl+Shift+%1").arg(i + 1)));
    connect(action, &QAction::triggered, this, [this, folder = folders[i]] { Q_EMIT runRequested(folder); });
  }
  recent->setEnabled(!folders.isEmpty());
}

}  // namespace meanflow::ui
