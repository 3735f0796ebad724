// SPDX-License-Identifier: Apache-2.0
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QLineEdit>
#include <QMessageBox>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QToolButton>
#include <QTreeWidget>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/base/checkpoint_maker.h"
#include "tests/base/read_only_folder.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/panels/checkpoints_panel.h"
#include "ui/panels/export_dialog.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;
using testing::writeMadeUpCheckpoint;

namespace {

/// Notes what it is to export and answers from another thread.
class ExportingHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink>) override { return {}; }
  void send(const base::Command&) override {}
  base::RunState state() const override { return base::RunState::kIdle; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  void exportCheckpoint(const base::ExportOrder& order, std::function<void(const base::ExportOutcome&)> done) override {
    orders.push_back(order);
    std::jthread([&] { done(outcome); }).join();
  }
  std::vector<base::ExportOrder> orders;
  base::ExportOutcome outcome;
};

QToolButton* toolButton(const CheckpointsPanel& panel, const QString& name) {
  for (auto* button : panel.findChildren<QToolButton*>())
    if (button->accessibleName() == name) return button;
  return nullptr;
}

}  // namespace

class TestCheckpoints : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
    run_ = std::filesystem::path(dir_->path().toStdString()) / "run";
    std::filesystem::create_directories(run_);
    std::ofstream(run_ / "config.yaml") << "seed: 1\n";
    source_ = std::make_unique<RunSource>(QString::fromStdString(run_.string()));
    panel_ = std::make_unique<CheckpointsPanel>(*theme_);
    panel_->resize(560, 360);
    panel_->show();
  }
  void cleanup() {
    panel_.reset();
    source_.reset();
  }

  void listsEveryStageNewestFirstWithWhatIsKnown() {
    for (const int step : {200, 400}) writeMadeUpCheckpoint(run_, {.stage = "cmt", .step = step});
    writeMadeUpCheckpoint(run_, {.stage = "teacher", .step = 1600});
    std::filesystem::create_directories(run_ / "report");
    std::ofstream(run_ / "report" / "report.json") << R"({"psnr_test": 22.5, "stages": [{"stage": "cmt", "steps": 200}],
              "samples": {"cmt_1": {"accuracy": 0.978, "frechet_recon_relative": 0.0172},
                          "cmt_2": {"accuracy": 0.98, "frechet_recon_relative": 0.0139}}})";
    std::ofstream(run_ / "report" / "scored_from.json") << R"({"checkpoints": {"cmt": {"step": 400}}})";
    show(3);
    QCOMPARE(tree().topLevelItem(0)->text(0), QStringLiteral("Teacher"));
    QCOMPARE(tree().topLevelItem(1)->text(1), QStringLiteral("400"));
    QCOMPARE(tree().topLevelItem(2)->text(1), QStringLiteral("200"));
    QCOMPARE(tree().topLevelItem(1)->text(4), QStringLiteral("finite"));
    // The report scored step 400, whatever its list of stages says.
    QCOMPARE(tree().topLevelItem(1)->text(5), QStringLiteral("accuracy 0.978, distance 0.0172 in 1 step"));
    QVERIFY(tree().topLevelItem(1)->toolTip(5).contains(QStringLiteral("0.0139 in 2 steps")));
    QVERIFY(tree().topLevelItem(2)->text(5).isEmpty());
    QVERIFY(tree().topLevelItem(1)->font(1).bold());
    QVERIFY(!tree().topLevelItem(2)->font(1).bold());
    QVERIFY(tree().topLevelItem(1)->toolTip(0).contains(QStringLiteral("Step 400 of 900")));
  }

  void aSavedCheckpointAppearsWhileTheRunGoesOn() {
    writeMadeUpCheckpoint(run_, {.step = 100});
    show(1);
    writeMadeUpCheckpoint(run_, {.step = 200});
    feed(base::CheckpointSaved{"teacher", 200, "teacher/checkpoints/step_00000200", 100, 0.1});
    QTRY_COMPARE(tree().topLevelItemCount(), 2);
    QCOMPARE(tree().topLevelItem(0)->text(1), QStringLiteral("200"));
    QVERIFY(tree().topLevelItem(0)->font(1).bold());
    // Retention lets go of old ones.
    std::filesystem::remove_all(run_ / "teacher/checkpoints/step_00000100");
    writeMadeUpCheckpoint(run_, {.step = 300});
    feed(base::CheckpointSaved{"teacher", 300, "teacher/checkpoints/step_00000300", 100, 0.1});
    QTRY_COMPARE(tree().topLevelItem(0)->text(1), QStringLiteral("300"));
    QCOMPARE(tree().topLevelItemCount(), 2);
  }

  void valuesThatNobodyVouchesForAreRead() {
    writeMadeUpCheckpoint(run_, {.step = 100});
    writeMadeUpCheckpoint(run_, {.step = 200, .says_finite = false, .value = std::nanf("")});
    writeMadeUpCheckpoint(run_, {.step = 300, .says_finite = false});
    show(3);
    QTRY_COMPARE(tree().topLevelItem(1)->text(4), QStringLiteral("not finite"));
    QVERIFY(tree().topLevelItem(1)->toolTip(4).contains(QStringLiteral("blocks.0.attn.qkv.weight")));
    QTRY_COMPARE(tree().topLevelItem(0)->text(4), QStringLiteral("finite"));
    // One that state.json vouches for is read when asked, and found out.
    writeMadeUpCheckpoint(run_, {.step = 100, .value = -std::numeric_limits<float>::infinity()});
    QSignalSpy changed(&panel_->list(), &CheckpointList::changed);
    panel_->list().refresh();
    QTRY_VERIFY(!changed.isEmpty());
    select({2});
    press(QStringLiteral("Check the values"));
    QTRY_COMPARE(tree().topLevelItem(2)->text(4), QStringLiteral("not finite"));
  }

  void imagesAreAskedForFromOneAndComparedFromTwo() {
    for (const int step : {100, 200}) writeMadeUpCheckpoint(run_, {.stage = "cmt", .step = step});
    writeMadeUpCheckpoint(run_, {.stage = "mean_flow", .step = 300});
    writeMadeUpCheckpoint(run_, {.stage = "teacher", .step = 50});
    writeMadeUpCheckpoint(run_, {.stage = "decoder", .step = 10});
    ExportingHost host;
    panel_->setHost(&host);
    show(5);  // decoder, teacher, cmt 200, cmt 100, mean_flow
    QSignalSpy sample(panel_.get(), &CheckpointsPanel::sampleRequested);
    QSignalSpy compare(panel_.get(), &CheckpointsPanel::compareRequested);
    const auto* make = toolButton(*panel_, QStringLiteral("Make images with it"));
    const auto* two = toolButton(*panel_, QStringLiteral("Compare two"));
    QVERIFY(!make->isEnabled());
    QVERIFY(make->toolTip().contains(QStringLiteral("choose a checkpoint first")));
    select({0});
    QVERIFY(!make->isEnabled());
    QVERIFY(make->toolTip().contains(QStringLiteral("the newest ones always")));
    select({2});
    press(QStringLiteral("Make images with it"));
    QCOMPARE(sample.size(), 1);
    QCOMPARE(sample[0][0].toString(), QStringLiteral("cmt/checkpoints/step_00000200"));
    QVERIFY(!two->isEnabled());
    select({2, 3});
    press(QStringLiteral("Compare two"));
    QCOMPARE(compare.size(), 1);
    QCOMPARE(compare[0][0].toString(), QStringLiteral("cmt/checkpoints/step_00000100"));  // the older one left
    QCOMPARE(compare[0][1].toString(), QStringLiteral("cmt/checkpoints/step_00000200"));
    select({2, 4});
    press(QStringLiteral("Compare two"));
    QCOMPARE(compare[1][0].toString(), QStringLiteral("cmt/checkpoints/step_00000200"));
    QCOMPARE(compare[1][1].toString(), QStringLiteral("mean_flow/checkpoints/step_00000300"));
    select({1, 2});
    QVERIFY(!two->isEnabled());
    QVERIFY(two->toolTip().contains(QStringLiteral("not drawn alike")));
    panel_->setHost(nullptr);
    select({2});
    QVERIFY(!make->isEnabled());
  }

  void deletingAsksAndKeepsTheNewestHealthyOne() {
    for (const int step : {100, 200, 300}) writeMadeUpCheckpoint(run_, {.step = step});
    show(3);
    auto* remove = toolButton(*panel_, QStringLiteral("Delete…"));
    select({0});
    QVERIFY(!remove->isEnabled());
    QVERIFY(remove->toolTip().contains(QStringLiteral("newest healthy")));
    select({0, 1, 2});
    answerDelete(QStringLiteral("Keep"));
    QTest::qWait(50);
    QVERIFY(std::filesystem::exists(run_ / "teacher/checkpoints/step_00000100"));
    answerDelete(QStringLiteral("Delete"));
    QTRY_COMPARE(tree().topLevelItemCount(), 1);
    QCOMPARE(tree().topLevelItem(0)->text(1), QStringLiteral("300"));
    QVERIFY(!std::filesystem::exists(run_ / "teacher/checkpoints/step_00000100"));
    QVERIFY(panel_->message().isEmpty());
  }

  void oneThatIsBeingWrittenIsNotDeletedAndThePanelSaysSo() {
    for (const int step : {100, 200}) writeMadeUpCheckpoint(run_, {.step = step});
    auto folder = base::RunFolder::open(run_).value();
    QVERIFY(folder.lock().ok());
    const auto writing = base::AtomicFolder::create(folder.checkpoint("teacher", 100)).value();
    show(2);
    select({1});
    answerDelete(QStringLiteral("Delete"));
    QTRY_VERIFY2(panel_->message().contains(QStringLiteral("writing it right now")), qPrintable(panel_->message()));
    QCOMPARE(tree().topLevelItemCount(), 2);
  }

  void aFolderPulledAwayLeavesTheListAndSaysSo() {
    for (const int step : {100, 200}) writeMadeUpCheckpoint(run_, {.step = step});
    ExportingHost host;
    panel_->setHost(&host);
    show(2);
    select({1});
    QVERIFY(toolButton(*panel_, QStringLiteral("Delete…"))->isEnabled());
    std::filesystem::rename(run_, run_.parent_path() / "elsewhere");
    panel_->list().refresh();
    QTRY_VERIFY(!panel_->list().trouble().isEmpty());
    QCOMPARE(tree().topLevelItemCount(), 2);
    for (const auto& name : {QStringLiteral("Delete…"), QStringLiteral("Export…"), QStringLiteral("Check the values"),
                             QStringLiteral("Make images with it")}) {
      QVERIFY2(!toolButton(*panel_, name)->isEnabled(), qPrintable(name));
      QVERIFY(toolButton(*panel_, name)->toolTip().contains(QStringLiteral("cannot be read any more")));
    }
    // A check that was under way meets a file that is gone.
    std::filesystem::rename(run_.parent_path() / "elsewhere", run_);
    panel_->list().refresh();
    QTRY_VERIFY(panel_->list().trouble().isEmpty());
    std::filesystem::remove_all(run_ / "teacher/checkpoints/step_00000100");
    panel_->list().check(QStringLiteral("teacher/checkpoints/step_00000100"));
    QTRY_COMPARE(tree().topLevelItem(1)->text(4), QStringLiteral("damaged"));
    panel_->setHost(nullptr);
  }

  void aReadOnlyFolderIsLookedAtOnly() {
    for (const int step : {100, 200}) writeMadeUpCheckpoint(run_, {.step = step});
    const testing::ReadOnlyFolder read_only(run_);
    show(2);
    select({1});
    QVERIFY(!toolButton(*panel_, QStringLiteral("Delete…"))->isEnabled());
    QVERIFY(toolButton(*panel_, QStringLiteral("Delete…"))->toolTip().contains(QStringLiteral("read-only")));
    QVERIFY(toolButton(*panel_, QStringLiteral("Check the values"))->isEnabled());
  }

  void anExportIsAskedForAndItsOutcomeTold() {
    writeMadeUpCheckpoint(run_, {.stage = "cmt", .step = 100});
    ExportingHost host;
    host.outcome.files = {"/tmp/out.pt"};
    host.outcome.description = "a DiT-DH student";
    host.outcome.num_tensors = 12;
    panel_->setHost(&host);
    show(1);
    select({0});
    press(QStringLiteral("Export…"));
    auto* ask = panel_->findChild<ExportDialog*>();
    QVERIFY(ask);
    auto boxes = ask->findChildren<QComboBox*>();
    auto* format = boxes[0]->accessibleName() == QStringLiteral("Format") ? boxes[0] : boxes[1];
    auto* weights = format == boxes[0] ? boxes[1] : boxes[0];
    auto* path = ask->findChild<QLineEdit*>();
    QVERIFY(path->text().endsWith(QStringLiteral("run-cmt-100.safetensors")));
    choose(weights, 2);
    QCOMPARE(weights->currentIndex(), 0);  // both sets fit into a .pt file only
    choose(format, 1);
    choose(weights, 2);
    QCOMPARE(weights->currentIndex(), 2);
    QVERIFY(path->text().endsWith(QStringLiteral("run-cmt-100.pt")));
    QPushButton* go = nullptr;
    for (auto* button : ask->findChildren<QPushButton*>())
      if (button->accessibleName() == QStringLiteral("Export")) go = button;
    path->clear();
    QTest::keyClicks(path, QStringLiteral("x"));
    QVERIFY(!go->isEnabled());  // no whole path
    const QString out = dir_->filePath(QStringLiteral("out.pt"));
    path->clear();
    QTest::keyClicks(path, out);
    QTest::mouseClick(go, Qt::LeftButton);
    QCOMPARE(host.orders.size(), 1u);
    const auto& order = host.orders[0];
    QCOMPARE(order.stage, std::string("cmt"));
    QCOMPARE(order.step, 100);
    QCOMPARE(order.format, std::string("pt"));
    QCOMPARE(order.weights, std::string("both"));
    QCOMPARE(order.out, out.toStdString());
    QVERIFY(!order.replace);
    QTRY_VERIFY2(panel_->message().contains(QStringLiteral("12 tensors")), qPrintable(panel_->message()));
    QVERIFY(panel_->message().contains(QStringLiteral("/tmp/out.pt")));
    QTRY_VERIFY(!panel_->findChild<ExportDialog*>());
    host.outcome.error = "the disk is full";
    press(QStringLiteral("Export…"));
    for (auto* button : panel_->findChild<ExportDialog*>()->findChildren<QPushButton*>())
      if (button->accessibleName() == QStringLiteral("Export")) button->click();
    QTRY_VERIFY(panel_->message().contains(QStringLiteral("the disk is full")));
    panel_->setHost(nullptr);
  }

  void thePathIsCopiedAndShown() {
    writeMadeUpCheckpoint(run_, {.step = 100});
    show(1);
    select({0});
    press(QStringLiteral("Copy the path"));
    const QString path = QString::fromStdString((run_ / "teacher/checkpoints/step_00000100").string());
    QCOMPARE(QApplication::clipboard()->text(), path);
    QUrl opened;
    panel_->setOpenUrl([&](const QUrl& url) { return opened = url, true; });
    press(QStringLiteral("Show in the file manager"));
    QCOMPARE(opened.toLocalFile(), path);
    QVERIFY(panel_->message().isEmpty());
    panel_->setOpenUrl([](const QUrl&) { return false; });
    press(QStringLiteral("Show in the file manager"));
    QVERIFY(panel_->message().contains(path));
  }

 private:
  QTreeWidget& tree() { return *panel_->findChild<QTreeWidget*>(); }
  void show(int num_rows) {
    panel_->setSource(source_.get());
    QTRY_COMPARE(tree().topLevelItemCount(), num_rows);
  }
  void select(std::initializer_list<int> rows) {
    tree().clearSelection();
    for (const int row : rows) tree().topLevelItem(row)->setSelected(true);
  }
  void press(const QString& name) {
    auto* button = toolButton(*panel_, name);
    QVERIFY2(button && button->isEnabled(), qPrintable(name));
    QTest::mouseClick(button, Qt::LeftButton);
  }
  void answerDelete(const QString& answer) {
    press(QStringLiteral("Delete…"));
    auto* ask = panel_->findChild<QMessageBox*>(QStringLiteral("ask_delete"));
    QVERIFY(ask);
    for (auto* button : ask->buttons())
      if (button->text() == answer) QTest::mouseClick(button, Qt::LeftButton);
    QTRY_VERIFY(!panel_->findChild<QMessageBox*>(QStringLiteral("ask_delete")));
  }
  static void choose(QComboBox* box, int row) {
    box->setCurrentIndex(row);
    Q_EMIT box->activated(row);
  }
  void feed(base::TrainingEvent event) {
    const base::EventRecord record{sequence_++, 1.76e9, std::move(event)};
    source_->feed({&record, 1});
  }

  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
  std::filesystem::path run_;
  std::unique_ptr<RunSource> source_;
  std::unique_ptr<CheckpointsPanel> panel_;
  std::int64_t sequence_ = 0;
};

STUDIO_TEST(TestCheckpoints)
#include "tst_checkpoints.moc"
