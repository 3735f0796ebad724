// SPDX-License-Identifier: Apache-2.0
//
// What a run says of its own health, as the panels show it: alarms with their diagnoses, the finite difference against
// the exact derivative, figures by time.
#include <QAbstractButton>
#include <QApplication>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QToolButton>
#include <QToolTip>
#include <QTreeWidget>
#include <cmath>

#include "tests/support/studio_test.h"
#include "tests/ui/folded_panel.h"
#include "tests/ui/made_up_figures.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/alarm_words.h"
#include "ui/models/derivative_words.h"
#include "ui/models/live_run_source.h"
#include "ui/models/run_controller.h"
#include "ui/panels/alarms_panel.h"
#include "ui/panels/curve_charts.h"
#include "ui/panels/curves_panel.h"
#include "ui/panels/custom_plot.h"
#include "ui/panels/derivative_chart.h"
#include "ui/panels/finite_difference_panel.h"
#include "ui/panels/time_figure_charts.h"
#include "ui/panels/time_figures_panel.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

class ListeningHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink>) override { return {}; }
  void send(const base::Command& command) override { commands.push_back(command); }
  base::RunState state() const override { return base::RunState::kRunning; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  std::vector<base::Command> commands;
};

QStringList visibleTexts(const QWidget& panel) {
  QStringList texts;
  for (const auto* label : panel.findChildren<QLabel*>())
    if (label->isVisibleTo(&panel)) texts << label->text();
  return texts;
}

QStringList rowTexts(const QTreeWidget& list, int row) {
  QStringList texts;
  for (int c = 0; c < list.columnCount(); ++c) texts << list.topLevelItem(row)->text(c);
  return texts;
}

/// A run whose MeanFlow stage has come to step 180, with alarms on the way.
std::vector<base::EventRecord> runWithAlarms() {
  auto records = testing::madeUpRun({.has_samples = false});
  for (auto& record : testing::madeUpAlarms("mean_flow")) records.push_back(std::move(record));
  return records;
}

}  // namespace

class TestHealthPanels : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }

  void alarmsAreListedNewestFirstWithTheirDiagnosis() {
    QTemporaryDir dir;
    QVERIFY(QDir(dir.path()).mkpath(QStringLiteral("mean_flow/diagnostics/step_00000120")));
    RunSource source(dir.path());
    AlarmsPanel panel(*theme_);
    panel.resize(620, 420);
    panel.setSource(&source);
    panel.show();
    source.feed(runWithAlarms());
    QTRY_COMPARE(panel.numRows(), 3);
    QCOMPARE(rowTexts(panel.list(), 0),
             QStringList({QStringLiteral("180"), QStringLiteral("MeanFlow"), QStringLiteral("Explosion"),
                          QStringLiteral("Gradient norm"), QStringLiteral("8.1e+05, typically 0.9, bound 900"),
                          QStringLiteral("run stopped")}));
    QCOMPARE(rowTexts(panel.list(), 1)[4], QStringLiteral("not finite, typically 0.31"));
    QCOMPARE(rowTexts(panel.list(), 1)[5], QStringLiteral("step skipped"));
    QCOMPARE(rowTexts(panel.list(), 2)[2], QStringLiteral("Spike"));
    QVERIFY(visibleTexts(panel).contains(QStringLiteral("Alarms: 3 · skipped steps: 1")));
    // The newest is explained until one is chosen.
    QVERIFY2(panel.details().contains(QStringLiteral("blocks.2.attn.qkv.weight")), qPrintable(panel.details()));
    QVERIFY(panel.details().contains(QStringLiteral("No replay of this step")));
    QSignalSpy picked(&panel, &StepPanel::stepPicked);
    panel.list().setCurrentItem(panel.list().topLevelItem(1));
    QCOMPARE(picked.size(), 1);
    QCOMPARE(picked[0][0].toString(), QStringLiteral("mean_flow"));
    QCOMPARE(picked[0][1].toLongLong(), 120);
    for (const char* words : {"Sample 4711 of the training set", "4,711", "data", "the recorded losses to the bit"})
      QVERIFY2(panel.details().contains(QString::fromLatin1(words)), qPrintable(panel.details()));
    QSignalSpy opened(&panel, &AlarmsPanel::openRequested);
    QPushButton* open = nullptr;
    for (auto* each : panel.findChildren<QPushButton*>())
      if (each->accessibleName() == QStringLiteral("Open the report of the diagnosis")) open = each;
    QVERIFY(open && open->isVisible() && open->isEnabled());
    open->click();
    QCOMPARE(opened.size(), 1);
    QCOMPARE(opened[0][0].toString(), source.folder() + QStringLiteral("/mean_flow/diagnostics/step_00000120"));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("alarms")));
    // The step cursor chooses in turn, and says nothing back.
    panel.showStep(QStringLiteral("mean_flow"), 60, false);
    QCOMPARE(panel.list().indexOfTopLevelItem(panel.list().currentItem()), 2);
    QCOMPARE(picked.size(), 1);
    QVERIFY(!open->isVisible());
    // Another run with as many alarms: none of the first one's are left.
    RunSource other(QStringLiteral("/nowhere"));
    auto others = testing::madeUpAlarms("cmt");
    other.feed(others);
    panel.setSource(&other);
    QCOMPARE(rowTexts(panel.list(), 0)[1], QStringLiteral("CMT"));
    panel.setSource(nullptr);
    QCOMPARE(panel.numRows(), 0);
  }

  void theReportOfAReplayOnDemandMayLieAnywhere() {
    QTemporaryDir run, elsewhere;
    RunSource source(run.path());
    AlarmsPanel panel(*theme_);
    panel.setSource(&source);
    panel.show();
    base::DiagnosisReady found{.stage = "teacher", .step = 7, .kind = "none", .text = "All is well."};
    found.report = elsewhere.path().toStdString();
    source.feed(std::vector<base::EventRecord>{{0, 1, base::StageStarted{"teacher", 0, 10, 1}}, {1, 1, found}});
    QTRY_COMPARE(panel.numRows(), 1);
    QCOMPARE(rowTexts(panel.list(), 0)[2], QStringLiteral("Diagnosis"));
    QSignalSpy opened(&panel, &AlarmsPanel::openRequested);
    for (auto* each : panel.findChildren<QPushButton*>()) each->click();
    QCOMPARE(opened.size(), 1);
    QCOMPARE(opened[0][0].toString(), elsewhere.path());
    panel.setSource(nullptr);
  }

  void aDiagnosisOnDemandHasARowOfItsOwn() {
    base::MetricsStore store;
    store.apply({0, 1, base::DiagnosisReady{.stage = "teacher", .step = 7, .kind = "none", .text = "All is well."}});
    base::AlarmRaised alarm{.stage = "teacher", .step = 9, .kind = "spike", .figure = "loss", .action = "warn"};
    store.apply({1, 2, alarm});
    store.apply({2, 3, alarm});  // the step was gone over again
    store.apply({3, 4, base::DiagnosisReady{.stage = "teacher", .step = 9, .kind = "spike"}});
    const auto rows = alarmRows(store);
    QCOMPARE(rows.size(), std::size_t{3});
    QVERIFY(rows[0].alarm && rows[0].diagnosis);
    QVERIFY(rows[1].alarm && !rows[1].diagnosis);
    QVERIFY(!rows[2].alarm && rows[2].diagnosis);
    QCOMPARE(rows[2].step(), std::int64_t{7});
  }

  void anAlarmIsInTheLogAndMarkedOnCurvesAndTimeLine() {
    RunSource source(QStringLiteral("/nowhere"));
    source.feed(runWithAlarms());
    const auto& lines = source.log().lines();
    const auto levelOf = [&](const char* words) {
      for (const auto& line : lines)
        if (line.text.find(words) != std::string::npos) return static_cast<int>(line.level);
      return -1;
    };
    QCOMPARE(levelOf("MeanFlow, step 60: The gradient norm is 12 times"), static_cast<int>(LogLevel::kWarning));
    QCOMPARE(levelOf("Step skipped. MeanFlow, step 120: The loss is not finite"), static_cast<int>(LogLevel::kError));
    QCOMPARE(levelOf("Run stopped. At step 180 of mean_flow the gradient norm"), static_cast<int>(LogLevel::kError));
    QCOMPARE(levelOf("Diagnosis of MeanFlow, step 120"), static_cast<int>(LogLevel::kWarning));
    std::vector<Milestone::Kind> kinds;
    for (const auto& mark : source.summary().milestones)
      if (isAlarmMark(mark.kind)) kinds.push_back(mark.kind);
    QVERIFY(kinds == (std::vector{Milestone::Kind::kWarning, Milestone::Kind::kSkipped, Milestone::Kind::kAlarm}));

    CurvesPanel panel(*theme_);
    panel.resize(640, 420);
    panel.setSource(&source);
    panel.show();
    auto* charts = panel.findChild<CurveCharts*>();
    const auto skipped = [&]() -> const CurveMark* {
      for (const auto& mark : charts->marks())
        if (mark.kind == Milestone::Kind::kSkipped) return &mark;
      return nullptr;
    };
    QTRY_VERIFY(skipped());
    QCOMPARE(skipped()->x, 120.0);
    QVERIFY(skipped()->tip.contains(QStringLiteral("The loss is not finite")));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("curves_alarms")));
    // The pointer over the mark says what it is.
    const auto* rect = panel.plot()->axisRect(0);
    const int x = static_cast<int>(rect->axis(QCPAxis::atBottom)->coordToPixel(120));
    QTest::mouseMove(panel.plot(), QPoint(x + 1, rect->bottom() - 5));
    QTRY_VERIFY2(QToolTip::text().contains(QStringLiteral("The loss is not finite")), qPrintable(QToolTip::text()));
    QTest::mouseMove(panel.plot(), QPoint(x - 40, rect->bottom() - 5));
    QTRY_VERIFY(QToolTip::text().isEmpty());

    // A roll-back takes back what lay beyond, but not what it was for.
    base::AlarmRaised roll{.stage = "mean_flow", .step = 150, .kind = "explosion", .figure = "loss"};
    roll.action = "roll_back";
    const std::vector<base::EventRecord> back = {{5'000'000, 1.77e9, roll},
                                                 {5'000'001, 1.77e9, base::StageStarted{"mean_flow", 100, 300, 1}}};
    source.feed(back);
    int num_skipped = 0, num_rolled = 0;
    for (const auto& mark : source.summary().milestones) {
      num_skipped += mark.kind == Milestone::Kind::kSkipped ? 1 : 0;
      num_rolled += mark.kind == Milestone::Kind::kAlarm && mark.step == 150 ? 1 : 0;
    }
    QCOMPARE(num_skipped, 0);
    QCOMPARE(num_rolled, 1);
  }

  void withoutAlarmsItSaysWhy() {
    AlarmsPanel panel(*theme_);
    panel.resize(420, 300);
    panel.show();
    QVERIFY(visibleTexts(panel).contains(QStringLiteral("No run is open")));
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    source.feed(testing::madeUpRun({.has_samples = false}));
    panel.showStep(QStringLiteral("cmt"), 20, false);
    QVERIFY(visibleTexts(panel).contains(QStringLiteral("No alarm so far")));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("alarms_none")));
    panel.setSource(nullptr);
  }

  void theErrorIsInterpolatedBetweenTheMeasuredSteps() {
    base::DerivativeHealthReady report{.delta_t = 0.01};
    report.deltas = {0.001F, 0.01F, 0.1F}, report.errors = {1, 0.01F, 1};
    QVERIFY(std::abs(derivativeErrorAt(report, 0.01) - 0.01) < 1e-8);
    QVERIFY(std::abs(derivativeErrorAt(report, 0.001 * std::sqrt(10.0)) - 0.1) < 1e-6);
    QVERIFY(std::isnan(derivativeErrorAt(report, 0.5)));
    QVERIFY(std::isnan(derivativeErrorAt(report, 0)));
  }

  void theVerdictIsSaidInWords() {
    const auto words = [](double delta_t) {
      return derivativeWords(testing::madeUpDerivative("mean_flow", 100, delta_t));
    };
    const QString small = words(1e-3);
    QVERIFY2(small.startsWith(QStringLiteral("MeanFlow, step 100, bf16: du/dt by δt = 0.001 is off by 90 %.")),
             qPrintable(small));
    QVERIFY2(small.contains(QStringLiteral("rounding")) && small.contains(QStringLiteral("at δt = 0.0316")),
             qPrintable(small));
    QVERIFY(words(0.1).contains(QStringLiteral("truncation")));
    QVERIFY(words(0.0316).contains(QStringLiteral("That is healthy.")));
    auto jvp = testing::madeUpDerivative("mean_flow", 100, 0);
    QVERIFY(derivativeWords(jvp).contains(QStringLiteral("exact derivative (a JVP)")));
    const auto headline = [](double delta_t) {
      return derivativeHeadline(testing::madeUpDerivative("mean_flow", 1200, delta_t));
    };
    QCOMPARE(headline(1e-3), QStringLiteral("Take a larger step, δt = 0.0316 · off by 90 % · step 1,200"));
    QCOMPARE(headline(0.1), QStringLiteral("Take a smaller step, δt = 0.0316 · off by 8.9 % · step 1,200"));
    QCOMPARE(headline(0.0316), QStringLiteral("Stay with δt = 0.0316 · off by 3.6 % · step 1,200"));
    QCOMPARE(headline(0), QStringLiteral("Nothing to choose: the derivative is exact · step 1,200"));
    QCOMPARE(headline(0.5), QStringLiteral("Take a smaller step, δt = 0.0316 · step 1,200"));  // not measured there
    jvp.delta_t = 0.01, jvp.verdict.clear(), jvp.errors.clear();
    QCOMPARE(derivativeHeadline(jvp), QStringLiteral("Nothing can be said of δt = 0.01 · step 100"));
  }

  void theChartHasTheRoomUntilTheVerdictIsUnfolded() {
    RunController controller;
    RunSource source(QStringLiteral("/nowhere"));
    FiniteDifferencePanel panel(*theme_, controller);
    panel.resize(380, 300);  // as in the perspective Diagnose of a small window
    panel.setSource(&source);
    panel.show();
    source.feed(testing::madeUpRun({.has_samples = false}));
    const auto report = testing::madeUpDerivative("mean_flow", 150, 0.001);
    source.feed(std::vector<base::EventRecord>{{1'000'000, 1.77e9, report}});
    panel.showStep(QStringLiteral("mean_flow"), 160, true);
    QTRY_VERIFY(panel.showsReport());
    auto& words = panel.foldedWords();
    auto& button = words.button();
    QTRY_VERIFY2(panel.chart().height() >= 170, qPrintable(QString::number(panel.chart().height())));
    QCOMPARE(button.text(), words.headline());  // nothing is cut off
    QVERIFY(button.toolTip().contains(QStringLiteral("It suffers from rounding")));
    testing::unfoldsInASmallPanel(*theme_, panel, panel.chart(), words, out(), QStringLiteral("finite_difference"));
    panel.setSource(nullptr);
  }

  void aLiveRunIsGivenTheSuggestedStep() {
    ListeningHost host;
    RunController controller;
    controller.setHost(&host);
    LiveRunSource source(QStringLiteral("/nowhere"));
    controller.setSource(&source);
    FiniteDifferencePanel panel(*theme_, controller);
    panel.resize(460, 420);
    panel.setSource(&source);
    panel.show();
    source.feed(testing::madeUpRun({.has_samples = false}));
    const auto early = testing::madeUpDerivative("mean_flow", 100, 0.1);
    const auto late = testing::madeUpDerivative("mean_flow", 150, 0.001);
    source.feed(std::vector<base::EventRecord>{{1'000'000, 1.77e9, early}, {1'000'001, 1.77e9, late}});
    panel.showStep(QStringLiteral("mean_flow"), 160, true);
    QTRY_VERIFY(panel.showsReport());
    QTRY_VERIFY(panel.useButton().isEnabled());
    QCOMPARE(panel.useButton().text(), QStringLiteral("Use δt = 0.0316"));
    auto& chart = panel.chart();
    QCOMPARE(chart.errors().x.size(), qsizetype{13});
    QCOMPARE(chart.errors().y[4], static_cast<double>(late.errors[4]));
    QCOMPARE(chart.errorsFp64().y[4], static_cast<double>(late.errors_fp64[4]));
    QCOMPARE(chart.markedInUse(), 0.001);
    QCOMPARE(chart.markedSuggestion(), late.suggested_delta_t);
    QCOMPARE(chart.endOfRounding(), late.suggested_delta_t);
    panel.useButton().click();
    QCOMPARE(host.commands.size(), std::size_t{1});
    const auto* change = std::get_if<base::ChangeSetting>(&host.commands[0]);
    QVERIFY(change);
    QCOMPARE(change->key, std::string("mean_flow.delta_t"));
    QCOMPARE(change->value, std::string("0.0316228"));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("finite_difference")));
    // The run answers: the step is in use, measured or not.
    source.sink()->publish(
        {1'500'000, 1.775e9, base::SettingChanged{"mean_flow", 160, "mean_flow.delta_t", "0.001", "0.0316228"}});
    QTRY_VERIFY(!panel.useButton().isEnabled());
    QVERIFY(visibleTexts(panel).contains(QStringLiteral("Not now: it is in use.")));
    // The cursor shows an earlier measurement.
    panel.showStep(QStringLiteral("mean_flow"), 120, false);
    QCOMPARE(chart.markedInUse(), 0.1);
    QVERIFY(panel.words().contains(QStringLiteral("truncation")));
    // Nothing to send once the run has ended.
    source.sink()->publish({2'000'000, 1.78e9, base::StateChanged{base::RunState::kStopped}});
    source.feed(
        std::vector<base::EventRecord>{{2'000'001, 1.78e9, testing::madeUpDerivative("mean_flow", 170, 0.001)}});
    QTRY_VERIFY(visibleTexts(panel).contains(QStringLiteral("Not now: the run on show is not being trained.")));
    panel.setSource(nullptr);
    controller.setHost(nullptr);
  }

  void figuresByTimeFollowTheCursorWithTheReportBeforeInGrey() {
    RunSource source(QStringLiteral("/nowhere"));
    TimeFiguresPanel panel(*theme_);
    panel.resize(560, 560);
    panel.setSource(&source);
    panel.show();
    source.feed(testing::madeUpRun({.has_samples = false}));
    const auto records = testing::madeUpTimeFigures("mean_flow", 300, 10);
    source.feed(records);
    panel.showStep(QStringLiteral("mean_flow"), 205, false);
    QTRY_VERIFY(panel.showsReport());
    QCOMPARE(panel.caption(), QStringLiteral("MeanFlow, step 200; in grey step 190"));
    auto& charts = panel.charts();
    QCOMPARE(charts.figures(), (std::vector<std::string>{"loss", "target", "du_dt", "teacher"}));
    QCOMPARE(charts.numColumns(), 2);
    const auto& report = std::get<base::TimeFiguresReady>(records[19].event);
    const auto& before = std::get<base::TimeFiguresReady>(records[18].event);
    const auto loss = charts.line(0, 0, false);
    QCOMPARE(loss.x.size(), qsizetype{10});
    QVERIFY(std::abs(loss.x[3] - 0.35) < 1e-6);
    QCOMPARE(loss.y[3], static_cast<double>(report.by_t[1].values[3]));
    QVERIFY(std::isnan(loss.y[9]));  // a bin without samples is a gap
    QCOMPARE(charts.line(0, 0, true).y[3], static_cast<double>(before.by_t[1].values[3]));
    const auto du_dt = charts.line(2, 1, false);
    QCOMPARE(du_dt.x[0], 0.0);  // t = r
    QCOMPARE(du_dt.y[5], static_cast<double>(report.by_gap[3].values[5]));
    QVERIFY(testing::picturesInBothLooks(*theme_, panel, out(), QStringLiteral("time_figures")));
    // Another stage at the cursor: the newest there is, and the first report has none before it.
    panel.showStep(QStringLiteral("mean_flow"), 3, false);
    QCOMPARE(panel.caption(), QStringLiteral("MeanFlow, step 10"));
    QVERIFY(charts.line(0, 0, true).x.isEmpty());
    panel.showStep(QStringLiteral("cmt"), 50, false);
    QVERIFY(panel.caption().startsWith(QStringLiteral("MeanFlow, step 300")));
    panel.setSource(nullptr);
    QVERIFY(!panel.showsReport());
  }

  void aStageWithoutIntervalsAndTeacherHasFewerCharts() {
    TimeFigureCharts charts(*theme_);
    base::TimeFiguresReady report{.stage = "teacher", .step = 10, .t_edges = {0, 0.5F, 1}};
    report.by_t = {{"count", {3, 4}}, {"loss", {0.1F, 0.2F}}, {"teacher", {std::nanf(""), std::nanf("")}}};
    charts.present(report, nullptr);
    QCOMPARE(charts.figures(), std::vector<std::string>{"loss"});
    QCOMPARE(charts.numColumns(), 1);
  }

 private:
  static QString out() { return QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/figures"); }
  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestHealthPanels)
#include "tst_health_panels.moc"
