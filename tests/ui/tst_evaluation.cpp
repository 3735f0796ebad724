// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLocale>
#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QTextBrowser>
#include <QToolButton>

#include "tests/base/checkpoint_maker.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/score_table.h"
#include "ui/panels/evaluation_chart.h"
#include "ui/panels/evaluation_panel.h"
#include "ui/theme/theme.h"
#include "ui/window/run_desk.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

constexpr const char* kReport =
    R"({"seed": 0, "psnr_test": 22.488156649, "judge_accuracy": 0.87375, "num_samples": 2000,
  "guidance_scale": 3.0, "guidance_interval": [0.0, 0.85],
  "stages": [{"stage": "cmt", "steps": 750}, {"stage": "mean_flow", "steps": 300}, {"stage": "teacher", "steps": 1800},
             {"stage": "decoder", "steps": 500}],
  "samples": {
    "reconstruction": {"num_samples": 8000, "accuracy": 0.9815, "frechet_real": 1.394, "frechet_recon": 0.0,
                       "frechet_recon_relative": 0.0},
    "cmt_1": {"num_samples": 2000, "accuracy": 0.976, "accuracy_by_class": {"ball": 0.852, "clock": 1.0},
              "frechet_real": 1.962, "frechet_recon": 0.4067, "frechet_recon_relative": 0.0179},
    "cmt_2": {"num_samples": 2000, "accuracy": 0.986, "frechet_recon_relative": 0.0141},
    "student_1": {"num_samples": 2000, "accuracy": 0.9775, "frechet_recon": 0.3191, "frechet_recon_relative": 0.01407},
    "student_2": {"num_samples": 2000, "accuracy": 0.986, "frechet_recon_relative": 0.01248},
    "student_4": {"num_samples": 2000, "accuracy": 0.9925, "frechet_recon_relative": 0.01304},
    "teacher_50_guided": {"num_samples": 600, "accuracy": 0.993, "frechet_recon_relative": 0.0140}},
  "latent_error": {"cmt": {"1": 0.134, "2": 0.091}, "student": {"1": 0.135, "2": 0.0903, "4": 0.066}},
  "floors": {"real": 0.5, "recon": 0.2, "recon_relative": 0.0052}})";

constexpr const char* kOrigin = R"({"settings": {"seed": "0", "data.kind": "emoji", "data.path": "",
  "data.image_size": "32", "data.train_per_class": "1000", "data.test_per_class": "200", "data.held_out": "0.15",
  "evaluation.judge.width": "24", "evaluation.judge.features": "64", "evaluation.judge.steps": "250",
  "evaluation.judge.batch_size": "128", "evaluation.judge.lr": "0.002", "evaluation.judge.weight_decay": "0.0001",
  "evaluation.fine_steps": "200", "evaluation.latent_error_noises": "256"},
  "checkpoints": {"cmt": {"step": 750}, "mean_flow": {"step": 300}, "teacher": {"step": 1800}, "decoder": {"step": 500}}})";

void put(const QString& path, const QByteArray& bytes) {
  QVERIFY(QDir().mkpath(QFileInfo(path).path()));
  QFile file(path);
  QVERIFY(file.open(QIODevice::WriteOnly));
  QCOMPARE(file.write(bytes), bytes.size());
}

const Score* scoreOf(const RunScores& run, const QString& row, const QString& measure) {
  for (const auto& each : run.rows)
    if (each.key == row) return each.find(measure);
  return nullptr;
}

QString factOf(const Score& score, const QString& name) {
  for (const auto& fact : score.card)
    if (fact.name == name) return fact.value;
  return QStringLiteral("(no such line)");
}

/// Takes a request and does nothing with it.
class EvaluationHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest& request, std::shared_ptr<base::EventSink>) override {
    requests.push_back(request);
    return {};
  }
  void send(const base::Command&) override {}
  base::RunState state() const override { return base::RunState::kIdle; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  std::vector<base::RunRequest> requests;
};

}  // namespace

class TestEvaluation : public QObject {
  Q_OBJECT
 private:
  QString makeRun(const QString& name, const QByteArray& report = kReport, const QByteArray& judge = "judge") {
    const QString folder = dir_->filePath(name);
    put(folder + QStringLiteral("/config.yaml"), "seed: 0\n");
    put(folder + QStringLiteral("/report/report.json"), report);
    put(folder + QStringLiteral("/report/scored_from.json"), kOrigin);
    put(folder + QStringLiteral("/report/judge.safetensors"), judge);
    return folder;
  }
  /// Shows a finished run in a panel and waits for its numbers.
  void show(EvaluationPanel& panel, const QString& folder) {
    source_ = std::make_unique<RunSource>(folder);
    source_->feed(testing::madeUpRun({.is_finished = true, .has_samples = false}));
    panel.setSource(source_.get());
    QTRY_VERIFY(!panel.scores().runs().empty());
  }
  static QTableWidgetItem* cell(EvaluationPanel& panel, const QString& row, const QString& column) {
    auto* table = panel.findChild<QTableWidget*>();
    for (int line = 0; line < table->rowCount(); ++line)
      for (int at = 0; at < table->columnCount(); ++at)
        if (table->item(line, 1)->text() == row && table->horizontalHeaderItem(at)->text() == column)
          return table->item(line, at);
    return nullptr;
  }

  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
  std::unique_ptr<RunSource> source_;

 private Q_SLOTS:
  void initTestCase() {
    QLocale::setDefault(QLocale::c());  // how counts are written
    theme_ = std::make_unique<Theme>(*qApp);
  }
  void cleanupTestCase() { QLocale::setDefault(QLocale::system()); }
  void init() { dir_ = std::make_unique<QTemporaryDir>(); }

  void everyFigureHasACardThatSaysHowItWasMade() {
    const auto run = readRunScores(makeRun(QStringLiteral("a")));
    QVERIFY2(run.trouble.isEmpty(), qPrintable(run.trouble));
    QVERIFY(run.has_report);
    const auto* accuracy = scoreOf(run, QStringLiteral("student_2"), QStringLiteral("accuracy"));
    QVERIFY(accuracy);
    QCOMPARE(accuracy->value, 0.986);
    QCOMPARE(factOf(*accuracy, QStringLiteral("Images")), QStringLiteral("2000 images"));
    QCOMPARE(factOf(*accuracy, QStringLiteral("Weights")), QStringLiteral("average (EMA) of MeanFlow, step 300"));
    QCOMPARE(factOf(*accuracy, QStringLiteral("Steps")), QStringLiteral("2 steps, each one evaluation"));
    QCOMPARE(factOf(*accuracy, QStringLiteral("Guidance")), QStringLiteral("none"));
    QVERIFY(factOf(*accuracy, QStringLiteral("Judge")).contains(QStringLiteral("250 steps of 128 images")));
    QVERIFY(factOf(*accuracy, QStringLiteral("Judge's accuracy")).startsWith(QStringLiteral("0.8738")));
    QVERIFY(factOf(*accuracy, QStringLiteral("Noise")).startsWith(QStringLiteral("seed 0")));
    const auto* guided = scoreOf(run, QStringLiteral("teacher_50_guided"), QStringLiteral("accuracy"));
    QCOMPARE(factOf(*guided, QStringLiteral("Guidance")), QStringLiteral("scale 3 for t from 0 to 0.85"));
    const auto* error = scoreOf(run, QStringLiteral("student_4"), QStringLiteral("latent_error"));
    QCOMPARE(error->value, 0.066);
    QCOMPARE(factOf(*error, QStringLiteral("Noises")), QStringLiteral("256"));
    QCOMPARE(factOf(*error, QStringLiteral("Teacher")), QStringLiteral("step 1800 of a"));
    QCOMPARE(scoreOf(run, QStringLiteral("held_out_reconstructions"), QStringLiteral("psnr_test"))->value,
             22.488156649);
    // CMT first, then what was distilled from it, the teacher, and the floors.
    QCOMPARE(run.rows.front().key, QStringLiteral("cmt_1"));
    QVERIFY(run.rows.back().is_floor);
    QCOMPARE(run.rows.front().worstClass(), QStringLiteral("ball"));
  }

  void twoNumbersCompareOnlyIfTheirCardsMatch() {
    const auto a = readRunScores(makeRun(QStringLiteral("a")));
    const auto twin = readRunScores(makeRun(QStringLiteral("twin")));
    const auto other = readRunScores(makeRun(QStringLiteral("other"), kReport, "another judge"));
    const auto get = [](const RunScores& run, const char* row, const char* measure) {
      return *scoreOf(run, QLatin1String(row), QLatin1String(measure));
    };
    QCOMPARE(whyNotComparable(get(a, "cmt_1", "accuracy"), get(a, "student_4", "accuracy")), QString());
    QVERIFY(whyNotComparable(get(a, "student_1", "accuracy"), get(a, "teacher_50_guided", "accuracy"))
                .contains(QStringLiteral("Images: 600 images here, 2000 images there")));
    QVERIFY(!whyNotComparable(get(a, "cmt_1", "accuracy"), get(a, "cmt_1", "frechet_recon")).isEmpty());
    // Two judges of one recipe count alike; lengths in their features differ.
    QCOMPARE(whyNotComparable(get(a, "cmt_1", "accuracy"), get(other, "cmt_1", "accuracy")), QString());
    QCOMPARE(whyNotComparable(get(a, "cmt_1", "frechet_recon_relative"), get(other, "cmt_1", "frechet_recon_relative")),
             QString());
    QVERIFY(whyNotComparable(get(a, "cmt_1", "frechet_real"), get(other, "cmt_1", "frechet_real"))
                .contains(QStringLiteral("Judge's weights")));
    QCOMPARE(whyNotComparable(get(a, "cmt_1", "frechet_real"), get(twin, "cmt_1", "frechet_real")), QString());
    // Another run's reconstructions, another run's teacher.
    QVERIFY(whyNotComparable(get(a, "cmt_1", "frechet_recon"), get(twin, "cmt_1", "frechet_recon"))
                .contains(QStringLiteral("Against")));
    QVERIFY(whyNotComparable(get(a, "cmt_1", "latent_error"), get(twin, "cmt_1", "latent_error"))
                .contains(QStringLiteral("Teacher")));
  }

  void whatIsNotKnownComparesWithinARunOnly() {
    const QString folder = makeRun(QStringLiteral("a")), second = makeRun(QStringLiteral("b"));
    for (const auto& each : {folder, second}) QVERIFY(QFile::remove(each + QStringLiteral("/report/scored_from.json")));
    const auto a = readRunScores(folder), b = readRunScores(second);
    const auto accuracy = QStringLiteral("accuracy");
    QCOMPARE(whyNotComparable(*scoreOf(a, QStringLiteral("cmt_1"), accuracy),
                              *scoreOf(a, QStringLiteral("cmt_2"), accuracy)),
             QString());
    QVERIFY(
        whyNotComparable(*scoreOf(a, QStringLiteral("cmt_1"), accuracy), *scoreOf(b, QStringLiteral("cmt_1"), accuracy))
            .contains(QStringLiteral("not known")));
  }

  void aHostileReportIsRefusedInWords_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<bool>("has_rows");
    QTest::newRow("empty") << QByteArray() << false;
    QTest::newRow("torn") << QByteArray(kReport).left(700) << false;
    QTest::newRow("list") << QByteArray("[1, 2]") << false;
    QTest::newRow("nothing in it") << QByteArray("{}") << false;
    QTest::newRow("not text") << QByteArray("\x00\xff\xfe!", 4) << false;
    QTest::newRow("deep") << QByteArray(100000, '[') << false;
    QTest::newRow("samples is a list") << QByteArray(R"({"samples": [1, {"a": 2}], "floors": 3})") << false;
    QTest::newRow("rows are numbers") << QByteArray(R"({"samples": {"cmt_1": 3, "student_1": null}})") << false;
    QTest::newRow("values are texts")
        << QByteArray(R"({"samples": {"cmt_1": {"accuracy": "high", "num_samples": [], "accuracy_by_class": 4}}})")
        << false;
    QTest::newRow("odd numbers")
        << QByteArray(R"({"samples": {"cmt_99999999999999": {"accuracy": 1e308, "num_samples": -1e300}},
                         "latent_error": {"cmt": [1]}, "seed": 1e300, "stages": {"stage": 1}})")
        << true;
    QTest::newRow("keys that are markup") << QByteArray(R"({"samples": {"<b>x</b>\n_1": {"accuracy": 0.5}}})") << true;
  }
  void aHostileReportIsRefusedInWords() {
    QFETCH(QByteArray, bytes);
    QFETCH(bool, has_rows);
    const QString folder = makeRun(QStringLiteral("a"), bytes);
    const auto run = readRunScores(folder);
    QCOMPARE(!run.rows.empty(), has_rows);
    if (!has_rows && bytes != "{}")
      QVERIFY2(run.trouble.contains(QStringLiteral("report.json")), qPrintable(run.trouble));
    EvaluationPanel panel(*theme_);
    show(panel, folder);
    auto* table = panel.findChild<QTableWidget*>();
    for (int row = 0; row < table->rowCount(); ++row)
      for (int column = 0; column < table->columnCount(); ++column) table->setCurrentCell(row, column);
    QVERIFY(!panel.grab().isNull());
  }

  void aRunWithoutAReportSaysSoAndShowsWhatItSaid() {
    const QString folder = dir_->filePath(QStringLiteral("bare"));
    put(folder + QStringLiteral("/config.yaml"), "seed: 0\n");
    EvaluationPanel panel(*theme_);
    show(panel, folder);
    // psnr_test and accuracy of the made-up run's own MetricsReady.
    const auto* row = cell(panel, QStringLiteral("MeanFlow, step 300"), QStringLiteral("PSNR"));
    QVERIFY(row);
    QCOMPARE(row->text(), QStringLiteral("22.40"));
    QCOMPARE(panel.scores().runs()[0].rows.size(), std::size_t{1});
    QVERIFY(panel.scores().runs()[0].trouble.contains(QStringLiteral("no report/report.json yet")));
  }

  void theReportsEventsStandInForAMissingFile() {
    RunScores scores;
    base::MetricsReady event{
        "report", 1, {{"psnr_test", 22.5}, {"student_1/accuracy", 0.97}, {"latent_error/cmt_1", 0.1}}};
    addReportedMetrics(scores, {{0, event}});
    QCOMPARE(scores.rows.size(), std::size_t{2});
    QCOMPARE(scoreOf(scores, QStringLiteral("student_1"), QStringLiteral("accuracy"))->value, 0.97);
    scores.has_report = true;
    scores.rows.clear();
    addReportedMetrics(scores, {{0, event}});
    QVERIFY(scores.rows.empty());
  }

  void theChosenNumbersCardIsShownAndOthersSayWhetherTheyCompare() {
    EvaluationPanel panel(*theme_);
    panel.resize(700, 520);
    panel.show();
    show(panel, makeRun(QStringLiteral("a")));
    auto* table = panel.findChild<QTableWidget*>();
    QVERIFY(table->isColumnHidden(0));  // one run
    table->setCurrentItem(cell(panel, QStringLiteral("CMT + MFD, 1 step"), QStringLiteral("Accuracy")));
    const auto card = panel.findChild<QTextBrowser*>()->toPlainText();
    QVERIFY2(card.contains(QStringLiteral("Accuracy 0.978")) && card.contains(QStringLiteral("2000 images")) &&
                 card.contains(QStringLiteral("MeanFlow, step 300")),
             qPrintable(card));
    const auto* alike = cell(panel, QStringLiteral("CMT, 1 step"), QStringLiteral("Accuracy"));
    const auto* other = cell(panel, QStringLiteral("Teacher, 50 steps, guided"), QStringLiteral("Accuracy"));
    QVERIFY(!alike->font().italic());
    QVERIFY(alike->toolTip().contains(QStringLiteral("99.8 % of the chosen number")));
    QVERIFY(other->font().italic());
    QVERIFY(other->toolTip().contains(QStringLiteral("600 images")));
    // The chart shows the column that was chosen, and marks what does not compare.
    QCOMPARE(panel.findChild<QComboBox*>()->currentData().toString(), QStringLiteral("accuracy"));
    const auto lines = panel.findChild<EvaluationChart*>()->lineNames();
    QVERIFY(lines.contains(QStringLiteral("CMT + MFD")) && lines.contains(QStringLiteral("held-out images")));
    // Odd and even numbers of lines in the legend, with room for it and without.
    for (const int height : {520, 240}) {
      panel.resize(700, height);
      for (int i = 0; i < panel.findChild<QComboBox*>()->count(); ++i) {
        panel.findChild<QComboBox*>()->setCurrentIndex(i);
        QVERIFY(!panel.grab().isNull());
      }
    }
  }

  void severalRunsStandSideBySide() {
    const QString first = makeRun(QStringLiteral("a")), second = makeRun(QStringLiteral("b"), kReport, "other");
    EvaluationPanel panel(*theme_);
    show(panel, first);
    auto* table = panel.findChild<QTableWidget*>();
    const int lines = table->rowCount();
    panel.setOverlays({second, dir_->filePath(QStringLiteral("gone"))});
    QTRY_COMPARE(table->rowCount(), 2 * lines - 1);  // the run on show alone said something of itself
    QVERIFY(!table->isColumnHidden(0));
    QCOMPARE(table->item(lines, 0)->text(), QStringLiteral("b"));
    QVERIFY(panel.scores().runs()[2].trouble.contains(QStringLiteral("is not there")));
    QVERIFY(panel.findChild<EvaluationChart*>()->lineNames().contains(QStringLiteral("b: CMT")));
    panel.setOverlays({});
    QTRY_COMPARE(table->rowCount(), lines);
  }

  void copiesAndExportsTheNumbersInFull() {
    EvaluationPanel panel(*theme_);
    show(panel, makeRun(QStringLiteral("a")));
    const auto actions = panel.findChild<QToolButton*>()->menu()->actions();
    actions[0]->trigger();
    const auto lines = QApplication::clipboard()->text().split(u'\n');
    QVERIFY(lines[0].startsWith(QStringLiteral("Run\tImages from\tNFE\tWeights\tAccuracy")));
    QVERIFY(lines[1].startsWith(QStringLiteral("a\tCMT, 1 step\t1\taverage (EMA)\t0.976")));
    actions[1]->trigger();
    QVERIFY(QApplication::clipboard()->text().contains(QStringLiteral("| --- |")));
    const QString path = dir_->filePath(QStringLiteral("scores.csv"));
    QVERIFY(panel.saveCsv(path));
    QFile file(path);
    QVERIFY(file.open(QIODevice::ReadOnly));
    const auto csv = QString::fromUtf8(file.readAll()).split(u'\n');
    QVERIFY(csv[0].contains(QStringLiteral("accuracy/ball")) && csv[0].contains(QStringLiteral("Judge's weights")));
    QVERIFY(csv[1].contains(QStringLiteral("\"CMT, 1 step\"")) && csv[1].contains(QStringLiteral("0.852")));
    for (const auto& line : csv) QVERIFY(line.isEmpty() || line.count(u'"') % 2 == 0);
    QVERIFY(!panel.saveCsv(dir_->filePath(QStringLiteral("no/such/folder/scores.csv"))));
  }

  void anEvaluationStartsFromHereWhereOneWouldChangeSomething() {
    const QString folder = makeRun(QStringLiteral("a"));
    QVERIFY(QFile::remove(folder + QStringLiteral("/report/report.json")));
    EvaluationPanel panel(*theme_);
    auto* button = panel.findChild<QPushButton*>();
    QVERIFY(!button->isEnabled());
    panel.setObstacle(QStringLiteral("no library"));
    show(panel, folder);
    QVERIFY(!button->isEnabled() && button->toolTip().contains(QStringLiteral("no library")));
    panel.setObstacle({});
    QVERIFY2(button->isEnabled(), qPrintable(button->toolTip()));
    QSignalSpy spy(&panel, &EvaluationPanel::evaluateRequested);
    button->click();
    QCOMPARE(spy.count(), 1);
    // A run with a stage to train goes on with that first.
    source_ = std::make_unique<RunSource>(folder);
    source_->feed(testing::madeUpRun({.num_stages = 3, .has_samples = false, .state = base::RunState::kStopped}));
    panel.setSource(source_.get());
    QTRY_VERIFY(button->toolTip().contains(QStringLiteral("is not trained to its end")));
    QVERIFY(!button->isEnabled());
  }

  /// Pictures for people, at the size the panel has in a window of 1280 x 720 and larger, in screenshots/.
  void picturesInLightAndDark() {
    const QString out = QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots");
    QVERIFY(QDir().mkpath(out));
    const QString first = makeRun(QStringLiteral("seed-0")),
                  second = makeRun(QStringLiteral("seed-1"), kReport, "other");
    for (const auto choice : {ThemeChoice::kLight, ThemeChoice::kDark}) {
      theme_->setChoice(choice);
      const QString look = choice == ThemeChoice::kLight ? QStringLiteral("light") : QStringLiteral("dark");
      EvaluationPanel panel(*theme_);
      panel.resize(860, 540);
      panel.show();
      show(panel, first);
      auto* table = panel.findChild<QTableWidget*>();
      table->setCurrentItem(cell(panel, QStringLiteral("CMT + MFD, 1 step"), QStringLiteral("Relative")));
      const auto grab = [&](const QString& name) {
        QTest::qWait(60);
        QVERIFY(panel.grab().save(QStringLiteral("%1/%2_%3.png").arg(out, name, look)));
      };
      panel.setOverlays({second});
      QTRY_VERIFY(panel.scores().runs().size() == 2);
      grab(QStringLiteral("evaluation"));
      panel.setOverlays({});
      QTRY_VERIFY(panel.scores().runs().size() == 1);
      panel.resize(480, 400);
      grab(QStringLiteral("evaluation_small"));
      panel.setSource(nullptr);
      grab(QStringLiteral("evaluation_empty"));
    }
    theme_->setChoice(ThemeChoice::kSystem);
  }

  void theDeskAddsTheReportToARunWithoutThatStage() {
    const QString folder = dir_->filePath(QStringLiteral("run"));
    put(folder + QStringLiteral("/config.yaml"), "stages: [teacher, cmt]\n");
    EvaluationHost host;
    RunDesk desk;
    desk.setHost(&host, {});
    connect(&desk, &RunDesk::started, this, [](LiveRunSource* live) { delete live; });
    RunSource source(folder);
    QCOMPARE(desk.evaluate(source), QString());
    QCOMPARE(host.requests.back().overrides, std::vector<std::string>{"stages=[teacher,cmt,report]"});
    put(folder + QStringLiteral("/config.yaml"), "stages: [teacher, report]\n");
    QCOMPARE(desk.evaluate(source), QString());
    QVERIFY(host.requests.back().overrides.empty());
    desk.setHost(nullptr, {});
  }
};
STUDIO_TEST(TestEvaluation)
#include "tst_evaluation.moc"
