// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QLabel>
#include <QLineEdit>
#include <QSet>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTreeWidget>
#include <cmath>

#include "tests/support/studio_test.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/class_scores.h"
#include "ui/panels/class_map.h"
#include "ui/panels/class_map_panel.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

std::vector<std::string> manyNames(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back("kind " + std::to_string(i));
  return names;
}

/// A run that names its classes and says nothing else.
void feedNames(RunSource& source, const std::vector<std::string>& names) {
  const base::EventRecord record{
      0, 1.76e9,
      base::RunStarted{.run_name = "r", .device = "cpu", .stages = {"cmt"}, .stage_steps = {10}, .class_names = names}};
  source.feed({&record, 1});
}

double madeUpAccuracy(const std::string& row, int label) {
  const double base = 0.5 + 0.45 * std::sin(0.37 * label);
  if (row == "cmt_1") return std::round(50 * base) / 50;
  if (label % 100 == 7) return 0;   // lost
  if (label % 100 == 13) return 1;  // won
  return std::round(50 * std::min(1.0, base + 0.04)) / 50;
}

}  // namespace

class TestClassMap : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }

  void changesAreJudgedByTheirStandardError() {
    const ClassScoreRow before{"cmt_1", {}, 200, {0.5, 1, 0.2, std::nan("")}};
    const ClassScoreRow after{"student_1", {}, 200, {0.8, 1, 0.2, 0.4}};
    QCOMPARE(before.samplesAClass(), 50.0);
    const auto changes = classChanges(before, after);
    QCOMPARE(changes.size(), std::size_t{3});  // one without a figure before
    // Pooled share 0.65: z = 0.3 / sqrt(0.65 0.35 2 / 50).
    QVERIFY(std::abs(changes[0].z - 0.3 / std::sqrt(0.65 * 0.35 * 0.04)) < 1e-12);
    QCOMPARE(changes[1].z, 0.0);
    QCOMPARE(changes[2].z, 0.0);
  }

  void aThousandClassesFillTheMapAndEachIsFoundWhereItIsDrawn() {
    ClassMap map(*theme_);
    map.resize(640, 420);
    std::vector<ClassMap::Cell> cells;
    for (int i = 0; i < 1000; ++i) cells.push_back({i / 999.0, false, QString::number(i)});
    cells[500].value = std::nan("");
    map.present(ClassMap::Kind::kAccuracy, cells, manyNames(1000));
    double least = 1e9;
    for (int i = 0; i < 1000; ++i) {
      const auto cell = map.cellRect(i);
      QVERIFY(QRectF(map.rect()).contains(cell));
      QCOMPARE(map.labelAt(cell.center()), i);
      QVERIFY(cell.width() < 2 * cell.height() && cell.height() < 2 * cell.width());
      least = std::min(least, std::min(cell.width(), cell.height()));
    }
    QVERIFY2(least > 12, qPrintable(QString::number(least)));
    QCOMPARE(map.labelAt(QPointF(1, 1)), -1);
    const QImage picture = map.grab().toImage();
    for (const int label : {0, 250, 750, 999}) {
      const auto place = (map.cellRect(label).center() * picture.devicePixelRatio()).toPoint();
      QCOMPARE(picture.pixelColor(place).rgb(), map.colourOf(label).rgb());
    }
    QVERIFY(map.colourOf(0).lightness() < map.colourOf(750).lightness());
    QSignalSpy chosen(&map, &ClassMap::chosen);
    QTest::mouseClick(&map, Qt::LeftButton, {}, map.cellRect(321).center().toPoint());
    QCOMPARE(chosen[0][0].toInt(), 321);
    map.setFocus();
    QTest::keyClick(&map, Qt::Key_Right);
    QCOMPARE(map.current(), 322);
    QTest::keyClick(&map, Qt::Key_Up);
    QVERIFY(map.current() < 322);
    QVERIFY(std::abs(map.cellRect(map.current()).left() - map.cellRect(322).left()) < 1);
    QTest::keyClick(&map, Qt::Key_Return);
    QCOMPARE(chosen[1][0].toInt(), map.current());
    QTest::keyClick(&map, Qt::Key_End);
    QCOMPARE(map.current(), 999);
    QTest::keyClick(&map, Qt::Key_Right);
    QCOMPARE(map.current(), 999);
    QBENCHMARK { map.grab(); }
  }

  void aReportOfAThousandClassesIsShownAndCompared() {
    QTemporaryDir dir;
    const auto names = manyNames(1000);
    testing::writeMadeUpReport(dir.path(), names, 50, madeUpAccuracy);
    RunSource source(dir.path());
    feedNames(source, names);
    ClassMapPanel panel(*theme_);
    panel.resize(760, 480);
    panel.setSource(&source);
    panel.show();
    QTRY_VERIFY(panel.showsMap());
    QCOMPARE(panel.map().numCells(), 1000);
    double sum = 0;
    for (int i = 0; i < 1000; ++i) sum += madeUpAccuracy("student_1", i);
    QVERIFY2(panel.verdict().startsWith(QStringLiteral("%1 % of the images").arg(sum / 10, 0, 'f', 0)),
             qPrintable(panel.verdict()));
    QVERIFY(panel.verdict().contains(QStringLiteral("images of each: 50")));
    QCOMPARE(panel.list().topLevelItemCount(), 200);
    QCOMPARE(panel.list().topLevelItem(0)->text(1), QStringLiteral("0 %"));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("class_map_1000")));
    panel.choose(QStringLiteral("student_1"), QStringLiteral("cmt_1"));
    int won = 0, lost = 0;
    for (int i = 0; i < 1000; ++i) {
      const double a = madeUpAccuracy("cmt_1", i), b = madeUpAccuracy("student_1", i), p = (a + b) / 2;
      const double z = p > 0 && p < 1 ? (b - a) / std::sqrt(p * (1 - p) * 0.04) : 0;
      won += z >= 2 ? 1 : 0;
      lost += z <= -2 ? 1 : 0;
    }
    QVERIFY(won > 2 && lost > 4);
    QVERIFY2(panel.verdict().startsWith(
                 QStringLiteral("MeanFlow, 1 step against CMT, 1 step: %1 won, %2 lost").arg(won).arg(lost)),
             qPrintable(panel.verdict()));
    QCOMPARE(panel.list().columnCount(), 4);
    const int first = panel.list().topLevelItem(0)->data(0, Qt::UserRole).toInt();
    QVERIFY(first % 100 == 7 || first % 100 == 13);
    panel.list().setCurrentItem(panel.list().topLevelItem(0));
    QCOMPARE(panel.map().current(), first);
    QSignalSpy chosen(&panel, &ClassMapPanel::classChosen);
    QTest::mouseClick(&panel.map(), Qt::LeftButton, {}, panel.map().cellRect(107).center().toPoint());
    QCOMPARE(chosen[0][0].toInt(), 107);
    auto* search = panel.findChild<QLineEdit*>();
    search->setText(QStringLiteral("kind 99"));  // 99 and 990 to 999: no single one
    QCOMPARE(panel.map().current(), 107);
    search->setText(QStringLiteral("kind 998"));
    QCOMPARE(panel.map().current(), 998);
    search->clear();
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("class_map_changes")));
    panel.setSource(nullptr);
  }

  void theDemosEightClassesCarryTheirNames() {
    QTemporaryDir dir;
    const std::vector<std::string> names = {"face", "person", "heart", "clock", "flag", "button", "moon", "ball"};
    testing::writeMadeUpReport(dir.path(), names, 20, [](const std::string& row, int label) {
      return row == "cmt_1" ? 0.9 : 1.0 - 0.08 * label;
    });
    RunSource source(dir.path());
    feedNames(source, names);
    ClassMapPanel panel(*theme_);
    panel.resize(560, 360);
    panel.setSource(&source);
    panel.show();
    QTRY_VERIFY(panel.showsMap());
    QCOMPARE(panel.map().numCells(), 8);
    QVERIFY(panel.map().cellRect(0).width() > 58);
    QCOMPARE(panel.list().topLevelItem(0)->text(0), QStringLiteral("ball"));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("class_map_demo")));
    panel.setSource(nullptr);
  }

  void theMapAppearsWhenTheReportDoesAndSaysWhyNotBefore() {
    QTemporaryDir dir;
    const auto names = manyNames(8);
    RunSource source(dir.path());
    feedNames(source, names);
    ClassMapPanel panel(*theme_);
    panel.setSource(&source);
    panel.show();
    const auto says = [&](const QString& text) {
      for (const auto* label : panel.findChildren<QLabel*>())
        if (label->isVisibleTo(&panel) && label->text().contains(text)) return true;
      return false;
    };
    QTRY_VERIFY(says(QStringLiteral("The classes of this run have not been scored")));
    testing::writeMadeUpReport(dir.path(), names, 20, madeUpAccuracy);
    const base::EventRecord scored{1, 1.76e9, base::MetricsReady{"report", 10, {{"accuracy", 0.5}}}};
    source.feed({&scored, 1});
    QTRY_VERIFY(panel.showsMap());
    QFile broken(dir.filePath(QStringLiteral("report/report.json")));
    QVERIFY(broken.open(QIODevice::WriteOnly));
    broken.write("{\"samples\": ");
    broken.close();
    panel.scores().refresh();
    QTRY_VERIFY(says(QStringLiteral("The report cannot be used")));
    QVERIFY(says(QStringLiteral("is not a report")));
    panel.setSource(nullptr);
    QVERIFY(says(QStringLiteral("No run is open")));
  }

 private:
  static QString out() { return QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"); }
  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestClassMap)
#include "tst_class_map.moc"
