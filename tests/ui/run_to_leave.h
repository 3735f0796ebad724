// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <QAction>
#include <QApplication>
#include <QDockWidget>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QMenuBar>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeWidget>
#include <memory>

#include "tests/base/checkpoint_maker.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "tests/ui/obedient_host.h"
#include "ui/config/branch_dialog.h"
#include "ui/main_window.h"
#include "ui/panels/alarms_panel.h"
#include "ui/panels/runs_panel.h"
#include "ui/panels/step_timeline.h"
#include "ui/theme/theme.h"
#include "ui/window/step_actions.h"

namespace meanflow::testing {

using namespace ui;

/// A recorded run with alarms and checkpoints, and once it is asked for the window that shows it: what tests of
/// branches and replays start from.
class RunToLeave : public QObject {
 protected:
  void makeRun() {
    dir_ = std::make_unique<QTemporaryDir>();
    qputenv("XDG_STATE_HOME", dir_->filePath(QStringLiteral("state")).toUtf8());
    settings_ = std::make_unique<QSettings>(dir_->filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
    run_ = dir_->filePath(QStringLiteral("runs/emoji"));
    auto records = madeUpRun({.has_samples = false, .state = base::RunState::kFailed});
    for (auto& record : madeUpAlarms("mean_flow")) records.push_back(std::move(record));
    for (std::size_t i = 0; i < records.size(); ++i) records[i].sequence = static_cast<std::int64_t>(i);
    writeRunFolder(run_, records);
    QFile config(run_ + QStringLiteral("/config.yaml"));
    QVERIFY(config.open(QIODevice::WriteOnly));
    config.write(
        "stages: [encoder, decoder, teacher, cmt, mean_flow]\nteacher:\n  training:\n    lr: 0.002\n"
        "mean_flow:\n  training:\n    skip_steps: [7]\n    clip_grad: 2.5\n");
    config.close();
    for (const int step : {200, 400, 1600})
      writeMadeUpCheckpoint(run_.toStdString(), {.stage = "teacher", .step = step});
    writeMadeUpCheckpoint(run_.toStdString(), {.stage = "mean_flow", .step = 100});
  }
  void open() {
    window_ = std::make_unique<MainWindow>(*theme_, *settings_, [this](QString*) { return host_ = new ObedientHost; });
    window_->resize(1280, 720);
    window_->show();
    QApplication::setActiveWindow(window_.get());  // there is no window manager to do it
    window_->loadTrainingLibrary();
    QTRY_VERIFY(window_->isTrainingReady());
    window_->openFolder(run_);
    QTRY_VERIFY(!window_->source()->isLoading());
    QTRY_VERIFY(window_->timeline().cursor().step > 0);
  }
  QAction* action(const char* name) const {
    for (auto* each : window_->menuBar()->findChildren<QAction*>())
      if (each->objectName() == QLatin1String(name)) return each;
    return window_->findChild<QAction*>(QLatin1String(name));
  }
  BranchDialog* askBy(const char* name) const {
    action(name)->trigger();
    return window_->stepActions().dialog();
  }
  void chooseAlarm(AlarmsPanel& panel, int row) const {
    window_->setPerspective(MainWindow::Perspective::kDiagnose);
    auto* dock = window_->findChild<QDockWidget*>(QStringLiteral("alarms"));
    dock->show();
    dock->raise();
    window_->timeline().setCursor(QStringLiteral("mean_flow"), 120);
    QTRY_COMPARE(panel.numRows(), 3);
    panel.list().setCurrentItem(panel.list().topLevelItem(row));
  }
  QStringList overlaid() const {
    for (const auto* panel : window_->findChildren<RunsPanel*>())
      if (!panel->overlaid().isEmpty()) return panel->overlaid();
    return {};
  }
  static QLineEdit* lineCalled(const QWidget& within, const char* name) {
    for (auto* line : within.findChildren<QLineEdit*>())
      if (line->accessibleName() == QLatin1String(name)) return line;
    return nullptr;
  }
  /// Whether a label in sight has the words.
  static bool says(const QWidget& within, const char* words) {
    for (const auto* label : within.findChildren<QLabel*>())
      if (label->isVisibleTo(&within) && label->text().contains(QString::fromUtf8(words))) return true;
    return false;
  }
  static QString out() { return QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"); }
  template <class Button>
  static Button* buttonCalled(const QWidget& within, const char* name) {
    for (auto* button : within.findChildren<Button*>())
      if (button->accessibleName() == QString::fromUtf8(name)) return button;
    return nullptr;
  }

  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
  std::unique_ptr<QSettings> settings_;
  std::unique_ptr<MainWindow> window_;
  ObedientHost* host_ = nullptr;
  QString run_;
};

}  // namespace meanflow::testing
