// SPDX-License-Identifier: Apache-2.0
#include "tests/support/studio_test.h"
#include "ui/panes/view_transform.h"

using meanflow::ui::ViewTransform;

namespace {
const QRectF kArea(100, 50, 400, 300);
}

class TestViewTransform : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void zoomsAboutTheAnchor() {
    ViewTransform view{2, {-30, 10}};
    const QPointF anchor(250, 170);
    const QPointF before = view.toImage(anchor, kArea);
    view.zoomAbout(anchor, 1.7, kArea, 0.1, 64);
    QCOMPARE(view.zoom, 3.4);
    const QPointF after = view.toImage(anchor, kArea);
    QVERIFY(std::abs(after.x() - before.x()) < 1e-9 && std::abs(after.y() - before.y()) < 1e-9);
  }

  void keepsTheAnchorAtTheLimitsOfZoom() {
    ViewTransform view{2, {0, 0}};
    const QPointF anchor(200, 100);
    const QPointF before = view.toImage(anchor, kArea);
    view.zoomAbout(anchor, 1000, kArea, 0.1, 64);
    QCOMPARE(view.zoom, 64.0);
    QVERIFY((view.toImage(anchor, kArea) - before).manhattanLength() < 1e-9);
  }

  void goesToTheWidgetAndBack() {
    const ViewTransform view{3.5, {12, -7}};
    const QPointF point(17.25, 4.5);
    QVERIFY((view.toImage(view.toWidget(point, kArea), kArea) - point).manhattanLength() < 1e-9);
  }

  void fitsTheWholePictureCentredOnWholePixels() {
    ViewTransform view;
    view.fit({100, 60}, kArea, 1);
    QCOMPARE(view.zoom, 4.0);
    QCOMPARE(view.toWidget({50, 30}, kArea), kArea.center());
    view.fit({110, 60}, kArea, 1);  // 3.63 fits
    QCOMPARE(view.zoom, 3.0);
    view.fit({110, 60}, kArea, 2);  // 7.27 device pixels
    QCOMPARE(view.zoom, 3.5);
    view.fit({800, 500}, kArea, 1);
    QCOMPARE(view.zoom, 0.5);
  }

  void startsAtTheTopOfAPictureMuchTallerThanTheArea() {
    ViewTransform view;
    view.fit({256, 32000}, kArea, 1);
    QCOMPARE(view.zoom, 1.0);
    QCOMPARE(view.toWidget({0, 0}, kArea).y(), kArea.top());
  }

  void neverLosesThePicture() {
    ViewTransform view{4, {-1e6, 1e6}};
    view.clamp({200, 200}, kArea);
    QCOMPARE(view.toWidget({200, 0}, kArea).x(), kArea.right());
    QCOMPARE(view.toWidget({0, 0}, kArea).y(), kArea.top());
  }
};
STUDIO_TEST(TestViewTransform)
#include "tst_view_transform.moc"
