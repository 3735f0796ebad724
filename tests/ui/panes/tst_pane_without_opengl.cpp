// SPDX-License-Identifier: Apache-2.0
//
// Runs on the offscreen platform, which has no OpenGL.
#include <QSignalSpy>

#include "tests/support/studio_test.h"
#include "tests/ui/panes/pane_fixtures.h"
#include "ui/panes/cmt_matrix_pane.h"
#include "ui/panes/trajectory_pane.h"

using namespace meanflow;           // NOLINT: a test
using namespace meanflow::testing;  // NOLINT

class TestPaneWithoutOpenGl : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void paintsAMessageInsteadOfCrashing() {
    ui::SampleGridPane pane;
    QVERIFY(!pane.hasOpenGl());
    QVERIFY(ui::openGlProblem().contains(QLatin1String("offscreen")));
    pane.setPalette(lightPalette());
    pane.resize(640, 360);
    pane.setEntries(emojiRun(2));
    pane.show();
    const QImage frame = pane.grabFrame();
    QCOMPARE(frame.pixelColor(3, 3), lightPalette().color(QPalette::Window));
    QVERIFY(numDifferent(frame, pane, QRectF(0, 0, 640, 360), lightPalette().color(QPalette::Window)) > 500);
  }

  void stillStepsAndTakesInput() {
    ui::SampleGridPane pane;
    pane.resize(640, 360);
    pane.setEntries(emojiRun(3));
    pane.show();
    QSignalSpy picked(&pane, &ui::SampleGridPane::stepPicked);
    QTest::keyClick(&pane, Qt::Key_Left);
    QCOMPARE(picked.count(), 1);
    QCOMPARE(pane.shown()->step, 200);
    turnWheel(pane, {100, 100}, 1);
    QTest::mouseDClick(&pane, Qt::LeftButton, {}, QPoint(50, 50));
    QCOMPARE(pane.paintCount(), 0);
  }

  void everyPaneIsNamedAndTakesTheFocus() {
    ui::SampleGridPane grids;
    ui::TrajectoryPane trajectories;
    ui::CmtMatrixPane matrix;
    for (const ui::ImGuiWidget* pane :
         {static_cast<ui::ImGuiWidget*>(&grids), static_cast<ui::ImGuiWidget*>(&trajectories),
          static_cast<ui::ImGuiWidget*>(&matrix)}) {
      QVERIFY(!pane->accessibleName().isEmpty());
      QVERIFY(!pane->accessibleDescription().isEmpty());
      QCOMPARE(pane->focusPolicy(), Qt::StrongFocus);
      QVERIFY(pane->keyBindings().size() >= 8);
    }
    const QString empty = matrix.accessibleDescription();
    matrix.addEntry(cmtMatrix(100, 5, 1));
    QVERIFY(matrix.accessibleDescription() != empty);
    QVERIFY(matrix.accessibleDescription().contains(QLatin1String("step 100")));
  }
};
STUDIO_TEST(TestPaneWithoutOpenGl)
#include "tst_pane_without_opengl.moc"
