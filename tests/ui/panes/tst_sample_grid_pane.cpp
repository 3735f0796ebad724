// SPDX-License-Identifier: Apache-2.0
#include <QScreen>
#include <QSignalSpy>
#include <latch>

#include "tests/support/studio_test.h"
#include "tests/ui/panes/pane_fixtures.h"

using namespace meanflow;           // NOLINT: a test
using namespace meanflow::testing;  // NOLINT
using ui::SampleGridPane;

namespace {

/// Where pixel (x, y) of the picture is, the picture centred and whole in its area.
QPointF centreOfPixel(const SampleGridPane& pane, const QSize& picture, int x, int y, const char* name = "image") {
  const QRectF area = pane.itemRect(item(name));
  const QPointF corner = area.center() - QPointF(picture.width(), picture.height()) * pane.zoom() / 2;
  return corner + QPointF(x + 0.5, y + 0.5) * pane.zoom();
}

QColor pixelOf(const base::Image8& image, int x, int y) {
  const std::uint8_t* rgb = image.at(x, y);
  return {rgb[0], rgb[1], rgb[2]};
}

}  // namespace

class TestSampleGridPane : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void showsEveryTexelInItsPlaceAndSharp() {
    SampleGridPane pane;
    const base::Image8 image = codedImage(16, 8);
    pane.addEntry(gridEntry("cmt", 1, "one_step", 1, image, 2, 4));
    showPane(pane, {640, 360});
    const QImage frame = pane.grabFrame();
    QVERIFY(pane.zoom() >= 8);
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 16; ++x) {
        const QPointF centre = centreOfPixel(pane, {16, 8}, x, y);
        // Also near its corners: nearest filtering does not blend.
        for (const QPointF& off : {QPointF(0, 0), QPointF(-0.4, -0.4), QPointF(0.38, 0.38)}) {
          const QColor seen = colorAt(frame, pane, centre + off * pane.zoom());
          QVERIFY2(
              isNear(seen, pixelOf(image, x, y)),
              qPrintable(
                  QStringLiteral("(%1, %2): %3 for %4").arg(x).arg(y).arg(text(seen), text(pixelOf(image, x, y)))));
        }
      }
    }
  }

  void keepsThePixelUnderTheCursorWhileZooming() {
    SampleGridPane pane;
    const base::Image8 image = codedImage(64, 32);
    pane.addEntry(gridEntry("cmt", 1, "one_step", 1, image, 2, 4));
    showPane(pane, {640, 360});
    pane.grabFrame();
    const double fitted = pane.zoom();
    const QPointF cursor = centreOfPixel(pane, {64, 32}, 20, 10);
    turnWheel(pane, cursor, 1);
    turnWheel(pane, cursor, 4);
    const QImage frame = pane.grabFrame();
    QVERIFY2(std::abs(pane.zoom() - fitted * std::pow(1.25, 5)) < 1e-4 * fitted,
             qPrintable(QString::number(pane.zoom())));
    const QColor seen =
        colorAt(frame, pane, cursor + QPointF(-3, 3));  // beside the outline of the pixel under the cursor
    QVERIFY2(isNear(seen, pixelOf(image, 20, 10)), qPrintable(text(seen)));
  }

  void fitsAgainOnDoubleClickAndOnF() {
    SampleGridPane pane;
    pane.addEntry(gridEntry("cmt", 1, "one_step", 1, codedImage(64, 32), 2, 4));
    showPane(pane, {640, 360});
    pane.grabFrame();
    const double fitted = pane.zoom();
    const QPoint centre = pane.itemRect(item("image")).center().toPoint();
    turnWheel(pane, centre, 6);
    pane.grabFrame();
    QVERIFY(pane.zoom() > 2 * fitted);
    QTest::mouseDClick(&pane, Qt::LeftButton, {}, centre);
    pane.grabFrame();
    QCOMPARE(pane.zoom(), fitted);
    turnWheel(pane, centre, 3);
    pane.grabFrame();
    QTest::keyClick(&pane, Qt::Key_F);
    pane.grabFrame();
    QCOMPARE(pane.zoom(), fitted);
    QTest::keyClick(&pane, Qt::Key_Plus);
    QCOMPARE(pane.zoom(), 1.25 * fitted);
  }

  void dragMovesThePictureWithTheCursor() {
    SampleGridPane pane;
    const base::Image8 image = codedImage(64, 32);
    pane.addEntry(gridEntry("cmt", 1, "one_step", 1, image, 2, 4));
    showPane(pane, {640, 360});
    pane.grabFrame();
    const QPointF start = centreOfPixel(pane, {64, 32}, 30, 15);
    turnWheel(pane, start, 6);
    pane.grabFrame();
    const QPoint from = start.toPoint();
    QTest::mousePress(&pane, Qt::LeftButton, {}, from);
    QTest::mouseMove(&pane, from + QPoint(20, 5));
    pane.grabFrame();
    QTest::mouseMove(&pane, from + QPoint(70, 40));
    pane.grabFrame();
    QTest::mouseRelease(&pane, Qt::LeftButton, {}, from + QPoint(70, 40));
    QTest::mouseMove(&pane, QPoint(3, 3));
    const QImage frame = pane.grabFrame();
    const QColor seen = colorAt(frame, pane, start + QPointF(70, 40));
    QVERIFY2(isNear(seen, pixelOf(image, 30, 15)), qPrintable(text(seen)));
  }

  void keepsLabelsInSightAtAnyZoom() {
    SampleGridPane pane;
    pane.setPalette(lightPalette());
    pane.setEntries(emojiRun(2));
    showPane(pane, {640, 360});
    const QColor background = lightPalette().color(QPalette::Window);
    QImage frame = pane.grabFrame();
    const QRectF labels = pane.itemRect(item("labels"));
    QVERIFY2(numDifferent(frame, pane, labels, background) > 150, "no labels when fitted");
    turnWheel(pane, pane.itemRect(item("image")).center(), 14);
    frame = pane.grabFrame();
    QVERIFY(labels.right() <= pane.itemRect(item("image")).left());
    QVERIFY2(numDifferent(frame, pane, labels, background) > 20, "no label when zoomed in");
  }

  void namesEveryRowOnceTheyFit() {
    SampleGridPane pane;
    pane.setPalette(lightPalette());
    pane.addEntry(gridEntry("cmt", 1, "one_step", 1, emojiGrid(8, 10, 1), 8, 10));
    showPane(pane, {900, 700});
    const QImage frame = pane.grabFrame();
    const QRectF labels = pane.itemRect(item("labels"));
    const double height = 32 * pane.zoom();
    const double top = pane.itemRect(item("image")).center().y() - 4 * height;
    for (int row = 0; row < 8; ++row) {
      const QRectF band(labels.left(), top + row * height, labels.width(), height);
      QVERIFY2(numDifferent(frame, pane, band, lightPalette().color(QPalette::Window)) > 20,
               qPrintable(QString::number(row)));
    }
  }

  void keysAndSliderStepThroughEveryGrid() {
    SampleGridPane pane;
    pane.setEntries(emojiRun(5));
    showPane(pane, {640, 360});
    pane.grabFrame();
    QCOMPARE(pane.shown()->stage, "mean_flow");
    QVERIFY2(pane.accessibleDescription().contains(item("MeanFlow, step")), qPrintable(pane.accessibleDescription()));
    QCOMPARE(pane.shown()->what, "one_step");
    QCOMPARE(pane.shown()->step, 500);
    QSignalSpy picked(&pane, &SampleGridPane::stepPicked);
    QSignalSpy live(&pane, &SampleGridPane::liveChanged);
    std::vector<std::int64_t> seen;
    for (int i = 0; i < 4; ++i) {
      QTest::keyClick(&pane, Qt::Key_Left);
      seen.push_back(pane.shown()->step);
    }
    QCOMPARE(seen, (std::vector<std::int64_t>{400, 300, 200, 100}));
    QCOMPARE(picked.count(), 4);
    QCOMPARE(picked.last().at(0).toString(), QStringLiteral("mean_flow"));
    QCOMPARE(picked.last().at(1).toLongLong(), 100);
    QCOMPARE(live.count(), 1);
    QVERIFY(!pane.isLive());
    QTest::keyClick(&pane, Qt::Key_End);
    QCOMPARE(pane.shown()->step, 500);

    pane.grabFrame();
    const QRectF slider = pane.itemRect(item("step"));
    for (const auto& [share, step] : {std::pair{0.02, 100}, {0.5, 300}, {0.98, 500}}) {
      QTest::mouseClick(&pane, Qt::LeftButton, {},
                        QPointF(slider.left() + share * slider.width(), slider.center().y()).toPoint());
      pane.grabFrame();
      QCOMPARE(pane.shown()->step, step);
    }
  }

  void scrubbingChangesThePicture() {
    SampleGridPane pane;
    base::Image8 red(8, 8);
    base::Image8 blue(8, 8);
    for (int i = 0; i < 64; ++i) {
      red.pixels[static_cast<std::size_t>(3 * i)] = 200;
      blue.pixels[static_cast<std::size_t>(3 * i + 2)] = 220;
    }
    pane.addEntry(gridEntry("cmt", 1, "one_step", 1, red, 1, 1));
    pane.addEntry(gridEntry("cmt", 2, "one_step", 1, blue, 1, 1));
    showPane(pane, {640, 360});
    pane.grabFrame();
    const QPointF centre = pane.itemRect(item("image")).center();
    QVERIFY(isNear(colorAt(pane.grabFrame(), pane, centre), QColor(0, 0, 220)));
    QTest::keyClick(&pane, Qt::Key_Left);
    QVERIFY(isNear(colorAt(pane.grabFrame(), pane, centre), QColor(200, 0, 0)));
  }

  void followsNewGridsOnlyWhileLive() {
    SampleGridPane pane;
    pane.addEntry(gridEntry("cmt", 100, "one_step", 1, codedImage(8, 8), 2, 2));
    pane.addEntry(gridEntry("cmt", 200, "one_step", 1, codedImage(8, 8), 2, 2));
    QCOMPARE(pane.shown()->step, 200);
    pane.setStep(QStringLiteral("cmt"), 150);
    QCOMPARE(pane.shown()->step, 100);
    pane.addEntry(gridEntry("cmt", 300, "one_step", 1, codedImage(8, 8), 2, 2));
    QCOMPARE(pane.shown()->step, 100);
    pane.setLive(true);
    QCOMPARE(pane.shown()->step, 300);
  }

  void keepsThePlaceWhenTheWholeListIsReplaced() {
    SampleGridPane pane;
    pane.setEntries(emojiRun(3));
    pane.setStep(QStringLiteral("cmt"), 200);
    pane.setEntries(emojiRun(6));
    QCOMPARE(pane.shown()->stage, "cmt");
    QCOMPARE(pane.shown()->step, 200);
    pane.setEntries({});
    QVERIFY(!pane.shown());
  }

  void showsAStageThatHasOnlyAnotherKindAndReturnsToTheOneWanted() {
    SampleGridPane pane;
    pane.addEntry(gridEntry("decoder", 10, "reconstruction", 1, codedImage(8, 8), 2, 2));
    QCOMPARE(pane.shown()->what, "reconstruction");
    pane.addEntry(gridEntry("cmt", 10, "two_step", 2, codedImage(8, 8), 2, 2));
    pane.addEntry(gridEntry("cmt", 10, "one_step", 1, codedImage(8, 8), 2, 2));
    QCOMPARE(pane.shown()->what, "one_step");
  }

  void cyclesKindsAndStagesByKeys() {
    SampleGridPane pane;
    pane.setEntries(emojiRun(3));
    showPane(pane, {640, 360});
    QTest::keyClick(&pane, Qt::Key_K);
    QCOMPARE(pane.shown()->what, "two_step");
    QCOMPARE(pane.shown()->step, 300);
    QTest::keyClick(&pane, Qt::Key_S);
    QCOMPARE(pane.shown()->stage, "teacher");
  }

  void aChoiceOfTheKindListIsTaken() {
    SampleGridPane pane;
    pane.setEntries(emojiRun(3));
    showPane(pane, {640, 360});
    pane.grabFrame();
    const QRectF kind = pane.itemRect(item("kind"));
    // The list opens below: its second line is the other kind.
    QTest::mouseClick(&pane, Qt::LeftButton, {}, kind.center().toPoint());
    pane.grabFrame();
    const double line = kind.height();
    QTest::mouseClick(&pane, Qt::LeftButton, {}, (kind.bottomLeft() + QPointF(30, 1.9 * line)).toPoint());
    pane.grabFrame();
    QCOMPARE(pane.shown()->what, "two_step");
    QTest::mouseMove(&pane, QPoint(4, 200));
    pane.grabFrame();
    QTest::keyClick(&pane, Qt::Key_Left);
    QCOMPARE(pane.shown()->what, "two_step");
  }

  void theListOpensWithoutAnotherMoveOfTheMouse() {
    SampleGridPane pane;
    pane.setPalette(lightPalette());
    pane.setEntries(emojiRun(3));
    showPane(pane, {640, 360});
    waitIdle(pane);
    const QRectF kind = pane.itemRect(item("kind"));
    const QRectF below(kind.left() + 2, kind.bottom() + 4, kind.width() - 4, 30);
    const QImage before = pane.grabFrame();
    QTest::mouseClick(&pane, Qt::LeftButton, {}, kind.center().toPoint());
    waitIdle(pane);
    const QImage after = pane.screen()->grabWindow(pane.winId()).toImage();  // as on the screen: draws no frame
    int num_changed = 0;
    for (double y = below.top(); y < below.bottom(); ++y) {
      for (double x = below.left(); x < below.right(); ++x) {
        num_changed += !isNear(colorAt(before, pane, {x, y}), colorAt(after, pane, {x, y}), 24);
      }
    }
    QVERIFY2(num_changed > 100, qPrintable(QString::number(num_changed)));
  }

  void saysWhichCellWasClicked() {
    SampleGridPane pane;
    pane.addEntry(gridEntry("cmt", 1, "one_step", 1, codedImage(40, 16), 2, 5));
    showPane(pane, {640, 360});
    pane.grabFrame();
    QSignalSpy activated(&pane, &SampleGridPane::cellActivated);
    QTest::mouseClick(&pane, Qt::LeftButton, {}, centreOfPixel(pane, {40, 16}, 27, 12).toPoint());
    pane.grabFrame();
    QCOMPARE(activated.count(), 1);
    QCOMPARE(activated.first().at(0).toInt(), 1);
    QCOMPARE(activated.first().at(1).toInt(), 3);
  }

  void putsTwoKindsOfTheSameStepSideBySide() {
    SampleGridPane pane;
    const base::Image8 one = codedImage(16, 8, 0);
    const base::Image8 two = codedImage(16, 8, 90);
    pane.addEntry(gridEntry("cmt", 100, "two_step", 2, two, 2, 4));
    pane.addEntry(gridEntry("cmt", 100, "one_step", 1, one, 2, 4));
    pane.setCompare(SampleGridPane::Compare::kSideBySide);
    showPane(pane, {640, 360});
    const QImage frame = pane.grabFrame();
    QCOMPARE(pane.shownBeside()->what, "two_step");
    QVERIFY(pane.itemRect(item("image")).right() < pane.itemRect(item("image_b")).left());
    for (const QPoint at : {QPoint(3, 2), QPoint(12, 6)}) {
      QVERIFY(isNear(colorAt(frame, pane, centreOfPixel(pane, {16, 8}, at.x(), at.y(), "image")),
                     pixelOf(one, at.x(), at.y())));
      QVERIFY(isNear(colorAt(frame, pane, centreOfPixel(pane, {16, 8}, at.x(), at.y(), "image_b")),
                     pixelOf(two, at.x(), at.y())));
    }
  }

  void comparesWithTheTeacherOfAnEarlierStage() {
    SampleGridPane pane;
    pane.setEntries(emojiRun(3));
    pane.setCompare(SampleGridPane::Compare::kSideBySide);
    QCOMPARE(pane.shownBeside()->what, "teacher");
    QCOMPARE(pane.shownBeside()->stage, "teacher");
    QCOMPARE(pane.shownBeside()->step, 300);
  }

  void wipesBetweenTwoSteps() {
    SampleGridPane pane;
    const base::Image8 old_image = codedImage(16, 8, 90);
    const base::Image8 new_image = codedImage(16, 8, 0);
    pane.addEntry(gridEntry("cmt", 100, "one_step", 1, old_image, 2, 4));
    pane.addEntry(gridEntry("cmt", 200, "one_step", 1, new_image, 2, 4));
    pane.setCompare(SampleGridPane::Compare::kWipe);
    showPane(pane, {640, 360});
    QImage frame = pane.grabFrame();
    const QRectF whole = pane.itemRect(item("image")).united(pane.itemRect(item("image_b")));
    const auto at = [&](int x, int y) {
      const QPointF corner = whole.center() - QPointF(16, 8) * pane.zoom() / 2;
      return corner + QPointF(x + 0.5, y + 0.5) * pane.zoom();
    };
    QVERIFY(isNear(colorAt(frame, pane, at(2, 3)), pixelOf(new_image, 2, 3)));
    QVERIFY(isNear(colorAt(frame, pane, at(13, 3)), pixelOf(old_image, 13, 3)));

    const QPoint grip = pane.itemRect(item("wipe")).center().toPoint();
    QTest::mousePress(&pane, Qt::LeftButton, {}, grip);
    pane.grabFrame();
    QTest::mouseMove(&pane, QPoint(static_cast<int>(whole.right()) - 4, grip.y()));
    pane.grabFrame();
    QTest::mouseRelease(&pane, Qt::LeftButton, {}, QPoint(static_cast<int>(whole.right()) - 4, grip.y()));
    frame = pane.grabFrame();
    QVERIFY(isNear(colorAt(frame, pane, at(13, 3)), pixelOf(new_image, 13, 3)));
    QVERIFY2(isNear(colorAt(frame, pane, at(2, 3)), pixelOf(new_image, 2, 3)), "dragging the wipe moved the picture");
  }

  void readsPicturesLazilyAndSaysSoMeanwhile() {
    std::latch gate(1);
    std::atomic<int> num_reads = 0;
    SampleGridPane pane([&](const std::string& path) -> base::Result<base::Image8> {
      gate.wait();
      ++num_reads;
      return codedImage(16, 8, path == "b.png" ? 90 : 0);
    });
    std::vector<ui::SampleGridEntry> entries;
    for (const char* path : {"a.png", "b.png"}) {
      entries.push_back(gridEntry("cmt", static_cast<std::int64_t>(entries.size()), "one_step", 1, {}, 2, 4));
      entries.back().image.reset();
      entries.back().path = path;
    }
    pane.setPalette(lightPalette());
    pane.setEntries(entries);
    showPane(pane, {640, 360});
    QImage frame = pane.grabFrame();
    QVERIFY2(numDifferent(frame, pane, pane.itemRect(item("image")), Qt::white) > 100, "no word about reading");
    QCOMPARE(num_reads.load(), 0);
    gate.count_down();
    const auto isShown = [&] {
      return isNear(colorAt(pane.grabFrame(), pane, centreOfPixel(pane, {16, 8}, 5, 4)),
                    pixelOf(codedImage(16, 8, 90), 5, 4));
    };
    QTRY_VERIFY(isShown());
    QCOMPARE(num_reads.load(), 1);  // the other grid is read when it is looked at
  }

  void keepsTextureAndImageMemoryBoundedOverAThousandGrids() {
    std::atomic<int> num_reads = 0;
    SampleGridPane pane([&](const std::string& path) -> base::Result<base::Image8> {
      ++num_reads;
      return codedImage(64, 64, std::stoi(path));
    });
    constexpr qint64 kOne = 64 * 64 * 4 * 4 / 3;
    constexpr qint64 kBudget = 10 * kOne;
    pane.setMemoryBudget(kBudget, 10 * 64 * 64 * 3);
    showPane(pane, {360, 240});
    qint64 most = 0;
    for (int i = 0; i < 1000; ++i) {
      auto entry = gridEntry("cmt", i, "one_step", 1, codedImage(64, 64, i), 2, 2);
      entry.path = std::to_string(i);
      pane.addEntry(std::move(entry));
      if (i % 8 == 0) {
        pane.grabFrame();
        most = std::max(most, pane.textureBytes());
      }
      QVERIFY(!pane.entries().back().image);  // left to the bounded store
    }
    QVERIFY2(most <= kBudget && most >= kBudget - kOne, qPrintable(QString::number(most)));
    QCOMPARE(num_reads.load(), 0);
    pane.setStep(QStringLiteral("cmt"), 3);  // dropped long ago: read again
    const auto isShown = [&] {
      const QColor seen = colorAt(pane.grabFrame(), pane, centreOfPixel(pane, {64, 64}, 32, 32) + QPointF(0.2, 0.2));
      return isNear(seen, pixelOf(codedImage(64, 64, 3), 32, 32), 60);
    };
    QTRY_COMPARE(num_reads.load(), 1);
    QTRY_VERIFY(isShown());
    QVERIFY(pane.textureBytes() <= kBudget);
  }

  void drawsGridsTallerThanOneTexture() {
    SampleGridPane pane;
    base::Image8 image = codedImage(32, 5000);
    pane.addEntry(gridEntry("cmt", 1, "one_step", 1, image, 1000, 6));
    showPane(pane, {640, 360});
    pane.grabFrame();
    QCOMPARE(pane.zoom(), 1.0);
    const qint64 part = pane.textureBytes();
    QVERIFY(part < 32 * 5000 * 4);  // only what is seen
    for (int i = 0; i < 200; ++i) QTest::keyClick(&pane, Qt::Key_PageDown);
    const QImage frame = pane.grabFrame();
    const QRectF area = pane.itemRect(item("image"));
    const QPointF last_row(area.center().x() - 16 + 10.5, area.bottom() - 0.5);
    const QColor seen = colorAt(frame, pane, last_row);
    QVERIFY2(isNear(seen, pixelOf(image, 10, 4999)), qPrintable(text(seen)));
  }

  void sharesLabelsBetweenEvents() {
    base::SamplesReady event;
    event.stage = "cmt";
    event.row_labels = {"a", "b"};
    const auto first = ui::sampleGridEntry(event);
    const auto second = ui::sampleGridEntry(event, &first);
    QCOMPARE(first.row_labels.get(), second.row_labels.get());
    event.row_labels = {"a", "c"};
    QVERIFY(ui::sampleGridEntry(event, &first).row_labels != first.row_labels);
  }
};
STUDIO_TEST(TestSampleGridPane)
#include "tst_sample_grid_pane.moc"
