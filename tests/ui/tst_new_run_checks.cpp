// SPDX-License-Identifier: Apache-2.0
//
// Before a run is started: checkpoints that stand in for stages, and the pre-flight.
#include <QAction>
#include <QApplication>
#include <QDir>
#include <QLabel>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QSet>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QToolButton>
#include <QTreeWidget>

#include "core/base/config/config_io.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/config/checkpoint_dialog.h"
#include "ui/config/config_panel.h"
#include "ui/config/new_run_checks.h"
#include "ui/config/stage_row.h"
#include "ui/config/start_bar.h"
#include "ui/models/imported_stages.h"
#include "ui/models/run_controller.h"
#include "ui/panels/pipeline_panel.h"
#include "ui/panels/stage_card.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

/// Keeps what it is asked, answers when told.
class AskedHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink>) override { return {}; }
  void send(const base::Command&) override {}
  base::RunState state() const override { return base::RunState::kIdle; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  void inspectCheckpoint(const base::CheckpointQuestion& question,
                         std::function<void(const base::CheckpointFinding&)> deliver) override {
    asked = question;
    answer = std::move(deliver);
  }
  base::Result<void> startPreflight(const base::PreflightRequest& request,
                                    std::function<void(const base::PreflightNews&)> deliver) override {
    if (!refusal.empty()) return base::Error{refusal};
    flight = request;
    tell = std::move(deliver);
    return {};
  }
  void cancelPreflight() override { ++num_cancels; }

  std::string refusal;
  base::CheckpointQuestion asked;
  std::function<void(const base::CheckpointFinding&)> answer;
  base::PreflightRequest flight;
  std::function<void(const base::PreflightNews&)> tell;
  int num_cancels = 0;
};

base::CheckpointFinding teacherFinding(const std::string& source) {
  base::CheckpointFinding finding;
  finding.stage = "teacher", finding.source = source, finding.key = "teacher.weights";
  finding.description = "DiT-DH, 1.2 M parameters, latents 64x8x8, 8 classes";
  finding.weights = "average in ema";
  finding.num_tensors = 90, finding.num_computed = 2;
  finding.changes = {{"teacher.model.depth", "[4, 2]", "[6, 2]"}, {"encoder.kind", "trained", "dinov2"}};
  return finding;
}

base::PreflightReport madeUpReport(bool is_refused) {
  base::PreflightReport report;
  report.device = "cpu", report.num_workers = 2, report.memory_total_bytes = 16'000'000'000, report.wall_seconds = 21;
  report.disk_free_bytes = 90'000'000'000;
  double pace = 0.03;
  for (const char* name : {"encoder", "decoder", "teacher", "cmt", "mean_flow"}) {
    base::PreflightStage stage;
    stage.stage = name;
    if (stage.stage == "encoder") {
      stage.outcome = base::PreflightOutcome::kTaken;
      stage.note = "not trained: its weights are those of /models/encoder.safetensors (encoder.weights)";
    } else if (!is_refused) {
      stage.outcome = base::PreflightOutcome::kMeasured;
      stage.steps = 1800, stage.measured_steps = 3, stage.seconds_per_step = pace, stage.preparation_seconds = 4;
      stage.num_parameters = 1'200'000, stage.peak_memory_bytes = 410'000'000;
      stage.checkpoint_bytes = 19'300'000, stage.checkpoints_kept = 3;
      pace += 0.02;
    } else {
      stage.note = "not measured: what is refused has to be changed first";
    }
    report.stages.push_back(stage);
  }
  base::PreflightStage scoring;
  scoring.stage = "report", scoring.note = "scoring is not measured";
  report.stages.push_back(scoring);
  using base::PreflightSeverity;
  if (is_refused)
    report.findings.push_back({PreflightSeverity::kRefusal, "classes",
                               "data.num_classes is 1000, but the data has 8 classes; set it to 0, or choose data with "
                               "1000 classes",
                               "data.num_classes"});
  report.findings.push_back({PreflightSeverity::kGood, "data", "8000 training images", {}});
  report.findings.push_back({PreflightSeverity::kNote, "batch",
                             "teacher: a pass over the data is 62 batches of 128 and 64 images over, which begin the "
                             "next pass",
                             "teacher.training.batch_size"});
  report.findings.push_back(
      {PreflightSeverity::kGood, "weights",
       "encoder.weights: ViT 64/4, 210 k parameters; 84 of 84 tensors are there, 0 are tables that "
       "are computed",
       "encoder.weights"});
  return report;
}

/// The news that ends a pre-flight.
base::PreflightNews doneWith(base::PreflightReport report) {
  base::PreflightNews news;
  news.report = std::make_shared<base::PreflightReport>(std::move(report));
  return news;
}

}  // namespace

class TestNewRunChecks : public QObject {
  Q_OBJECT
 private:
  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
  AskedHost host_;
  RunController controller_;
  std::unique_ptr<ConfigPanel> panel_;
  QString source_;

  StageRow& row() { return *panel_->findChild<StageRow*>(); }
  PreflightPage& page() { return *panel_->checks().page(); }
  QAction* menuAction(const std::string& stage, const QString& text) {
    for (auto* action : row().button(stage)->menu()->actions())
      if (action->text() == text) return action;
    return nullptr;
  }

 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
    qputenv("XDG_STATE_HOME", dir_->path().toUtf8());
    qputenv("XDG_DATA_HOME", dir_->filePath(QStringLiteral("data")).toUtf8());
    host_ = AskedHost();
    source_ = dir_->filePath(QStringLiteral("teacher.pt"));
    panel_ = std::make_unique<ConfigPanel>(*theme_, controller_);
    panel_->resize(1000, 640);
    panel_->setHost(&host_);
    panel_->checks().setPick([this](const QString&, bool) { return source_; });
    panel_->show();
    QTRY_COMPARE(panel_->draft().baselineName(), QStringLiteral("preset demo"));
  }
  void cleanup() { panel_.reset(); }

  void aCheckpointIsLookedIntoThenTakenWithTheSettingsItNeeds() {
    QVERIFY(row().button("teacher")->text().startsWith(QStringLiteral("Teacher: ")));
    QVERIFY(row().button("report") == nullptr);
    menuAction("teacher", QStringLiteral("Use a checkpoint…"))->trigger();
    auto* dialog = panel_->checks().dialog();
    QVERIFY(dialog && dialog->isVisible());
    QVERIFY(!dialog->useButton()->isEnabled());  // nothing is known yet
    QCOMPARE(host_.asked.stage, std::string("teacher"));
    QCOMPARE(host_.asked.source, source_.toStdString());
    const auto asked = base::parseConfig(host_.asked.config, "asked");
    QVERIFY(asked.ok() && base::difference(*asked, panel_->draft().config()).empty());
    host_.answer(teacherFinding(source_.toStdString()));
    QTRY_VERIFY(dialog->useButton()->isEnabled());
    QVERIFY2(dialog->text().contains(QStringLiteral("88 of 90 tensors are in the file (average in ema), 2 are tables")),
             qPrintable(dialog->text()));
    QCOMPARE(dialog->findChild<QTreeWidget*>()->topLevelItemCount(), 2);
    const auto before = panel_->draft().config();
    // What is not valid elsewhere is left alone.
    panel_->draft().edit(QStringLiteral("teacher.training.lr"), QStringLiteral("fast"));
    QTest::mouseClick(dialog->useButton(), Qt::LeftButton);
    const auto& config = panel_->draft().config();
    QCOMPARE(config.teacher.weights, source_.toStdString());
    QCOMPARE(config.teacher.model.depth, (std::vector<std::int64_t>{6, 2}));
    QCOMPARE(config.encoder.kind, std::string("dinov2"));
    QCOMPARE(panel_->draft().text(QStringLiteral("teacher.training.lr")), QStringLiteral("fast"));
    QCOMPARE(row().button("teacher")->text(), QStringLiteral("Teacher: imported"));
    QCOMPARE(row().button("encoder")->text(), QStringLiteral("Encoder: published"));
    panel_->draft().undoStack().undo();  // one step
    QVERIFY(base::difference(before, panel_->draft().config()).empty());
    panel_->draft().undoStack().redo();
    QCOMPARE(panel_->draft().config().teacher.weights, source_.toStdString());
    menuAction("teacher", QStringLiteral("Train it instead"))->trigger();
    QVERIFY(panel_->draft().config().teacher.weights.empty());
    QVERIFY(row().button("teacher")->text() != QStringLiteral("Teacher: imported"));
  }

  void aRefusedCheckpointSaysWhyAndChangesNothing() {
    const auto before = panel_->draft().config();
    menuAction("decoder", QStringLiteral("Use latent statistics…"))->trigger();
    QCOMPARE(host_.asked.stage, std::string("statistics"));
    auto* dialog = panel_->checks().dialog();
    base::CheckpointFinding finding;
    finding.refusal = source_.toStdString() + ": holds a teacher, which is no statistics; nothing was imported";
    host_.answer(finding);
    QTRY_COMPARE(dialog->text(), QString::fromStdString(finding.refusal));
    QVERIFY(!dialog->useButton()->isVisible());
    dialog->reject();
    QTRY_VERIFY(panel_->checks().dialog() == nullptr);
    QVERIFY(base::difference(before, panel_->draft().config()).empty());
    // An answer that comes after the dialog has gone falls on nobody's feet.
    panel_->checks().inspect(QStringLiteral("teacher"), source_);
    const auto late = host_.answer;
    panel_->checks().dialog()->reject();
    QTRY_VERIFY(panel_->checks().dialog() == nullptr);
    late(teacherFinding(source_.toStdString()));
    QTest::qWait(20);
    QVERIFY(panel_->draft().config().teacher.weights.empty());
    panel_->checks().inspect(QStringLiteral("teacher"), source_);
    const auto later = host_.answer;
    panel_.reset();
    later(teacherFinding(source_.toStdString()));
  }

  void aPreflightShowsHowFarItIsAndThenItsPage() {
    auto* bar = panel_->findChild<StartBar*>();
    QSignalSpy asked(bar, &StartBar::preflightRequested);
    for (auto* button : bar->findChildren<QPushButton*>())
      if (button->accessibleName() == QStringLiteral("Pre-flight")) QTest::mouseClick(button, Qt::LeftButton);
    QCOMPARE(asked.size(), 1);
    QVERIFY(page().isVisible());
    QCOMPARE(QString::fromStdString(host_.flight.run_folder), bar->folder());
    QVERIFY(base::parseConfig(host_.flight.config, "flight").ok());
    host_.tell({{"teacher", 2, 4}, nullptr});
    QTRY_VERIFY(page().findChildren<QLabel*>()[1]->text().startsWith(QStringLiteral("Now: Teacher.")));
    for (auto* button : page().findChildren<QPushButton*>())
      if (button->text() == QStringLiteral("Cancel")) QTest::mouseClick(button, Qt::LeftButton);
    QCOMPARE(host_.num_cancels, 1);
    host_.tell(doneWith(madeUpReport(false)));
    QTRY_COMPARE(page().verdict(), QStringLiteral("The run can start"));
    auto* table = page().table();
    QCOMPARE(table->topLevelItemCount(), 6);
    QVERIFY(table->topLevelItem(0)->text(0).startsWith(QStringLiteral("Encoder: not trained")));
    QCOMPARE(table->topLevelItem(2)->text(2), QStringLiteral("50 ms"));
    QCOMPARE(table->topLevelItem(2)->text(3), QStringLiteral("1 min 34 s"));  // 1800 x 0.05 + 4
    // Other settings: the page says that it is about those before.
    QLabel* stale = nullptr;
    for (auto* label : page().findChildren<QLabel*>())
      if (label->text().startsWith(QStringLiteral("The settings have changed since"))) stale = label;
    QVERIFY(stale && !stale->isVisible());
    panel_->draft().edit(QStringLiteral("seed"), QStringLiteral("9"));
    QVERIFY(stale->isVisible());
  }

  void whatIsRefusedLeadsToItsSetting() {
    panel_->preflightNewRun();
    host_.tell(doneWith(madeUpReport(true)));
    QTRY_COMPARE(page().verdict(), QStringLiteral("The run cannot start: one thing has to be changed"));
    QLabel* refusal = nullptr;
    for (auto* label : page().findChildren<QLabel*>())
      if (label->accessibleName().startsWith(QStringLiteral("To change: data.num_classes is 1000"))) refusal = label;
    QVERIFY(refusal);
    Q_EMIT refusal->linkActivated(QStringLiteral("data.num_classes"));
    QVERIFY(!page().isVisible());
  }

  void whyNoPreflightIsBegunIsSaid() {
    QSignalSpy refused(&panel_->checks(), &NewRunChecks::refused);
    panel_->draft().edit(QStringLiteral("seed"), QStringLiteral("many"));
    panel_->preflightNewRun();  // settings that are not valid are not sent
    QVERIFY(host_.flight.config.empty());
    QVERIFY(!page().isVisible());
    panel_->draft().edit(QStringLiteral("seed"), QStringLiteral("1"));
    host_.refusal = "a run is being trained in this window; stop it first";
    panel_->preflightNewRun();
    QCOMPARE(refused.size(), 1);
    QCOMPARE(refused[0][0].toString(), QString::fromStdString(host_.refusal));
    panel_->setHost(nullptr);
    panel_->preflightNewRun();
    QCOMPARE(refused.size(), 2);
    panel_->checks().askCheckpoint(QStringLiteral("teacher"), false);
    QVERIFY(refused[2][0].toString().contains(QStringLiteral("teacher.weights")));
  }

  void cardsOfImportedStagesSayWhereFrom() {
    QCOMPARE(shortSource(QStringLiteral("/models/teacher.pt")), QStringLiteral("teacher.pt"));
    QCOMPARE(shortSource(QStringLiteral("/runs/demo/teacher/checkpoints/step_00000200")),
             QStringLiteral("demo, step 200"));
    QCOMPARE(shortSource(QStringLiteral("facebook/dinov2-with-registers-base")),
             QStringLiteral("dinov2-with-registers-base"));
    PipelinePanel pipeline(*theme_, controller_);
    pipeline.resize(320, 620);
    pipeline.show();
    RunSource source(QStringLiteral("/nowhere"));
    pipeline.setSource(&source);
    source.feed(testing::madeUpRun({.num_stages = 2}));
    base::RunConfig config;
    config.teacher.weights = "/models/teacher.pt";
    pipeline.setConfig(config);
    QTRY_COMPARE(pipeline.findChildren<StageCard*>().size(), 5);
    const auto cardOf = [&](const QString& title) {
      for (auto* card : pipeline.findChildren<StageCard*>())
        if (card->accessibleName().startsWith(QStringLiteral("Stage ") + title)) return card;
      return static_cast<StageCard*>(nullptr);
    };
    QTRY_COMPARE(cardOf(QStringLiteral("Teacher"))->accessibleName(),
                 QStringLiteral("Stage Teacher: imported from /models/teacher.pt"));
    QVERIFY(!cardOf(QStringLiteral("Teacher"))->findChild<QProgressBar*>()->isVisible());
    QVERIFY(cardOf(QStringLiteral("CMT"))->findChild<QProgressBar*>()->isVisible());
    pipeline.setConfig(base::RunConfig{});
    QVERIFY(cardOf(QStringLiteral("Teacher"))->findChild<QProgressBar*>()->isVisible());
    pipeline.setSource(nullptr);
  }

  /// For people to look at, and that nothing is blank.
  void pictures() {
    const QString out = QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots/checks");
    QVERIFY(QDir().mkpath(out));
    for (const auto choice : {ThemeChoice::kLight, ThemeChoice::kDark}) {
      theme_->setChoice(choice);
      const QString look = choice == ThemeChoice::kLight ? QStringLiteral("light") : QStringLiteral("dark");
      const auto grab = [&](QWidget& widget, const QString& name) {
        QTest::qWait(60);
        const QImage picture = widget.grab().toImage();
        QSet<QRgb> colours;
        for (int y = 0; y < picture.height(); y += 2)
          for (int x = 0; x < picture.width(); x += 2) colours.insert(picture.pixel(x, y));
        QVERIFY2(colours.size() > 12, qPrintable(name));
        QVERIFY(picture.save(QStringLiteral("%1/%2_%3.png").arg(out, name, look)));
      };
      for (const bool is_refused : {false, true}) {
        panel_->preflightNewRun();
        host_.tell({{"teacher", 2, 4}, nullptr});
        QTest::qWait(20);
        if (!is_refused) grab(*panel_, QStringLiteral("going"));
        host_.tell(doneWith(madeUpReport(is_refused)));
        QTRY_VERIFY(page().verdict().startsWith(QStringLiteral("The run can")));
        grab(*panel_, is_refused ? QStringLiteral("refused") : QStringLiteral("can_start"));
      }
      panel_->resize(420, 640);
      grab(*panel_, QStringLiteral("narrow"));
      panel_->resize(1000, 640);
      panel_->showSetting(QStringLiteral("teacher.weights"));
      grab(*panel_, QStringLiteral("stages"));
      panel_->checks().inspect(QStringLiteral("teacher"), source_);
      host_.answer(teacherFinding(source_.toStdString()));
      QTRY_VERIFY(panel_->checks().dialog()->useButton()->isEnabled());
      grab(*panel_->checks().dialog(), QStringLiteral("dialog"));
      panel_->checks().dialog()->reject();
    }
    theme_->setChoice(ThemeChoice::kSystem);
  }
};

STUDIO_TEST(TestNewRunChecks)
#include "tst_new_run_checks.moc"
