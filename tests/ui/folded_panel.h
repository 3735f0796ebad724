// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QScrollArea>
#include <QTest>
#include <QToolButton>

#include "tests/ui/made_up_figures.h"
#include "ui/panels/folded_words.h"

namespace meanflow::testing {

/// A small panel, shown with its words folded: unfolds them by the keyboard, gives them room, and folds them again.
/// The panel keeps its size and `chart` stays inside of it. Pictures of both states: NAME_folded, NAME_unfolded.
inline void unfoldsInASmallPanel(ui::Theme& theme, QWidget& panel, const QWidget& chart, ui::FoldedWords& words,
                                 const QString& folder, const QString& name) {
  auto& button = words.button();
  QVERIFY(!words.isUnfolded());
  QVERIFY(button.accessibleName().endsWith(words.headline()));
  QVERIFY(picturesInBothLooks(theme, panel, folder, name + QStringLiteral("_folded")));
  const QSize folded = panel.size();
  QTest::keyClick(&button, Qt::Key_Space);
  auto* area = words.findChild<QScrollArea*>();
  QTRY_VERIFY(area->isVisible());
  // Whatever does not fit in its half of the panel is reached by scrolling.
  QTRY_VERIFY(words.height() <= panel.height() / 2 + 10);
  QCOMPARE(panel.size(), folded);
  QVERIFY(chart.geometry().bottom() <= chart.parentWidget()->height());
  QVERIFY(area->widget()->height() >= area->widget()->heightForWidth(area->widget()->width()));
  QVERIFY(picturesInBothLooks(theme, panel, folder, name + QStringLiteral("_unfolded")));
  panel.resize(900, 700);
  QTRY_VERIFY(area->height() >= area->widget()->heightForWidth(area->widget()->width()));
  QVERIFY(picturesInBothLooks(theme, panel, folder, name + QStringLiteral("_large")));
  QTest::keyClick(&button, Qt::Key_Space);
  QVERIFY(!area->isVisible());
}

}  // namespace meanflow::testing
