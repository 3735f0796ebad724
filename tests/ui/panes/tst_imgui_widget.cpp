// SPDX-License-Identifier: Apache-2.0
#include <QMainWindow>
#include <QVBoxLayout>

#include "tests/support/studio_test.h"
#include "tests/ui/panes/pane_fixtures.h"
#include "ui/panes/cmt_matrix_pane.h"
#include "ui/panes/trajectory_pane.h"

using namespace meanflow;           // NOLINT: a test
using namespace meanflow::testing;  // NOLINT

class TestImGuiWidget : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void drawsNothingWhenIdle() {
    ui::SampleGridPane pane;
    pane.setEntries(emojiRun(2));
    showPane(pane, {640, 360});
    waitIdle(pane);
    const qint64 before = pane.paintCount();
    QTest::qWait(400);
    QCOMPARE(pane.paintCount(), before);
  }

  void drawsAFewFramesAfterInputAndStopsAgain() {
    ui::SampleGridPane pane;
    pane.setEntries(emojiRun(2));
    showPane(pane, {640, 360});
    waitIdle(pane);
    const qint64 before = pane.paintCount();
    QTest::mouseMove(&pane, QPoint(200, 150));
    QTRY_VERIFY(pane.paintCount() > before);
    waitIdle(pane);
    QVERIFY2(pane.paintCount() - before < 12, qPrintable(QString::number(pane.paintCount() - before)));
  }

  void followsThePaletteAtRunTime() {
    ui::CmtMatrixPane pane;
    pane.setPalette(lightPalette());
    showPane(pane, {640, 360});
    const QColor light = colorAt(pane.grabFrame(), pane, {4, 4});
    QVERIFY2(isNear(light, lightPalette().color(QPalette::Window)), qPrintable(text(light)));
    pane.setPalette(darkPalette());
    const QColor dark = colorAt(pane.grabFrame(), pane, {4, 4});
    QVERIFY2(isNear(dark, darkPalette().color(QPalette::Window)), qPrintable(text(dark)));
  }

  void aClickShorterThanAFrameIsNotLost() {
    ui::SampleGridPane pane;
    pane.setEntries(emojiRun(3));
    showPane(pane, {640, 360});
    pane.grabFrame();
    const QPoint previous = pane.itemRect(QStringLiteral("previous")).center().toPoint();
    QTest::mouseClick(&pane, Qt::LeftButton, {}, previous);  // both events before any frame
    QTest::mouseClick(&pane, Qt::LeftButton, {}, previous);
    pane.grabFrame();
    QCOMPARE(pane.shown()->step, 100);
  }

  void lettersHaveTheirShapes() {
    // A label "l" is one upright stroke, "_" one lying stroke: the rows and columns with ink tell them apart.
    const auto inkOf = [](const char* label) {
      ui::SampleGridPane pane;
      pane.setPalette(lightPalette());
      auto entry = gridEntry("cmt", 1, "one_step", 1, codedImage(32, 32), 1, 1);
      entry.row_labels = std::make_shared<const std::vector<std::string>>(std::vector<std::string>{label});
      pane.addEntry(entry);
      showPane(pane, {640, 360});
      const QImage frame = pane.grabFrame();
      const QRect labels = pane.itemRect(QStringLiteral("labels")).toRect();
      const QColor background = lightPalette().color(QPalette::Window);
      QRect ink;
      for (int y = labels.top(); y < labels.bottom(); ++y) {
        for (int x = labels.left(); x < labels.right(); ++x) {
          if (!isNear(frame.pixelColor(x, y), background, 60)) ink |= QRect(x, y, 1, 1);
        }
      }
      return ink.size();
    };
    const QSize upright = inkOf("l");
    const QSize lying = inkOf("_");
    QVERIFY2(upright.height() >= 7 && upright.width() <= 3, qPrintable(QString::number(upright.height())));
    QVERIFY2(lying.width() >= 4 && lying.height() <= 3, qPrintable(QString::number(lying.width())));
  }

  void growsItsTextWithTheFont() {
    ui::SampleGridPane pane;
    pane.setEntries(emojiRun(2));
    showPane(pane, {640, 360});
    pane.grabFrame();
    const double before = pane.itemRect(QStringLiteral("fit")).height();
    QFont font = pane.font();
    font.setPixelSize(2 * QFontInfo(font).pixelSize());
    pane.setFont(font);
    pane.grabFrame();
    const double after = pane.itemRect(QStringLiteral("fit")).height();
    QVERIFY2(after > 1.5 * before, qPrintable(QStringLiteral("%1 -> %2").arg(before).arg(after)));
  }

  void survivesAMoveToAnotherWindow() {
    QMainWindow first;
    auto* pane = new ui::SampleGridPane;  // NOLINT: owned by its window
    pane->setEntries(emojiRun(2));
    first.setCentralWidget(pane);
    first.resize(640, 400);
    first.show();
    QVERIFY(QTest::qWaitForWindowExposed(&first));
    QTRY_VERIFY(pane->paintCount() > 0);
    const QImage before = pane->grabFrame();
    QMainWindow second;
    second.resize(640, 400);
    second.setCentralWidget(first.takeCentralWidget());  // its GL context goes and comes anew
    second.show();
    QVERIFY(QTest::qWaitForWindowExposed(&second));
    const qint64 count = pane->paintCount();
    pane->requestRedraw();
    QTRY_VERIFY(pane->paintCount() > count);
    QCOMPARE(pane->grabFrame(), before);
    QVERIFY(pane->textureBytes() > 0);
  }

  void severalPanesDrawInOneWindow() {
    QWidget window;
    QVBoxLayout layout(&window);
    ui::SampleGridPane grids;
    ui::TrajectoryPane trajectories;
    grids.setEntries(emojiRun(2));
    trajectories.addEntry(emojiTrajectory(1, 100, 9, 0.4));
    layout.addWidget(&grids);
    layout.addWidget(&trajectories);
    window.resize(700, 720);
    window.show();
    QVERIFY(QTest::qWaitForWindowExposed(&window));
    QTRY_VERIFY(grids.paintCount() > 0 && trajectories.paintCount() > 0);
    grids.grabFrame();
    trajectories.grabFrame();
    QVERIFY(!grids.itemRect(QStringLiteral("image")).isEmpty());
    QVERIFY(!trajectories.itemRect(QStringLiteral("film")).isEmpty());
    QVERIFY(trajectories.itemRect(QStringLiteral("image")).isEmpty());
  }

  void leavesKeysItDoesNotKnowToTheWindow() {
    ui::SampleGridPane pane;
    showPane(pane, {640, 360});
    QKeyEvent known(QEvent::ShortcutOverride, Qt::Key_F, Qt::NoModifier);
    known.ignore();
    QApplication::sendEvent(&pane, &known);
    QVERIFY(known.isAccepted());
    QKeyEvent unknown(QEvent::ShortcutOverride, Qt::Key_K, Qt::ControlModifier);
    unknown.ignore();
    QApplication::sendEvent(&pane, &unknown);
    QVERIFY(!unknown.isAccepted());
    QKeyEvent tab(QEvent::KeyPress, Qt::Key_F6, Qt::NoModifier);
    QApplication::sendEvent(&pane, &tab);
    QVERIFY(!tab.isAccepted());
  }

  void listsItsKeysUnderTheQuestionMark() {
    ui::SampleGridPane pane;
    pane.setPalette(lightPalette());
    pane.setEntries(emojiRun(2));
    showPane(pane, {900, 600});
    const QImage before = pane.grabFrame();
    QTest::mouseMove(&pane, pane.itemRect(QStringLiteral("help")).center().toPoint());
    const auto numChanged = [&] {
      const QImage after = pane.grabFrame();
      int count = 0;
      for (int y = 0; y < after.height(); y += 2)
        for (int x = 0; x < after.width(); x += 2) count += before.pixel(x, y) != after.pixel(x, y);
      return count;
    };
    QTRY_VERIFY(numChanged() > 2000);
  }
};
STUDIO_TEST(TestImGuiWidget)
#include "tst_imgui_widget.moc"
