// SPDX-License-Identifier: Apache-2.0
//
// What holds for every panel of the window, in every state a run can be in: it says something, its controls have names,
// and Tab reaches them all. Panels are found, not listed: a new one is tested with the rest.
#include <QAbstractButton>
#include <QApplication>
#include <QDir>
#include <QDockWidget>
#include <QMenuBar>
#include <QSet>
#include <QSettings>
#include <QTemporaryDir>

#include "tests/base/checkpoint_maker.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "tests/ui/obedient_host.h"
#include "ui/main_window.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

const QStringList kStatesOfARun = {QStringLiteral("empty"), QStringLiteral("loading"), QStringLiteral("live"),
                                   QStringLiteral("failed")};

QString described(const QWidget* widget) {
  return QStringLiteral("%1 '%2' in %3")
      .arg(QLatin1String(widget->metaObject()->className()),
           widget->accessibleName().isEmpty() ? widget->objectName() : widget->accessibleName(),
           widget->parent() ? QLatin1String(widget->parent()->metaObject()->className()) : QString());
}

/// The controls in `place` that Tab has to reach.
QList<QWidget*> tabStopsIn(const QWidget& place) {
  QList<QWidget*> stops;
  for (auto* widget : place.findChildren<QWidget*>()) {
    if (widget->isVisible() && widget->isEnabled() && (widget->focusPolicy() & Qt::TabFocus) &&
        widget->window() == place.window() && !widget->focusProxy())
      stops << widget;
  }
  return stops;
}

struct TabWalk {
  QSet<QWidget*> reached;
  QString trap;  ///< Where the focus stayed or was lost; empty if it came back to where it began.
};

/// Tab (or Shift and Tab) pressed from `start` on until the focus is there again.
TabWalk tabFrom(QWidget* start, bool is_backward) {
  TabWalk walk;
  start->setFocus(Qt::TabFocusReason);
  auto* at = QApplication::focusWidget();
  if (at != start) return walk.trap = described(start) + QStringLiteral(" does not take the focus"), walk;
  while (!walk.reached.contains(at)) {
    walk.reached.insert(at);
    is_backward ? QTest::keyClick(at, Qt::Key_Backtab, Qt::ShiftModifier) : QTest::keyClick(at, Qt::Key_Tab);
    auto* next = QApplication::focusWidget();
    if (!next) return walk.trap = QStringLiteral("the focus is lost after ") + described(at), walk;
    at = next;
  }
  if (at != start) walk.trap = QStringLiteral("the focus comes back to %1 only").arg(described(at));
  return walk;
}

bool isUnnamed(const QWidget* widget) {
  const QByteArray kind = widget->metaObject()->className();
  if (kind == "QWidget" || kind == "QComboBoxListView" || widget->objectName().startsWith(QStringLiteral("qt_")))
    return false;  // Qt's own, inside a control that has the name
  if (!(widget->focusPolicy() & Qt::TabFocus) || !widget->accessibleName().isEmpty()) return false;
  const auto* button = qobject_cast<const QAbstractButton*>(widget);
  return !button || button->text().isEmpty();
}

}  // namespace

class TestEveryPanel : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
    settings_ = std::make_unique<QSettings>(dir_->filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
  }
  void cleanup() { window_.reset(); }

  void saysSomething_data() { statesAsRows(); }
  void saysSomething() {
    QFETCH(QString, state);
    const QString out = QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/panels");
    QVERIFY(QDir().mkpath(out));
    QVERIFY(enter(state));
    for (auto* dock : docks()) {
      showAlone(*dock, state);
      const QImage picture = dock->widget()->grab().toImage();
      QVERIFY(picture.width() > 100 && picture.height() > 60);
      QSet<QRgb> colours;
      for (int y = 0; y < picture.height(); y += 2) {
        for (int x = 0; x < picture.width(); x += 2) colours.insert(picture.pixel(x, y));
      }
      QVERIFY2(colours.size() > 8, qPrintable(dock->objectName() + QStringLiteral(" is blank while ") + state));
      QVERIFY(picture.save(QStringLiteral("%1/%2_%3.png").arg(out, dock->objectName(), state)));
    }
    QVERIFY(isStillIn(state));
  }

  void itsControlsHaveNames_data() { statesAsRows(); }
  void itsControlsHaveNames() {
    QFETCH(QString, state);
    QVERIFY(enter(state));
    QSet<QString> unnamed;
    const auto look = [&] {
      for (const auto* widget : window_->findChildren<QWidget*>())
        if (isUnnamed(widget)) unnamed.insert(described(widget));
    };
    settle(state);  // the tab bars of the docks are made when they are laid out
    if (state != QStringLiteral("loading")) QTest::qWait(50);
    look();
    for (auto* dock : docks()) {
      showAlone(*dock, state);
      look();
    }
    QVERIFY2(unnamed.isEmpty(), qPrintable(QStringList(unnamed.values()).join(QStringLiteral("; "))));
    QVERIFY(isStillIn(state));
  }

  void tabReachesItsControlsAndComesBack_data() { statesAsRows(); }
  void tabReachesItsControlsAndComesBack() {
    QFETCH(QString, state);
    QVERIFY(enter(state));
    QStringList wrong;
    int num_stops = 0;
    for (auto* dock : docks()) {
      showAlone(*dock, state);
      const auto stops = tabStopsIn(*dock);
      num_stops += static_cast<int>(stops.size());
      if (stops.isEmpty()) continue;
      for (const bool is_backward : {false, true}) {
        const auto walk = tabFrom(stops.front(), is_backward);
        const QString place =
            dock->objectName() + (is_backward ? QStringLiteral(" (backwards): ") : QStringLiteral(": "));
        if (!walk.trap.isEmpty()) wrong << place + walk.trap;
        for (const auto* stop : stops)
          if (!walk.reached.contains(const_cast<QWidget*>(stop)))
            wrong << place + described(stop) + QStringLiteral(" is not reached");
      }
    }
    QVERIFY2(wrong.isEmpty(), qPrintable(u'\n' + wrong.join(u'\n')));
    QVERIFY2(num_stops > 2 * docks().size(), qPrintable(QString::number(num_stops)));
    QVERIFY(isStillIn(state));
  }

  void everyActionHasATipAndAKeyOfItsOwn() {
    QVERIFY(enter(QStringLiteral("failed")));
    QSet<QKeySequence> keys;
    for (const auto* action : window_->menuBar()->findChildren<QAction*>()) {
      if (!action->shortcut().isEmpty()) {
        QVERIFY2(!keys.contains(action->shortcut()), qPrintable(action->text()));
        keys.insert(action->shortcut());
      }
      if (action->isSeparator() || action->menu() || action->text().isEmpty() || action->text().startsWith(u'/'))
        continue;
      QVERIFY2(!action->toolTip().isEmpty(), qPrintable(action->text()));
      QVERIFY2(!action->shortcut().isEmpty(), qPrintable(action->text()));
    }
    QVERIFY(keys.size() > 10);
  }

 private:
  static void statesAsRows() {
    QTest::addColumn<QString>("state");
    for (const auto& state : kStatesOfARun) QTest::newRow(qPrintable(state)) << state;
  }

  QList<QDockWidget*> docks() const { return window_->findChildren<QDockWidget*>(); }

  /// A window with a run in that state; the training library is there, so that what needs it can be reached.
  bool enter(const QString& state) {
    window_ = std::make_unique<MainWindow>(*theme_, *settings_, [](QString*) { return new testing::ObedientHost; });
    window_->resize(1280, 720);
    window_->show();
    QApplication::setActiveWindow(window_.get());  // there is no window manager to do it
    window_->loadTrainingLibrary();
    if (!QTest::qWaitFor([&] { return window_->isTrainingReady(); })) return false;
    if (state == QStringLiteral("empty")) {
      window_->openNewRun();
    } else if (state == QStringLiteral("live")) {
      window_->setDemoOptions({.out_folder = dir_->filePath(QStringLiteral("demo"))});
      window_->startDemo();
      if (!QTest::qWaitFor([&] { return window_->controller().actions().can_pause; })) return false;
    } else {
      window_->openFolder(writeRun(state));
      if (state != QStringLiteral("loading") && !QTest::qWaitFor([&] { return !window_->source()->isLoading(); }))
        return false;
    }
    return isStillIn(state) && docks().size() > 10;
  }

  bool isStillIn(const QString& state) const {
    const auto* source = window_->source();
    if (state == QStringLiteral("empty")) return !source;
    if (state == QStringLiteral("loading")) return source && source->isLoading();
    return source && source->summary().state ==
                         (state == QStringLiteral("live") ? base::RunState::kRunning : base::RunState::kFailed);
  }

  /// A run with something for every panel.
  QString writeRun(const QString& name) const {
    const QString folder = dir_->filePath(name);
    auto records = testing::madeUpRun({.has_samples = false, .state = base::RunState::kFailed});
    for (auto& record : testing::madeUpBlocks("cmt", 900, 10, 12)) records.push_back(std::move(record));
    for (auto& record : testing::madeUpResiduals("mean_flow", 300, 10, 1)) records.push_back(std::move(record));
    for (auto& record : testing::madeUpTimeFigures("mean_flow", 300, 10)) records.push_back(std::move(record));
    for (auto& record : testing::madeUpAlarms("mean_flow")) records.push_back(std::move(record));
    std::vector<base::EventRecord> fine;
    for (const auto& record : records) {
      if (const auto* matrix = std::get_if<base::CmtMatrixReady>(&record.event)) {
        fine.push_back({0, 1.76e9, *matrix});
        std::get<base::CmtMatrixReady>(fine.back().event).reference = "fine";
      }
    }
    for (auto& record : fine) records.push_back(std::move(record));
    records.push_back({0, 1.76e9, testing::madeUpDerivative("mean_flow", 100, 0.005)});
    for (std::size_t i = 0; i < records.size(); ++i) records[i].sequence = static_cast<std::int64_t>(i);
    testing::writeRunFolder(folder, records);
    for (const int step : {100, 200})
      testing::writeMadeUpCheckpoint(folder.toStdString(), {.stage = "teacher", .step = step});
    testing::writeMadeUpReport(folder, {"face", "person", "heart", "clock", "flag", "button", "moon", "ball"}, 20,
                               [](const std::string& row, int label) { return row == "cmt_1" ? 0.5 : 0.12 * label; });
    return folder;
  }

  void settle(const QString& state) const {
    if (state != QStringLiteral("loading")) return QTest::qWait(100);
    // What the reader of the run has found waits in the queue, and the panels go on loading.
    for (int i = 0; i < 3; ++i) QCoreApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);
  }

  void showAlone(QDockWidget& dock, const QString& state) const {
    for (auto* other : docks()) other->setVisible(other == &dock);
    settle(state);
  }

  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
  std::unique_ptr<QSettings> settings_;
  std::unique_ptr<MainWindow> window_;
};

STUDIO_TEST(TestEveryPanel)
#include "tst_every_panel.moc"
