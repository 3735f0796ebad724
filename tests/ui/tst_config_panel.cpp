// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QComboBox>
#include <QFile>
#include <QLabel>
#include <QLineEdit>
#include <QScrollArea>
#include <QSignalSpy>
#include <QTemporaryDir>

#include "core/base/config/config_io.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/config/config_draft.h"
#include "ui/config/config_form.h"
#include "ui/config/config_panel.h"
#include "ui/config/config_yaml_view.h"
#include "ui/config/run_settings.h"
#include "ui/config/start_bar.h"
#include "ui/models/live_run_source.h"
#include "ui/models/run_controller.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

const QString kLr = QStringLiteral("teacher.training.lr");

class ListeningHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink>) override { return {}; }
  void send(const base::Command& command) override { last = command; }
  base::RunState state() const override { return base::RunState::kRunning; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  std::optional<base::Command> last;
};

std::vector<base::EventRecord> runWithChange() {
  std::vector<base::EventRecord> records;
  const auto say = [&](base::TrainingEvent event) {
    records.push_back({static_cast<std::int64_t>(records.size()), 1.7e9, std::move(event)});
  };
  say(base::RunStarted{.run_name = "changed", .stages = {"teacher"}, .stage_steps = {100}});
  say(base::StateChanged{base::RunState::kRunning});
  say(base::StageStarted{"teacher", 0, 100, 1});
  for (int step = 1; step <= 60; ++step) {
    base::StepCompleted event{.stage = "teacher", .step = step};
    event.scalars = {{"loss", 1.0}};
    say(event);
    if (step == 40) say(base::SettingChanged{"teacher", 40, "teacher.training.lr", "0.001", "0.0005"});
  }
  return records;
}

}  // namespace

class TestConfigPanel : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
    qputenv("XDG_STATE_HOME", dir_->path().toUtf8());
    qputenv("XDG_DATA_HOME", dir_->filePath(QStringLiteral("data")).toUtf8());
  }

  void anInvalidTextIsKeptAndSaysWhyInTheSchemasWords() {
    ConfigDraft draft;
    draft.edit(kLr, QStringLiteral("fast"));
    QCOMPARE(draft.text(kLr), QStringLiteral("fast"));
    QCOMPARE(draft.problem(kLr), QStringLiteral("expected a number, got 'fast'"));
    QVERIFY(draft.isChanged(kLr));
    QCOMPARE(draft.config().teacher.training.lr, base::RunConfig{}.teacher.training.lr);
    draft.edit(kLr, QStringLiteral("20"));
    QCOMPARE(draft.problem(kLr), QStringLiteral("expected a value from 0 to 10, got '20'"));
    draft.edit(kLr, QStringLiteral("2e-3"));
    QVERIFY(draft.problems().isEmpty());
    QCOMPARE(draft.config().teacher.training.lr, 2e-3);
  }

  void undoTakesBackWholeEditsAndResets() {
    ConfigDraft draft;
    const QString before = draft.text(kLr);
    for (const char* typed : {"0", "0.", "0.0", "0.01"}) draft.edit(kLr, QLatin1String(typed));
    draft.endEdit();
    draft.edit(QStringLiteral("data.path"), QStringLiteral("/some where/pictures"));
    draft.endEdit();
    QCOMPARE(draft.undoStack().count(), 2);
    QCOMPARE(draft.config().data.path, std::string("/some where/pictures"));
    draft.undoStack().undo();
    QCOMPARE(draft.text(QStringLiteral("data.path")), QString());
    draft.undoStack().undo();
    QCOMPARE(draft.text(kLr), before);
    draft.undoStack().redo();
    QCOMPARE(draft.config().teacher.training.lr, 0.01);
    draft.reset(kLr);
    QCOMPARE(draft.text(kLr), before);
    base::RunConfig other;
    other.seed = 77;
    draft.replace(other, QStringLiteral("another"));
    QCOMPARE(draft.config().seed, 77);
    draft.undoStack().undo();
    QCOMPARE(draft.config().seed, 0);
  }

  void theDraftSurvivesWithWhatIsNotValidInIt() {
    ConfigDraft draft;
    const auto demo = base::loadConfig("demo");
    QVERIFY(demo.ok());
    draft.setBaseline(*demo, QStringLiteral("preset demo"));
    draft.replace(*demo, QStringLiteral("preset demo"));
    draft.edit(kLr, QStringLiteral("oops"));
    draft.edit(QStringLiteral("stages"), QStringLiteral("encoder, decoder"));
    ConfigDraft again;
    QVERIFY(again.fromJson(draft.toJson()));
    QCOMPARE(again.text(kLr), QStringLiteral("oops"));
    QCOMPARE(again.config().stages, (std::vector<std::string>{"encoder", "decoder"}));
    QCOMPARE(again.baselineName(), QStringLiteral("preset demo"));
    QCOMPARE(again.numChanged(), 2);
    QVERIFY(!again.fromJson("not a draft"));
  }

  void yamlLinesKnowTheirKeys() {
    const QString yaml = QString::fromStdString(base::toYaml(base::RunConfig{}));
    const auto keys = keysOfYamlLines(yaml);
    QCOMPARE(keys.front(), QStringLiteral("seed"));
    for (const auto& field : base::schema())
      QVERIFY2(keys.contains(QString::fromStdString(field.key)), field.key.c_str());
  }

  void theFormFindsSettingsAndShowsWhatIsWrong() {
    RunController controller;
    ConfigPanel panel(*theme_, controller);
    panel.resize(1000, 640);
    panel.show();
    QTRY_COMPARE(panel.draft().baselineName(), QStringLiteral("preset demo"));
    panel.showSetting(kLr);
    auto* form = panel.findChild<ConfigForm*>();
    auto* editor = form->editorOf(kLr);
    QVERIFY(editor);
    auto* line = qobject_cast<QLineEdit*>(editor->editor());
    line->selectAll();
    QTest::keyClicks(line, QStringLiteral("abc"));
    QCOMPARE(panel.draft().problem(kLr), QStringLiteral("expected a number, got 'abc'"));
    auto* bar = panel.findChild<StartBar*>();
    QVERIFY2(bar->obstacle().contains(kLr), qPrintable(bar->obstacle()));
    QSignalSpy started(&panel, &ConfigPanel::startRequested);
    panel.startNewRun();
    QCOMPARE(started.size(), 0);
    QTest::keyClick(line, Qt::Key_Z, Qt::ControlModifier);  // the window's shortcut: not the line's own undo
    panel.draft().undoStack().undo();
    QVERIFY(panel.draft().problems().isEmpty());
    panel.startNewRun();
    QCOMPARE(started.size(), 1);
    const auto run = started[0][0].value<NewRun>();
    QCOMPARE(run.name, QStringLiteral("demo"));
    const auto back = base::parseConfig(run.yaml.toStdString(), "yaml");
    QVERIFY(back.ok());
    QVERIFY(base::difference(*back, panel.draft().config()).empty());
    line->setFocus();
    line->selectAll();
    QTest::keyClicks(line, QStringLiteral("1e-10"));  // "1e-1" on the way is a number too
    QCOMPARE(line->text(), QStringLiteral("1e-10"));
    QCOMPARE(panel.draft().config().teacher.training.lr, 1e-10);
    form->setSearch(QStringLiteral("mf lr"));
    QVERIFY(form->editorOf(QStringLiteral("mean_flow.training.lr")));
  }

  void nothingOfTheFormIsCutOffHoweverNarrowItIs() {
    ConfigForm form(*theme_, [](const base::FieldDoc& doc) {
      FieldState state;
      state.text = QString::fromStdString(doc.default_text);
      state.is_changed = state.can_reset = true;  // bold names, buttons that reset
      return state;
    });
    form.resize(470, 400);  // as the panel is in a window of 1280x720
    form.show();
    const auto* scroll = form.findChild<QScrollArea*>();
    const auto check = [&](const QString& what) {
      QTest::qWait(0);
      QTRY_VERIFY2(scroll->widget()->width() <= scroll->viewport()->width(), qPrintable(what));
      for (const auto* each : scroll->widget()->findChildren<QWidget*>()) {
        if (!each->isVisible() || !qobject_cast<const FieldEditor*>(each->parentWidget())) continue;
        const int right = each->mapTo(scroll->widget(), QPoint(each->width(), 0)).x();
        QVERIFY2(right <= scroll->viewport()->width(), qPrintable(what));
        QVERIFY2(qobject_cast<const QLabel*>(each) || each->width() >= each->minimumSizeHint().width(),
                 qPrintable(what));
      }
    };
    QStringList sections = {QString()};
    for (const auto& each : base::schemaSections()) sections << QString::fromStdString(each.key);
    for (const int width : {470, 400, 330, 640}) {
      form.resize(width, 400);
      for (const auto& section : sections) {
        form.setSection(section);
        check(section);
      }
      form.setSearch(QStringLiteral("steps"));
      check(QStringLiteral("search"));
      form.setSearch({});
    }
    QVERIFY(form.minimumSizeHint().width() <= 400);
  }

  void thePanelFitsBetweenItsNeighboursInASmallWindow() {
    RunController controller;
    ConfigPanel panel(*theme_, controller);
    panel.resize(460, 600);
    panel.show();
    QTRY_COMPARE(panel.draft().baselineName(), QStringLiteral("preset demo"));
    // A window that is too small for its panels becomes wider than the screen.
    QVERIFY2(panel.minimumSizeHint().width() <= 460, qPrintable(QString::number(panel.minimumSizeHint().width())));
  }

  void anOfficialFileIsImportedWithItsReport() {
    RunController controller;
    ConfigPanel panel(*theme_, controller);
    panel.show();
    QTRY_COMPARE(panel.draft().baselineName(), QStringLiteral("preset demo"));
    panel.importFile(QStringLiteral("/no/such/file.yaml"));
    QTRY_VERIFY(panel.findChild<QLabel*>() != nullptr);
    QFile file(dir_->filePath(QStringLiteral("mine.yaml")));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("seed: 12\nteacher:\n  training:\n    lr: 0.25\n");
    file.close();
    panel.importFile(file.fileName());
    QTRY_COMPARE(panel.draft().config().seed, 12);
    QCOMPARE(panel.draft().config().teacher.training.lr, 0.25);
    QCOMPARE(panel.findChild<StartBar*>()->name(), QStringLiteral("mine"));
    panel.draft().undoStack().undo();
    QCOMPARE(panel.draft().config().seed, 0);
  }

  void theDraftIsKeptOnDisk() {
    RunController controller;
    {
      ConfigPanel panel(*theme_, controller);
      QTRY_COMPARE(panel.draft().baselineName(), QStringLiteral("preset demo"));
      panel.draft().edit(kLr, QStringLiteral("0.125"));
    }
    ConfigPanel panel(*theme_, controller);
    QTRY_COMPARE(panel.draft().text(kLr), QStringLiteral("0.125"));
    QCOMPARE(panel.draft().numChanged(), 1);
  }

  void valuesInForceFollowTheCursor() {
    const QString folder = dir_->filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, {});
    QFile config(folder + QStringLiteral("/config.yaml"));
    QVERIFY(config.open(QIODevice::WriteOnly));
    config.write("stages: [teacher]\nteacher:\n  training:\n    lr: 0.0005\n");
    config.close();
    RunSource source(folder);
    RunSettings settings;
    settings.setSource(&source);
    source.feed(runWithChange());
    QTRY_VERIFY(settings.isKnown());
    QTRY_COMPARE(settings.inForce().teacher.training.lr, 0.0005);
    settings.setCursor(QStringLiteral("teacher"), 40, false);
    QCOMPARE(settings.inForce().teacher.training.lr, 0.001);
    QVERIFY(!settings.lastChange(kLr.toStdString()));
    settings.setCursor(QStringLiteral("teacher"), 41, false);
    QCOMPARE(settings.inForce().teacher.training.lr, 0.0005);
    QVERIFY(settings.lastChange(kLr.toStdString()));
  }

  void aLiveRunIsToldOfChangesItMayTake() {
    const QString folder = dir_->filePath(QStringLiteral("live"));
    testing::writeRunFolder(folder, {});
    ListeningHost host;
    RunController controller;
    controller.setHost(&host);
    ConfigPanel panel(*theme_, controller);
    panel.resize(1000, 640);
    panel.show();
    LiveRunSource source(folder);
    controller.setSource(&source);
    panel.setSource(&source);
    source.feed(runWithChange());
    QTRY_VERIFY(panel.runSettings().isKnown() && controller.actions().can_stop);
    QCOMPARE(panel.mode(), ConfigPanel::Mode::kThisRun);
    auto* form = panel.findChild<ConfigForm*>();
    panel.showSetting(QStringLiteral("teacher.training.batch_size"));
    QVERIFY(!form->editorOf(QStringLiteral("teacher.training.batch_size"))->editor()->isEnabled());
    auto* line = qobject_cast<QLineEdit*>(form->editorOf(kLr)->editor());
    QVERIFY(line->isEnabled());
    line->selectAll();
    QTest::keyClicks(line, QStringLiteral("3e-4"));
    QVERIFY(!host.last);  // nothing is sent while typing
    QTest::keyClick(line, Qt::Key_Return);
    QVERIFY(host.last);
    const auto* change = std::get_if<base::ChangeSetting>(&*host.last);
    QVERIFY(change);
    QCOMPARE(change->key, std::string("teacher.training.lr"));
    QCOMPARE(change->value, std::string("0.0003"));
    panel.setSource(nullptr);
    controller.setSource(nullptr);
  }

 private:
  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;
};

STUDIO_TEST(TestConfigPanel)
#include "tst_config_panel.moc"
