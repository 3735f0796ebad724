// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QFile>
#include <QLineEdit>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QToolButton>

#include "tests/support/studio_test.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/recent_runs.h"
#include "ui/models/run_catalog.h"
#include "ui/models/run_queue.h"
#include "ui/panels/extend_dialog.h"
#include "ui/panels/queue_panel.h"
#include "ui/panels/runs_panel.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;
using testing::madeUpRun;

class TestRuns : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
    qputenv("XDG_STATE_HOME", dir_->filePath(QStringLiteral("state")).toUtf8());
    settings_ = std::make_unique<QSettings>(dir_->filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
    recent_ = std::make_unique<RecentRuns>(*settings_);
  }

  void aCardSaysWhatTheRunDidLast() {
    const QString folder = makeRun(QStringLiteral("one"), {.num_stages = 3, .has_samples = false});
    const auto card = readRunCard(folder);
    QVERIFY(card.is_there);
    QCOMPARE(card.name, QStringLiteral("one"));
    QCOMPARE(card.state, base::RunState::kRunning);
    QVERIFY(card.isInterrupted());  // nobody holds its lock
    QCOMPARE(card.stage, QStringLiteral("teacher"));
    QCOMPARE(card.step, 960);
    QCOMPARE(readRunCard(makeRun(QStringLiteral("two"), {.is_finished = true, .has_samples = false})).state,
             base::RunState::kFinished);
    QVERIFY(!readRunCard(dir_->filePath(QStringLiteral("nothing"))).is_there);
  }

  void notesLieInTheRunFolderAndAreSearched() {
    const QString one = makeRun(QStringLiteral("one"), {.num_stages = 1, .has_samples = false});
    makeRun(QStringLiteral("two"), {.num_stages = 1, .has_samples = false});
    RunCatalog catalog(*recent_, dir_->filePath(QStringLiteral("runs")));
    RunsPanel panel(*theme_, catalog, *recent_, false);
    panel.resize(320, 500);
    panel.show();
    auto* list = panel.findChild<QListWidget*>();
    QTRY_COMPARE(list->count(), 2);
    for (int i = 0; i < 2; ++i) {
      if (list->item(i)->data(Qt::UserRole).toString() == one) list->setCurrentRow(i);
    }
    QTest::keyClicks(panel.findChild<QPlainTextEdit*>(), QStringLiteral("gentle start"));
    QTRY_COMPARE(readRunCard(one).notes, QStringLiteral("gentle start"));
    panel.findChild<QLineEdit*>()->setText(QStringLiteral("GENTLE"));
    QCOMPARE(list->count(), 1);
    QCOMPARE(list->item(0)->data(Qt::UserRole).toString(), one);
    panel.findChild<QLineEdit*>()->setText(QStringLiteral("no such run"));
    QVERIFY(!list->isVisible());  // the panel says why instead
  }

  void aTickLaysARunOver() {
    const QString one = makeRun(QStringLiteral("one"), {.num_stages = 1, .has_samples = false});
    RunCatalog catalog(*recent_, dir_->filePath(QStringLiteral("runs")));
    RunsPanel panel(*theme_, catalog, *recent_, false);
    panel.show();
    auto* list = panel.findChild<QListWidget*>();
    QTRY_COMPARE(list->count(), 1);
    QSignalSpy changed(&panel, &RunsPanel::overlayChanged);
    list->item(0)->setCheckState(Qt::Checked);
    QCOMPARE(changed.size(), 1);
    QCOMPARE(changed[0][0].toStringList(), QStringList{one});
  }

  void aBranchStandsBelowTheRunItLeft() {
    const QString parent = makeRun(QStringLiteral("parent"), {.num_stages = 5, .has_samples = false});
    // The names go against the order of the list, and so do the times.
    const auto branchOff = [&](const QString& name, const QString& from, std::int64_t step) {
      const QString folder = dir_->filePath(QStringLiteral("runs/") + name);
      base::RunBranched left{.parent = from.toStdString(), .stage = "mean_flow", .step = step};
      left.changes = {"mean_flow.eta: 0 -> 1"};
      testing::writeRunFolder(folder, {{0, 1.7e9, left},
                                       {1, 1.7e9, base::RunStarted{.run_name = name.toStdString()}},
                                       {2, 1.7e9, base::StateChanged{base::RunState::kStopped}}});
      return folder;
    };
    const QString child = branchOff(QStringLiteral("another"), parent, 100);
    const QString grandchild = branchOff(QStringLiteral("a third"), QStringLiteral("another"), 120);  // side by side
    const auto card = readRunCard(child);
    QCOMPARE(card.parent, parent);
    QCOMPARE(card.branch, QStringLiteral("branch of parent at MeanFlow step 100: mean_flow.eta: 0 → 1"));
    QCOMPARE(readRunCard(grandchild).parent, child);
    QVERIFY(readRunCard(parent).branch.isEmpty());
    RunCatalog catalog(*recent_, dir_->filePath(QStringLiteral("runs")));
    RunsPanel panel(*theme_, catalog, *recent_, false);
    panel.resize(360, 420);
    panel.show();
    auto* list = panel.findChild<QListWidget*>();
    QTRY_COMPARE(list->count(), 3);
    QStringList folders;
    for (int i = 0; i < 3; ++i) folders << list->item(i)->data(Qt::UserRole).toString();
    QCOMPARE(folders, QStringList({parent, child, grandchild}));
    QVERIFY(list->item(1)->text().startsWith(QStringLiteral("↳ another\n")));
    QVERIFY(list->item(1)->text().contains(QStringLiteral("branch of parent at MeanFlow step 100")));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("runs_branches")));
    panel.findChild<QLineEdit*>()->setText(QStringLiteral("a third"));  // without its parent it still is a branch
    QCOMPARE(list->count(), 1);
  }

  void runsThatAreEachOthersParentsAreListedAllTheSame() {
    std::vector<RunCard> cards(3);
    cards[0].folder = QStringLiteral("/a"), cards[0].parent = QStringLiteral("/b");
    cards[1].folder = QStringLiteral("/b"), cards[1].parent = QStringLiteral("/a");
    cards[2].folder = QStringLiteral("/c"), cards[2].parent = QStringLiteral("/gone");
    const auto ordered = asFamilies(cards);
    QCOMPARE(ordered.size(), std::size_t{3});
    QCOMPARE(ordered[0].first->folder, QStringLiteral("/c"));
    QCOMPARE(ordered[0].second, 0);
  }

  void theQueueIsReorderedKeptAndTakenUpAgain() {
    {
      RunQueue queue;
      QSignalSpy loaded(&queue, &RunQueue::loaded);
      queue.load();
      QTRY_COMPARE(loaded.size(), 1);
      for (const char* name : {"a", "b", "c"})
        queue.add(QLatin1String(name), QStringLiteral("/runs/") + QLatin1String(name), QStringLiteral("seed: 1\n"));
      queue.move(queue.runs()[2].id, -2);
      QCOMPARE(names(queue), (QStringList{QStringLiteral("c"), QStringLiteral("a"), QStringLiteral("b")}));
      queue.markRunning(queue.runs()[0].id);
      queue.remove(queue.runs()[0].id);  // not while it is being trained
      QCOMPARE(queue.runs().size(), 3u);
      queue.markEnded(queue.runs()[1].id, false, QStringLiteral("the disk is full"));
      QCOMPARE(queue.next()->name, QStringLiteral("b"));  // past the one that failed
      queue.flush();
      QVERIFY(QFile::exists(queue.runs()[0].config));
    }
    RunQueue queue;
    QSignalSpy loaded(&queue, &RunQueue::loaded);
    queue.load();
    QTRY_COMPARE(loaded.size(), 1);
    QCOMPARE(names(queue), (QStringList{QStringLiteral("c"), QStringLiteral("a"), QStringLiteral("b")}));
    QCOMPARE(queue.runs()[0].state, QueuedRun::State::kWaiting);  // it was cut off: it waits again
    QCOMPARE(queue.runs()[1].state, QueuedRun::State::kFailed);
    QCOMPARE(queue.runs()[1].remark, QStringLiteral("the disk is full"));
    QVERIFY(!queue.isGoing());
    const QString config = queue.runs()[0].config;
    queue.remove(queue.runs()[0].id);
    queue.flush();
    QVERIFY(!QFile::exists(config));
  }

  void theQueuePanelWorksByKeys() {
    RunQueue queue;
    QSignalSpy loaded(&queue, &RunQueue::loaded);
    queue.load();
    QTRY_COMPARE(loaded.size(), 1);
    QueuePanel panel(*theme_, queue);
    panel.resize(320, 300);
    panel.show();
    auto* list = panel.findChild<QListWidget*>();
    QVERIFY(!list->isVisible());
    for (const char* name : {"a", "b"})
      queue.add(QLatin1String(name), QStringLiteral("/runs/") + QLatin1String(name), QStringLiteral("seed: 1\n"));
    QTRY_VERIFY(list->isVisible());
    QApplication::setActiveWindow(&panel);
    list->setFocus();
    list->setCurrentRow(1);
    QTest::keyClick(list, Qt::Key_Up, Qt::AltModifier);
    QCOMPARE(names(queue), (QStringList{QStringLiteral("b"), QStringLiteral("a")}));
    QSignalSpy duplicate(&panel, &QueuePanel::duplicateRequested);
    for (auto* button : panel.findChildren<QToolButton*>()) {
      if (button->accessibleName() == QStringLiteral("Duplicate and change")) button->click();
    }
    QCOMPARE(duplicate.size(), 1);
    QCOMPARE(duplicate[0][1].toString(), QStringLiteral("b"));
    QTest::keyClick(list, Qt::Key_Delete);
    QCOMPARE(names(queue), (QStringList{QStringLiteral("a")}));
  }

  void extendingAsksForTheStageAndRaisesItsSteps() {
    const QString folder = makeRun(QStringLiteral("one"), {.num_stages = 1, .has_samples = false});
    QFile config(folder + QStringLiteral("/config.yaml"));
    QVERIFY(config.open(QIODevice::WriteOnly));
    config.write("stages: [teacher, report]\nteacher:\n  training:\n    steps: 400\n");
    config.close();
    auto* dialog = new ExtendDialog(folder, nullptr);
    QSignalSpy extended(dialog, &ExtendDialog::extendRequested);
    dialog->show();
    QPushButton* button = nullptr;
    for (auto* each : dialog->findChildren<QPushButton*>()) {
      if (each->accessibleName() == QStringLiteral("Extend now")) button = each;
    }
    QVERIFY(button);
    QTRY_VERIFY(button->isEnabled());
    button->click();
    QCOMPARE(extended.size(), 1);
    QCOMPARE(extended[0][1].toString(), QStringLiteral("teacher.training.steps=600"));
  }

 private:
  QString makeRun(const QString& name, const testing::MadeUpRunOptions& options) {
    const QString folder = dir_->filePath(QStringLiteral("runs/") + name);
    testing::writeRunFolder(folder, madeUpRun(options));
    return folder;
  }
  static QString out() { return QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"); }
  static QStringList names(const RunQueue& queue) {
    QStringList all;
    for (const auto& run : queue.runs()) all << run.name;
    return all;
  }
  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
  std::unique_ptr<QSettings> settings_;
  std::unique_ptr<RecentRuns> recent_;
};

STUDIO_TEST(TestRuns)
#include "tst_runs.moc"
