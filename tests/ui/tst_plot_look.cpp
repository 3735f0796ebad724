// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QLocale>
#include <cmath>

#include "tests/support/studio_test.h"
#include "tests/ui/shown_curves.h"
#include "ui/panels/plot_look.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

class TestPlotLook : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aLogarithmicAxisIsLabelledWhateverItsRange_data() {
    QTest::addColumn<double>("lower");
    QTest::addColumn<double>("upper");
    QTest::addColumn<QString>("labels");
    QTest::newRow("decades") << 0.5 << 200.0 << QStringLiteral("1 10 100");
    QTest::newRow("many decades") << 2e-9 << 2.0 << QStringLiteral("1e-08 1e-06 0.0001 0.01 1");
    QTest::newRow("one power") << 0.3 << 4.0 << QStringLiteral("0.5 1 2");
    QTest::newRow("within a decade") << 0.0015 << 0.008 << QStringLiteral("0.002 0.005");
    QTest::newRow("between 2 and 5") << 2.1 << 4.9 << QStringLiteral("3 4");
    QTest::newRow("between 2 and 3") << 2.1 << 2.9 << QStringLiteral("2.2 2.4 2.6 2.8");
    QTest::newRow("nearly constant") << 0.512 << 0.5135 << QStringLiteral("0.512 0.5125 0.513 0.5135");
    QTest::newRow("nothing") << 1.0 << 1.0 << QString();
  }
  void aLogarithmicAxisIsLabelledWhateverItsRange() {
    QFETCH(double, lower);
    QFETCH(double, upper);
    QFETCH(QString, labels);
    DecadesTicker ticker;
    QVector<double> ticks, sub_ticks;
    QVector<QString> texts;
    ticker.generate({lower, upper}, QLocale::c(), u'g', 3, ticks, &sub_ticks, &texts);
    QCOMPARE(QStringList(texts.begin(), texts.end()).join(u' '), labels);
    for (int i = 0; i < ticks.size(); ++i)  // a label says where it stands
      QVERIFY(std::abs(texts[i].toDouble() - ticks[i]) < 0.02 * ticks[i]);
  }

  void aLossWithinADecadeHasLabelsOnItsLogarithmicAxis() {
    Theme theme(*qApp);
    testing::ShownCurves shown(theme);
    auto& [source, panel] = shown;
    std::vector<base::EventRecord> records = {{0, 1, base::StageStarted{"teacher", 0, 100, 1}}};
    for (int step = 1; step <= 100; ++step) {
      base::StepCompleted event{.stage = "teacher", .step = step};
      event.scalars = {{"loss", 0.0045 - 2e-5 * step}};
      records.push_back({step, 1, event});
    }
    source.feed(records);
    panel.setLogY(true);
    QTRY_COMPARE(panel.readOut(100), QStringLiteral("Teacher, step 100: loss 0.0025"));
    panel.plot()->replot(QCustomPlot::rpImmediateRefresh);
    const auto labels = panel.plot()->axisRect(0)->axis(QCPAxis::atLeft)->tickVectorLabels();
    QVERIFY2(labels.size() >= 2, qPrintable(QStringList(labels.begin(), labels.end()).join(u' ')));
  }
};

STUDIO_TEST(TestPlotLook)
#include "tst_plot_look.moc"
