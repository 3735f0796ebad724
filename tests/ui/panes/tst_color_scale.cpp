// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "tests/support/studio_test.h"
#include "ui/panes/color_scale.h"

using meanflow::ui::ColorScale;

namespace {
/// CIE 1931 relative luminance of an sRGB colour.
double luminance(const QColor& color) {
  const auto linear = [](double c) { return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
  return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF());
}
}  // namespace

class TestColorScale : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void risesInLightnessAllTheWay() {
    const ColorScale scale;
    for (int i = 0; i < 64; ++i) {
      QVERIFY(luminance(scale.at(i / 64.0)) < luminance(scale.at((i + 1) / 64.0)));
    }
    QVERIFY(luminance(scale.at(0)) < 0.05);
    QVERIFY(luminance(scale.at(1)) > 0.75);
  }

  void stepsEvenlyInPerceivedLightness() {
    const ColorScale scale;
    // CIE L* is not OKLab's lightness, but close: each quarter of the scale covers between 15 and 35 of its 100.
    const auto lightness = [&](double x) { return 116 * std::cbrt(luminance(scale.at(x))) - 16; };
    for (int i = 0; i < 4; ++i) {
      const double part = lightness((i + 1) / 4.0) - lightness(i / 4.0);
      QVERIFY2(part > 15 && part < 35, qPrintable(QString::number(part)));
    }
  }

  void clampsOutsideItsRange() {
    const ColorScale scale;
    QCOMPARE(scale.at(-3), scale.at(0));
    QCOMPARE(scale.at(7), scale.at(1));
  }

  void placesDecadesEvenlyOnALogScale() {
    QCOMPARE(ColorScale::logPosition(0.1, 0.01, 1), 0.5);
    QCOMPARE(ColorScale::logPosition(0.01, 0.01, 1), 0.0);
    QCOMPARE(ColorScale::logPosition(50, 0.01, 1), 1.0);
    QCOMPARE(ColorScale::logPosition(0.3, 0.3, 0.3), 0.5);
  }
};
STUDIO_TEST(TestColorScale)
#include "tst_color_scale.moc"
