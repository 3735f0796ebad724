// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QLineEdit>
#include <QMainWindow>
#include <QMenuBar>
#include <QSettings>
#include <QTemporaryDir>

#include "tests/support/studio_test.h"
#include "ui/models/fuzzy_match.h"
#include "ui/theme/theme.h"
#include "ui/window/command_palette.h"

using namespace meanflow;
using namespace meanflow::ui;

class TestCommandPalette : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
    settings_ = std::make_unique<QSettings>(dir_->filePath(QStringLiteral("settings.ini")), QSettings::IniFormat);
    window_ = std::make_unique<QMainWindow>();
    window_->resize(900, 600);
    auto* run = window_->menuBar()->addMenu(QStringLiteral("&Run"));
    for (const char* name : {"&Pause", "&Save now", "St&op and save"}) {
      auto* action = run->addAction(QLatin1String(name));
      action->setToolTip(QStringLiteral("tip of ") + QLatin1String(name));
      connect(action, &QAction::triggered, this, [this, name] { done_ << QLatin1String(name); });
    }
    run->actions()[0]->setShortcut(QKeySequence(QStringLiteral("Ctrl+P")));
    run->addSeparator();
    run->addMenu(QStringLiteral("Theme"))->addAction(QStringLiteral("Dark"));
    done_.clear();
    window_->show();
  }

  void lettersInOrderMatchAndWordStartsCount() {
    QVERIFY(!fuzzyMatch(QStringLiteral("xyz"), QStringLiteral("teacher.training.lr")));
    const auto match = fuzzyMatch(QStringLiteral("ttlr"), QStringLiteral("teacher.training.lr"));
    QVERIFY(match);
    QCOMPARE(match->positions, (QList<int>{0, 8, 17, 18}));
    QVERIFY(fuzzyMatch(QStringLiteral("save"), QStringLiteral("Run › Save now"))->score >
            fuzzyMatch(QStringLiteral("save"), QStringLiteral("Run › Stop and save elsewhere"))->score);
    QCOMPARE(fuzzyMatch(QStringLiteral(" "), QStringLiteral("anything"))->score, 0);
  }

  void everyActionOfTheMenusIsListed() {
    QStringList titles;
    for (const auto& entry : menuEntries(*window_->menuBar())) titles << entry.title;
    QCOMPARE(titles, (QStringList{QStringLiteral("Run › Pause"), QStringLiteral("Run › Save now"),
                                  QStringLiteral("Run › Stop and save"), QStringLiteral("Run › Theme › Dark")}));
    QCOMPARE(menuEntries(*window_->menuBar())[0].shortcut, QKeySequence(QStringLiteral("Ctrl+P")));
  }

  void typingAndEnterRunsWithTheKeyboardAlone() {
    CommandPalette palette(*theme_, *settings_, window_.get());
    palette.addProvider([this] { return menuEntries(*window_->menuBar()); });
    palette.openUp();
    auto* line = palette.findChild<QLineEdit*>();
    QTest::keyClicks(line, QStringLiteral("sto"));
    QCOMPARE(palette.shownTitles().front(), QStringLiteral("Run › Stop and save"));
    QTest::keyClick(line, Qt::Key_Return);
    QTRY_COMPARE(done_, (QStringList{QStringLiteral("St&op and save")}));
    QVERIFY(!palette.isVisible());
    // What was used lately comes first, also in another session.
    CommandPalette again(*theme_, *settings_, window_.get());
    again.addProvider([this] { return menuEntries(*window_->menuBar()); });
    again.openUp();
    QCOMPARE(again.shownTitles().front(), QStringLiteral("Run › Stop and save"));
    line = again.findChild<QLineEdit*>();
    QTest::keyClick(line, Qt::Key_Down);
    QTest::keyClick(line, Qt::Key_Return);
    QTRY_COMPARE(done_.size(), 2);
    QCOMPARE(done_.back(), QStringLiteral("&Pause"));
  }

  void whatIsNotPossibleNowDoesNotRun() {
    window_->menuBar()->actions()[0]->menu()->actions()[0]->setEnabled(false);
    CommandPalette palette(*theme_, *settings_, window_.get());
    palette.addProvider([this] { return menuEntries(*window_->menuBar()); });
    palette.openUp();
    auto* line = palette.findChild<QLineEdit*>();
    QTest::keyClicks(line, QStringLiteral("pause"));
    QCOMPARE(palette.shownTitles().front(), QStringLiteral("Run › Pause"));
    QTest::keyClick(line, Qt::Key_Return);
    QTest::qWait(30);
    QVERIFY(done_.isEmpty());
  }

 private:
  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
  std::unique_ptr<QSettings> settings_;
  std::unique_ptr<QMainWindow> window_;
  QStringList done_;
};

STUDIO_TEST(TestCommandPalette)
#include "tst_command_palette.moc"
