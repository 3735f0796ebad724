// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QLabel>
#include <QSignalSpy>
#include <QToolButton>
#include <cmath>

#include "core/base/metrics/velocity_residuals.h"
#include "tests/support/studio_test.h"
#include "tests/ui/folded_panel.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/residual_history.h"
#include "ui/panels/bias_variance_panel.h"
#include "ui/panels/residual_charts.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

base::VelocityResidualsReady residualsAt(std::int64_t step, double eta = 1) {
  return {.stage = "mean_flow", .step = step, .eta = eta, .num_samples = 8, .overall = {4, 1, 2, 0}};
}

}  // namespace

class TestBiasVariance : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }

  void aLongRunKeepsItsReportsEvenlyAndTheNewest() {
    ResidualHistory history;
    constexpr std::int64_t kReports = 50'000;
    for (std::int64_t i = 1; i <= kReports; ++i) {
      QVERIFY(history.apply(residualsAt(i)));
      QCOMPARE(history.reports("mean_flow").back().step, i);
    }
    const auto& reports = history.reports("mean_flow");
    QVERIFY(reports.size() <= ResidualHistory::kMaxReports && reports.size() >= ResidualHistory::kMaxReports / 4);
    std::int64_t widest = 0;
    for (std::size_t i = 1; i < reports.size(); ++i) {
      QVERIFY(reports[i].step > reports[i - 1].step);
      widest = std::max(widest, reports[i].step - reports[i - 1].step);
    }
    QVERIFY2(widest <= 2 * kReports / static_cast<std::int64_t>(reports.size()), qPrintable(QString::number(widest)));
    QVERIFY(history.apply(base::StageStarted{"mean_flow", 1000, 1, 1}));
    QVERIFY(history.reports("mean_flow").back().step <= 1000);
  }

  void theReportAtACursorIsTheNewestBeforeIt() {
    ResidualHistory history;
    QVERIFY(history.at("mean_flow", 5) == nullptr);
    for (const int step : {10, 20, 30}) history.apply(residualsAt(step));
    QCOMPARE(history.at("mean_flow", 29)->step, std::int64_t{20});
    QCOMPARE(history.at("mean_flow", 30)->step, std::int64_t{30});
    QCOMPARE(history.at("mean_flow", 3)->step, std::int64_t{10});
  }

  void wordsSayWhatDominatesAndHowItWouldBeOtherwise() {
    // At eta 1: teacher 1, bias 2, in all 3. At eta 0: single-point 4, bias 2, in all 6. Best: 4 / (4 + 1).
    const QString taught = residualWords(residualsAt(1200));
    QVERIFY2(taught.contains(QStringLiteral("the oracle bias (the network itself) dominates with 67 %")),
             qPrintable(taught));
    QVERIFY2(taught.contains(QStringLiteral("the teacher's distance from the oracle (33 %)")), qPrintable(taught));
    QVERIFY2(taught.contains(QStringLiteral("η = 0 the total would be 2 times")), qPrintable(taught));
    QVERIFY2(taught.contains(QStringLiteral("smallest at η = 0.80")), qPrintable(taught));
    QVERIFY2(taught.endsWith(QStringLiteral("train longer.")), qPrintable(taught));
    QCOMPARE(residualHeadline(residualsAt(1200)),
             QStringLiteral("Stay with this η, train longer · network's bias 67 % · step 1,200"));
    QCOMPARE(residualHeadline(residualsAt(1200, 0)),
             QStringLiteral("Give the teacher more weight · variance 67 % · step 1,200"));
    const QString alone = residualWords(residualsAt(1200, 0));
    QVERIFY2(alone.contains(QStringLiteral("the single-point velocity (variance) dominates with 67 %")),
             qPrintable(alone));
    QVERIFY2(alone.contains(QStringLiteral("η = 1 the total would be 0.5 times")), qPrintable(alone));
    QVERIFY2(alone.endsWith(QStringLiteral("Give the teacher more weight.")), qPrintable(alone));
    auto without_teacher = residualsAt(1200, 0);
    without_teacher.overall.teacher_oracle = without_teacher.overall.cross = std::nan("");
    const QString words = residualWords(without_teacher);
    QVERIFY2(words.contains(QStringLiteral("dominates")) && !words.contains(QStringLiteral("smallest")),
             qPrintable(words));
    without_teacher.eta = 0.5;
    QVERIFY(residualWords(without_teacher).contains(QStringLiteral("not finite or not known")));
    QCOMPARE(residualHeadline(without_teacher),
             QStringLiteral("Nothing can be said: a residual is not known · step 1,200"));
  }

  void chartsShowEveryResidualAsEtaWeighsIt() {
    RunSource source(QStringLiteral("/nowhere"));
    BiasVariancePanel panel(*theme_);
    panel.resize(520, 420);
    panel.setSource(&source);
    panel.show();
    source.feed(testing::madeUpRun({.is_finished = true, .has_samples = false}));
    source.feed(testing::madeUpResiduals("mean_flow", 300, 10, 0.5));
    panel.showStep(QStringLiteral("mean_flow"), 205, false);
    QTRY_VERIFY(panel.showsResiduals());
    auto& charts = panel.charts();
    QCOMPARE(charts.etas(), (std::vector<double>{0, 0.5, 1}));
    const auto& reports = source.residuals().reports("mean_flow");
    for (std::size_t column = 0; column < 3; ++column) {
      for (int which = 0; which < ResidualCharts::kNumLines; ++which) {
        const auto over_steps = charts.line(0, column, which);
        QCOMPARE(over_steps.x.size(), qsizetype{30});
        const auto shares = base::sharesAt(reports[4].overall, charts.etas()[column]);
        const double expected[] = {shares.single_point, shares.teacher_oracle, shares.oracle_bias, shares.total()};
        if (expected[which] > 0)
          QCOMPARE(over_steps.y[4], expected[which]);
        else
          QVERIFY(std::isnan(over_steps.y[4]));  // no teacher at eta 0, no variance at eta 1
        const auto over_t = charts.line(1, column, which);
        QCOMPARE(over_t.x.size(), qsizetype{8});
        const auto of_bin = base::sharesAt(reports[19].by_t[2], charts.etas()[column]);  // the report of step 200
        const double in_bin[] = {of_bin.single_point, of_bin.teacher_oracle, of_bin.oracle_bias, of_bin.total()};
        if (in_bin[which] > 0) QCOMPARE(over_t.y[2], in_bin[which]);
      }
    }
    QVERIFY(panel.words().contains(QStringLiteral("MeanFlow, step 200, η = 0.5 in use")));
    QSignalSpy picked(&panel, &BiasVariancePanel::stepPicked);
    QTest::qWait(60);
    QTest::mouseClick(charts.findChild<QWidget*>(), Qt::LeftButton, {},
                      QPoint(charts.width() / 2, charts.height() / 4));
    QCOMPARE(picked.size(), 1);
    QCOMPARE(picked[0][0].toString(), QStringLiteral("mean_flow"));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("bias_variance_mixture")));
    panel.setSource(nullptr);
    QVERIFY(!panel.showsResiduals());
  }

  void theChartsHaveTheRoomUntilTheWordsAreUnfolded() {
    RunSource source(QStringLiteral("/nowhere"));
    BiasVariancePanel panel(*theme_);
    panel.resize(380, 300);  // as in the perspective Diagnose of a small window
    panel.setSource(&source);
    panel.show();
    source.feed(testing::madeUpRun({.num_stages = 5, .share_of_last = 1, .has_samples = false}));
    source.feed(testing::madeUpResiduals("mean_flow", 300, 10, 0.5));
    panel.showStep(QStringLiteral("mean_flow"), 205, false);
    QTRY_VERIFY(panel.showsResiduals());
    auto& words = panel.foldedWords();
    auto& button = words.button();
    QTRY_VERIFY2(panel.charts().height() >= 200, qPrintable(QString::number(panel.charts().height())));
    QVERIFY(button.fontMetrics().horizontalAdvance(button.text()) < button.width());
    QVERIFY(button.toolTip().contains(QStringLiteral("dominates")));
    testing::unfoldsInASmallPanel(*theme_, panel, panel.charts(), words, out(), QStringLiteral("bias_variance"));
    panel.setSource(nullptr);
  }

  void anEtaAtAnEndNeedsNoThirdColumn() {
    RunSource source(QStringLiteral("/nowhere"));
    BiasVariancePanel panel(*theme_);
    panel.resize(400, 420);
    panel.setSource(&source);
    panel.show();
    source.feed(testing::madeUpRun({.num_stages = 5, .share_of_last = 1, .has_samples = false}));
    source.feed(testing::madeUpResiduals("mean_flow", 300, 10, 1));
    panel.showStep(QStringLiteral("cmt"), 100, false);  // another stage at the cursor: the newest report
    QTRY_VERIFY(panel.showsResiduals());
    QCOMPARE(panel.charts().etas(), (std::vector<double>{0, 1}));
    QVERIFY(panel.words().contains(QStringLiteral("step 300")));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("bias_variance")));
    panel.setSource(nullptr);
  }

  void withoutResidualsItSaysWhatIsMissing() {
    RunSource source(QStringLiteral("/nowhere"));
    BiasVariancePanel panel(*theme_);
    panel.resize(400, 300);
    panel.setSource(&source);
    panel.show();
    source.feed(testing::madeUpRun({.has_samples = false}));
    QTest::qWait(60);
    QVERIFY(!panel.showsResiduals());
    QStringList texts;
    for (const auto* label : panel.findChildren<QLabel*>())
      if (label->isVisibleTo(&panel)) texts << label->text();
    QVERIFY(texts.contains(QStringLiteral("This run has not recorded the residuals of Proposition 3.1")));
    panel.setSource(nullptr);
  }

 private:
  static QString out() { return QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"); }
  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestBiasVariance)
#include "tst_bias_variance.moc"
