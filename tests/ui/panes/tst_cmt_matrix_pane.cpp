// SPDX-License-Identifier: Apache-2.0
#include <QSignalSpy>

#include "tests/support/studio_test.h"
#include "tests/ui/panes/pane_fixtures.h"
#include "ui/panes/cmt_matrix_pane.h"
#include "ui/panes/color_scale.h"

using namespace meanflow;           // NOLINT: a test
using namespace meanflow::testing;  // NOLINT
using ui::CmtMatrixPane;
using ui::ColorScale;

namespace {
/// The middle of a cell of an n by n matrix.
QPointF cellCentre(const CmtMatrixPane& pane, int n, int i, int j) {
  const QRectF matrix = pane.itemRect(item("matrix"));
  return matrix.topLeft() + QPointF((j + 0.5) * matrix.width() / n, (i + 0.5) * matrix.height() / n);
}

/// errors[i][j] = 10^(-(i + j)) for a 4 by 4 triangle: from 0.1 down to 1e-5.
base::CmtMatrixReady decades(std::int64_t step = 10) {
  base::CmtMatrixReady entry = cmtMatrix(step, 4, 1);
  for (int i = 0; i < 4; ++i) {
    for (int j = i + 1; j < 4; ++j)
      entry.errors[static_cast<std::size_t>(4 * i + j)] = std::pow(10.0F, -static_cast<float>(i + j));
  }
  return entry;
}
}  // namespace

class TestCmtMatrixPane : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void coloursCellsByTheLogarithmOfTheirError() {
    CmtMatrixPane pane;
    pane.setPalette(lightPalette());
    pane.addEntry(decades());
    showPane(pane, {700, 400});
    const QImage frame = pane.grabFrame();
    const ColorScale scale;
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) {
        const QColor seen = colorAt(frame, pane, cellCentre(pane, 4, i, j));
        const QColor expected = j > i ? scale.at(1 - (i + j - 1) / 4.0) : QColor(Qt::white);
        QVERIFY2(isNear(seen, expected, 4),
                 qPrintable(QStringLiteral("(%1, %2): %3 for %4").arg(i).arg(j).arg(text(seen), text(expected))));
      }
    }
  }

  void legendRunsFromLowestToHighest() {
    CmtMatrixPane pane;
    pane.addEntry(decades());
    showPane(pane, {700, 400});
    const QImage frame = pane.grabFrame();
    const QRectF legend = pane.itemRect(item("legend"));
    const ColorScale scale;
    QVERIFY(isNear(colorAt(frame, pane, {legend.center().x(), legend.bottom() - 3}), scale.at(0), 16));
    QVERIFY(isNear(colorAt(frame, pane, {legend.center().x(), legend.top() + 3}), scale.at(1), 16));
    QVERIFY(isNear(colorAt(frame, pane, legend.center()), scale.at(0.5), 16));
  }

  void matricesOfDifferentReferencesAreKeptApart() {
    CmtMatrixPane pane;
    const auto against = [](const char* reference, std::int64_t step, float factor) {
      auto entry = decades(step);
      entry.reference = reference;
      for (float& error : entry.errors) error *= factor;
      return entry;
    };
    pane.addEntry(against("fine", 10, 100));
    QCOMPARE(pane.reference(), std::string("fine"));  // all there is
    pane.addEntry(against("path", 20, 1));
    QCOMPARE(pane.reference(), std::string("path"));
    pane.addEntry(against("fine", 30, 100));
    pane.addEntry(against("path", 40, 1));
    QCOMPARE(pane.references(), (std::vector<std::string>{"path", "fine"}));
    QCOMPARE(pane.shown()->step, std::int64_t{40});
    showPane(pane, {900, 400});
    pane.grabFrame();
    QVERIFY(!pane.itemRect(item("reference")).isEmpty());
    QTest::keyClick(&pane, Qt::Key_Left);  // past the other reference's matrix
    QCOMPARE(pane.shown()->step, std::int64_t{20});
    // Its colours range over the matrices of its own reference: the highest error has the highest colour.
    const ColorScale scale;
    QVERIFY(isNear(colorAt(pane.grabFrame(), pane, cellCentre(pane, 4, 0, 1)), scale.at(1), 4));
    pane.setReference("fine");
    QCOMPARE(pane.shown()->step, std::int64_t{10});  // the nearest at or before
    QVERIFY(isNear(colorAt(pane.grabFrame(), pane, cellCentre(pane, 4, 0, 1)), scale.at(1), 4));
    QTest::keyClick(&pane, Qt::Key_A);
    QCOMPARE(pane.reference(), std::string("path"));
    pane.setEntries({against("path", 20, 1)});
    pane.grabFrame();
    QVERIFY(pane.itemRect(item("reference")).isEmpty());
  }

  void infiniteErrorsStandOut() {
    CmtMatrixPane pane;
    auto entry = decades();
    entry.errors[3] = std::numeric_limits<float>::infinity();
    pane.addEntry(entry);
    showPane(pane, {700, 400});
    const QColor seen = colorAt(pane.grabFrame(), pane, cellCentre(pane, 4, 0, 3));
    QVERIFY2(seen.red() > 180 && seen.green() < 90 && seen.blue() > 140, qPrintable(text(seen)));
  }

  void oneRangeShowsErrorsShrinkAndTheOtherShowsWhereTheyAre() {
    CmtMatrixPane pane;
    auto late = decades(20);
    for (float& error : late.errors) error *= 1e-3F;
    pane.addEntry(decades(10));
    pane.addEntry(late);
    showPane(pane, {700, 400});
    const ColorScale scale;
    QImage frame = pane.grabFrame();
    QVERIFY(
        isNear(colorAt(frame, pane, cellCentre(pane, 4, 0, 1)), scale.at(4.0 / 7), 4));  // 1e-4 between 1e-8 and 0.1
    QTest::keyClick(&pane, Qt::Key_R);
    frame = pane.grabFrame();
    QVERIFY(isNear(colorAt(frame, pane, cellCentre(pane, 4, 0, 1)), scale.at(1), 4));
  }

  void hoveringNamesTheCell() {
    CmtMatrixPane pane;
    pane.addEntry(decades());
    showPane(pane, {700, 400});
    pane.grabFrame();
    QCOMPARE(pane.cell(), QPoint(-1, -1));
    // The display server says in its own time that the pointer was moved.
    const auto cell = [&] { return pane.grabFrame(), pane.cell(); };
    QTest::mouseMove(&pane, cellCentre(pane, 4, 1, 3).toPoint());
    QTRY_COMPARE(cell(), QPoint(3, 1));
    QTest::mouseMove(&pane, cellCentre(pane, 4, 3, 1).toPoint());  // not a jump towards the image
    QTRY_COMPARE(cell(), QPoint(-1, -1));
  }

  void keysChooseACellWithinTheTriangle() {
    CmtMatrixPane pane;
    pane.addEntry(decades());
    showPane(pane, {700, 400});
    QTest::keyClick(&pane, Qt::Key_Left, Qt::ShiftModifier);
    QCOMPARE(pane.cell(), QPoint(3, 0));
    QTest::keyClick(&pane, Qt::Key_Left, Qt::ShiftModifier);
    QTest::keyClick(&pane, Qt::Key_Down, Qt::ShiftModifier);
    QCOMPARE(pane.cell(), QPoint(2, 1));
    QTest::keyClick(&pane, Qt::Key_Down, Qt::ShiftModifier);  // would leave the triangle
    QCOMPARE(pane.cell(), QPoint(2, 1));
  }

  void stepsThroughItsHistory() {
    CmtMatrixPane pane;
    for (int i = 0; i < 5; ++i) pane.addEntry(cmtMatrix(100 * (i + 1), 9, std::exp(-i)));
    showPane(pane, {700, 400});
    QCOMPARE(pane.shown()->step, 500);
    QSignalSpy picked(&pane, &CmtMatrixPane::stepPicked);
    QTest::keyClick(&pane, Qt::Key_Left);
    QCOMPARE(pane.shown()->step, 400);
    QCOMPARE(picked.count(), 1);
    const QImage before = pane.grabFrame();
    QTest::keyClick(&pane, Qt::Key_Home);
    QCOMPARE(pane.shown()->step, 100);
    QVERIFY(pane.grabFrame() != before);
    pane.addEntry(cmtMatrix(600, 9, 0.001));
    QCOMPARE(pane.shown()->step, 100);  // not live
    pane.setLive(true);
    QCOMPARE(pane.shown()->step, 600);
    pane.setStep(QStringLiteral("cmt"), 250);
    QCOMPARE(pane.shown()->step, 200);
  }

  void aMatrixOfTheWrongSizeIsSaidToBeEmpty() {
    CmtMatrixPane pane;
    auto entry = decades();
    entry.errors.pop_back();
    pane.addEntry(entry);
    showPane(pane, {700, 400});
    pane.grabFrame();
    QVERIFY(pane.itemRect(item("matrix")).isEmpty());
    QTest::keyClick(&pane, Qt::Key_Left, Qt::ShiftModifier);
    QCOMPARE(pane.cell(), QPoint(-1, -1));
  }
};
STUDIO_TEST(TestCmtMatrixPane)
#include "tst_cmt_matrix_pane.moc"
