// SPDX-License-Identifier: Apache-2.0
#include <QSignalSpy>

#include "tests/support/studio_test.h"
#include "tests/ui/panes/pane_fixtures.h"
#include "ui/panes/trajectory_pane.h"

using namespace meanflow;           // NOLINT: a test
using namespace meanflow::testing;  // NOLINT
using ui::TrajectoryPane;

namespace {

/// A trajectory whose frames are plain colours, one a knot.
base::TrajectoryReady plainTrajectory(int num_knots) {
  base::TrajectoryReady entry = emojiTrajectory(0, 100, num_knots, 0.5);
  base::Image8 strip(8 * num_knots, 8);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < strip.width; ++x) {
      strip.at(x, y)[0] = static_cast<std::uint8_t>(20 + 25 * (x / 8));
      strip.at(x, y)[1] = 90;
      strip.at(x, y)[2] = static_cast<std::uint8_t>(240 - 25 * (x / 8));
    }
  }
  entry.frames = std::make_shared<const base::Image8>(std::move(strip));
  return entry;
}

QColor plainColor(int knot) { return {20 + 25 * knot, 90, 240 - 25 * knot}; }

}  // namespace

class TestTrajectoryPane : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void scrubbingShowsTheFrameOfEveryKnot() {
    TrajectoryPane pane;
    pane.addEntry(plainTrajectory(8));
    showPane(pane, {900, 520});
    for (const int knot : {0, 3, 7}) {
      pane.setKnot(knot);
      const QImage frame = pane.grabFrame();
      const QColor seen = colorAt(frame, pane, pane.itemRect(item("frame")).center());
      QVERIFY2(isNear(seen, plainColor(knot)), qPrintable(text(seen)));
    }
  }

  void showsEveryKnotInTheFilm() {
    TrajectoryPane pane;
    pane.addEntry(plainTrajectory(8));
    showPane(pane, {900, 520});
    const QImage frame = pane.grabFrame();
    const QRectF film = pane.itemRect(item("film"));
    int next = 0;  // colours in order from left to right
    for (double x = film.left(); x < film.right() && next < 8; ++x) {
      if (isNear(colorAt(frame, pane, QPointF(x, film.top() + 20)), plainColor(next))) ++next;
    }
    QCOMPARE(next, 8);
  }

  void aClickOnTheFilmPicksItsKnot() {
    TrajectoryPane pane;
    pane.addEntry(plainTrajectory(8));
    showPane(pane, {900, 520});
    const QImage frame = pane.grabFrame();
    const QRectF film = pane.itemRect(item("film"));
    double x = film.left();
    while (!isNear(colorAt(frame, pane, QPointF(x, film.top() + 20)), plainColor(5))) ++x;
    QSignalSpy changed(&pane, &TrajectoryPane::knotChanged);
    QTest::mouseClick(&pane, Qt::LeftButton, {}, QPointF(x + 4, film.top() + 20).toPoint());
    pane.grabFrame();
    QCOMPARE(pane.knot(), 5);
    QCOMPARE(changed.count(), 1);
  }

  void keysAndScrubberMoveTheKnot() {
    TrajectoryPane pane;
    pane.addEntry(plainTrajectory(8));
    showPane(pane, {640, 360});
    QTest::keyClick(&pane, Qt::Key_Right);
    QTest::keyClick(&pane, Qt::Key_Right);
    QCOMPARE(pane.knot(), 2);
    QTest::keyClick(&pane, Qt::Key_End);
    QCOMPARE(pane.knot(), 7);
    QTest::keyClick(&pane, Qt::Key_Right);
    QCOMPARE(pane.knot(), 7);
    pane.grabFrame();
    const QRectF scrub = pane.itemRect(item("scrub"));
    QTest::mouseClick(&pane, Qt::LeftButton, {}, QPointF(scrub.left() + 4, scrub.center().y()).toPoint());
    pane.grabFrame();
    QCOMPARE(pane.knot(), 0);
  }

  void playsToTheEndAndStops() {
    TrajectoryPane pane;
    pane.addEntry(plainTrajectory(4));
    showPane(pane, {640, 360});
    QTest::keyClick(&pane, Qt::Key_Space);
    QVERIFY(pane.isPlaying());
    QTRY_COMPARE(pane.knot(), 3);
    QTRY_VERIFY(!pane.isPlaying());
    waitIdle(pane);
    const qint64 count = pane.paintCount();
    QTest::qWait(400);
    QCOMPARE(pane.paintCount(), count);
  }

  void drawsThePathAndTheCurrentJump() {
    TrajectoryPane pane;
    pane.setPalette(lightPalette());
    pane.addEntry(plainTrajectory(8));
    showPane(pane, {900, 520});
    const QImage at_start = pane.grabFrame();
    const QRectF path = pane.itemRect(item("path")).adjusted(3, 3, -3, -3);
    const auto numNear = [&](const QImage& frame, const QColor& color) {
      int count = 0;
      for (double y = path.top(); y < path.bottom(); ++y) {
        for (double x = path.left(); x < path.right(); ++x) count += isNear(colorAt(frame, pane, {x, y}), color, 12);
      }
      return count;
    };
    QVERIFY2(numNear(at_start, lightPalette().color(QPalette::Highlight)) > 150, "no path");
    pane.setKnot(5);
    const QImage later = pane.grabFrame();
    int num_changed = 0;
    for (double y = path.top(); y < path.bottom(); ++y) {
      for (double x = path.left(); x < path.right(); ++x) {
        num_changed += !isNear(colorAt(at_start, pane, {x, y}), colorAt(later, pane, {x, y}), 24);
      }
    }
    QVERIFY2(num_changed > 100, "the jump shown did not change with the knot");
  }

  void drawsSpeedAndErrorAsTheirNumbersSay() {
    TrajectoryPane pane;
    pane.setPalette(lightPalette());
    base::TrajectoryReady entry = plainTrajectory(8);
    std::fill(entry.speed.begin(), entry.speed.end(), 1.0F);
    entry.speed.front() = 2.0F;  // the range goes to 2, all but the first at half height
    pane.addEntry(entry);
    showPane(pane, {900, 520});
    const QImage frame = pane.grabFrame();
    const QRectF speed = pane.itemRect(item("speed"));
    const QColor accent = lightPalette().color(QPalette::Highlight);
    const QColor middle = colorAt(frame, pane, QPointF(speed.left() + 0.5 * speed.width(), speed.center().y()));
    QVERIFY2(isNear(middle, accent, 60), qPrintable(text(middle)));
    const QColor above =
        colorAt(frame, pane, QPointF(speed.left() + 0.55 * speed.width(), speed.top() + 0.25 * speed.height()));
    QVERIFY2(!isNear(above, accent, 60), qPrintable(text(above)));
  }

  void chosenClassStaysWhenNewerOnesArrive() {
    TrajectoryPane pane;
    pane.addEntry(emojiTrajectory(0, 100, 5, 0.5));
    pane.addEntry(emojiTrajectory(1, 100, 5, 0.5));
    showPane(pane, {640, 360});
    QCOMPARE(pane.shown()->label, 1);
    QTest::keyClick(&pane, Qt::Key_C);
    QCOMPARE(pane.shown()->label, 0);
    pane.addEntry(emojiTrajectory(0, 200, 5, 0.5));
    pane.addEntry(emojiTrajectory(1, 200, 5, 0.5));
    QCOMPARE(pane.shown()->label, 0);
    QCOMPARE(pane.shown()->step, 200);
    QSignalSpy picked(&pane, &TrajectoryPane::stepPicked);
    QTest::keyClick(&pane, Qt::Key_Left, Qt::ControlModifier);
    QCOMPARE(pane.shown()->step, 100);
    QCOMPARE(picked.count(), 1);
    QVERIFY(!pane.isLive());
  }

  void showsATrajectoryWithoutJumpsOrFrames() {
    TrajectoryPane pane;
    base::TrajectoryReady entry = emojiTrajectory(0, 1, 5, 0.5);
    entry.jump_error.clear();
    entry.jump_x.clear();
    entry.jump_y.clear();
    entry.speed.clear();
    entry.frames.reset();
    pane.addEntry(entry);
    showPane(pane, {640, 360});
    pane.grabFrame();
    QVERIFY(!pane.itemRect(item("path")).isEmpty());
    pane.addEntry(base::TrajectoryReady{});
    pane.grabFrame();
    QVERIFY(pane.itemRect(item("path")).isEmpty());  // no knots: the pane says so instead
  }
};
STUDIO_TEST(TestTrajectoryPane)
#include "tst_trajectory_pane.moc"
