// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QCheckBox>
#include <QListWidget>
#include <QPainter>
#include <QSignalSpy>
#include <cmath>

#include "tests/support/studio_test.h"
#include "ui/config/choice_ticks.h"
#include "ui/theme/theme.h"

using namespace meanflow::ui;

namespace {

double luminance(const QColor& color) {
  const auto linear = [](double c) { return c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
  return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF());
}

/// The strongest contrast against its upper left corner within a part of a picture (WCAG: 1 to 21; 3 is asked of
/// controls).
double contrast(const QImage& picture, const QRect& part) {
  const double back = luminance(picture.pixelColor(part.topLeft()));
  double best = 1;
  for (int y = part.top(); y <= part.bottom(); ++y) {
    for (int x = part.left(); x <= part.right(); ++x) {
      const double other = luminance(picture.pixelColor(x, y));
      best = std::max(best, (std::max(back, other) + 0.05) / (std::min(back, other) + 0.05));
    }
  }
  return best;
}

}  // namespace

class TestTheme : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void cleanup() { theme_->setChoice(ThemeChoice::kSystem); }

  void tickBoxesCanBeSeenInBothThemes() {
    for (const auto choice : {ThemeChoice::kLight, ThemeChoice::kDark}) {
      theme_->setChoice(choice);
      QListWidget list;
      for (const auto state : {Qt::Unchecked, Qt::Checked}) {
        auto* item = new QListWidgetItem(QString(), &list);
        item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsUserCheckable);
        item->setCheckState(state);
      }
      list.resize(120, 80);
      list.show();
      const QImage rows = list.viewport()->grab().toImage();
      QImage boxes[2];
      for (int i = 0; i < 2; ++i) {
        QRect row = list.visualItemRect(list.item(i));
        row.setWidth(22);
        boxes[i] = rows.copy(row);
        const double seen = contrast(rows, row);
        QVERIFY2(seen >= 3,
                 qPrintable(QStringLiteral("%1 at row %2, dark %3").arg(seen).arg(i).arg(theme_->colors().is_dark)));
      }
      QVERIFY(boxes[0] != boxes[1]);
      QCheckBox box;
      box.resize(24, 24);
      box.show();
      QVERIFY(contrast(box.grab().toImage(), box.rect()) >= 3);
    }
  }

  void iconsOfButtonsThatCannotBePressedCanBeSeenInBothThemes() {
    for (const auto choice : {ThemeChoice::kLight, ThemeChoice::kDark}) {
      theme_->setChoice(choice);
      for (const auto ink : {&ThemeColors::text, &ThemeColors::accent_text}) {
        QImage picture(32, 32, QImage::Format_RGB32);
        picture.fill(theme_->colors().raised);
        QPainter painter(&picture);
        theme_->icon(QStringLiteral("play"), ink).paint(&painter, {4, 4, 24, 24}, Qt::AlignCenter, QIcon::Disabled);
        painter.end();
        const double seen = contrast(picture, picture.rect());
        QVERIFY2(seen >= 1.5, qPrintable(QStringLiteral("%1, dark %2").arg(seen).arg(theme_->colors().is_dark)));
      }
    }
  }

  void aListOfChoicesIsTickedInItsOrder() {
    ChoiceTicks ticks(QStringLiteral("stages"), {"encoder", "decoder", "teacher", "cmt"});
    ticks.show();
    QSignalSpy edited(&ticks, &ChoiceTicks::edited);
    ticks.setText(QStringLiteral("[decoder, cmt]"));
    const auto boxes = ticks.findChildren<QCheckBox*>();
    QCOMPARE(boxes.size(), 4);
    QVERIFY(!boxes[0]->isChecked() && boxes[1]->isChecked() && !boxes[2]->isChecked() && boxes[3]->isChecked());
    QCOMPARE(boxes[2]->accessibleName(), QStringLiteral("stages: teacher"));
    QTest::mouseClick(boxes[2], Qt::LeftButton, {}, QPoint(6, boxes[2]->height() / 2));
    QCOMPARE(edited.back()[0].toString(), QStringLiteral("[decoder, teacher, cmt]"));
    boxes[1]->setFocus();
    QTest::keyClick(boxes[1], Qt::Key_Space);
    QCOMPARE(ticks.text(), QStringLiteral("[teacher, cmt]"));
    // An order of one's own stays; a word that is no choice shows as it is and goes with the next tick.
    ticks.setText(QStringLiteral("[cmt, \"teacher\", nonsense]"));
    QCOMPARE(ticks.text(), QStringLiteral("[cmt, \"teacher\", nonsense]"));
    boxes[0]->click();
    QCOMPARE(ticks.text(), QStringLiteral("[encoder, cmt, teacher]"));
    for (auto* box : boxes)
      if (box->isChecked()) box->click();
    QCOMPARE(ticks.text(), QStringLiteral("[]"));
  }

 private:
  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestTheme)
#include "tst_theme.moc"
