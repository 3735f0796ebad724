// SPDX-License-Identifier: Apache-2.0
//
// `meanflow` as a person or a batch system uses it: exit codes, messages, signals.
#include <signal.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QRegularExpression>
#include <QTemporaryDir>
#include <cmath>
#include <filesystem>

#include "core/base/formats/png.h"
#include "core/base/run/atomic_file.h"
#include "core/base/run/run_folder.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"

using namespace meanflow;
namespace fs = std::filesystem;

namespace {

constexpr int kPatienceMs = 120'000;

struct Answer {
  int code = -1;
  QString out, err;
};

Answer call(const QStringList& arguments) {
  QProcess process;
  process.start(MEANFLOW_PROGRAM, arguments);
  Answer answer;
  if (!process.waitForFinished(kPatienceMs)) {
    process.kill();
    process.waitForFinished();
    answer.err = "it did not end";
    return answer;
  }
  answer.code = process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -2;
  answer.out = QString::fromUtf8(process.readAllStandardOutput());
  answer.err = QString::fromUtf8(process.readAllStandardError());
  return answer;
}

/// Starts `process` and waits until it has reported step `step` of `stage`.
bool startAndWaitFor(QProcess& process, const QStringList& arguments, const QString& stage, int step) {
  process.start(MEANFLOW_PROGRAM, arguments);
  QByteArray out;
  while (process.state() != QProcess::NotRunning) {
    if (!process.waitForReadyRead(kPatienceMs)) return false;
    out += process.readAllStandardOutput();
    for (const auto& line : out.split('\n'))
      if (line.contains("\"step_completed\"") && line.contains(("\"" + stage + "\"").toUtf8()) &&
          line.contains(("\"step\":" + QString::number(step) + ",").toUtf8()))
        return true;
  }
  return false;
}

}  // namespace

class TestCli : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    preset_ = QString::fromStdString(testing::writeTinyPreset(root()));
    const auto answer = call({"train", preset_, "--out", run("whole")});
    QVERIFY2(answer.code == 0, qPrintable(answer.err));
  }

  void helpNamesTheSubcommandsAndExitCodes() {
    const auto answer = call({"--help"});
    QCOMPARE(answer.code, 0);
    for (const char* word : {"demo", "train", "sample", "control", "inspect", "import", "export", "verify", "config",
                             "cost", "bench", "75"})
      QVERIFY2(answer.out.contains(word), word);
    for (const char* command :
         {"demo", "train", "sample", "control", "inspect", "import", "export", "verify", "config", "cost", "bench"}) {
      const auto help = call({command, "--help"});
      QCOMPARE(help.code, 0);
      QVERIFY2(help.out.contains("--help"), command);
    }
  }

  void benchTellsWhatTheInstrumentsTake() {
    const auto answer = call({"bench", "diagnostics", "--preset", preset_, "--steps", "3", "--json"});
    QVERIFY2(answer.code == 0, qPrintable(answer.err));
    const auto root = QJsonDocument::fromJson(answer.out.toUtf8()).object();
    QVERIFY2(root.contains("gpu"), qPrintable(answer.out));
    QCOMPARE(root["device"].toString(), "cpu");
    QStringList stages;
    for (const auto& entry : root["stages"].toArray()) {
      const auto stage = entry.toObject();
      stages << stage["stage"].toString();
      QCOMPARE(stage["steps_of_each_kind"].toInt(), 3);
      const double without = stage["step_seconds_without"].toDouble(), with = stage["step_seconds"].toDouble();
      QVERIFY2(without > 0 && stage["share"].isDouble(), qPrintable(answer.out));
      QVERIFY2(std::abs(with - without * (1 + stage["share"].toDouble())) < 1e-9, qPrintable(answer.out));
    }
    QCOMPARE(stages, QStringList({"teacher", "cmt", "mean_flow"}));
  }

  void theVersionIsPrinted() {
    const auto answer = call({"--version"});
    QCOMPARE(answer.code, 0);
    QVERIFY2(QRegularExpression("^\\d+\\.\\d+\\.\\d+\\s*$").match(answer.out).hasMatch(), qPrintable(answer.out));
  }

  void badUsageExitsWithTwo_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QStringList>("in_message");
    QTest::newRow("no subcommand") << QStringList{} << QStringList{"subcommand"};
    QTest::newRow("unknown subcommand") << QStringList{"trian"} << QStringList{"'trian'", "demo train", "--help"};
    QTest::newRow("unknown option") << QStringList{"train", "PRESET", "--fast"} << QStringList{"--fast"};
    QTest::newRow("no such preset") << QStringList{"train", "dmo", "--out", "RUN"} << QStringList{"dmo"};
    QTest::newRow("typo in an override") << QStringList{"train", "PRESET", "teacher.training.stps=3", "--out", "RUN"}
                                         << QStringList{"teacher.training.stps", "teacher.training.steps"};
    QTest::newRow("value out of range") << QStringList{"train", "PRESET", "teacher.training.lr=-1", "--out", "RUN"}
                                        << QStringList{"teacher.training.lr"};
    QTest::newRow("setting that training cannot run")
        << QStringList{"train", "mf-rae-mfd-256", "--out", "RUN"} << QStringList{"data.flip true", "not supported"};
    QTest::newRow("configuration without stages")
        << QStringList{"train", "mf-rae-sample-256", "--out", "RUN"} << QStringList{"stages is empty"};
    QTest::newRow("cost of a typo") << QStringList{"cost", "demo", "teacher.model.dept=3,2"}
                                    << QStringList{"teacher.model.depth"};
    QTest::newRow("cost of sizes that do not fit")
        << QStringList{"cost", "imagenet-256", "encoder.input_size=225"} << QStringList{"encoder.input_size"};
    QTest::newRow("help for no section") << QStringList{"train", "--help-config", "techer"}
                                         << QStringList{"techer", "teacher"};
    QTest::newRow("bench of nothing that there is") << QStringList{"bench", "speed"} << QStringList{"KIND", "speed"};
    QTest::newRow("config of nothing") << QStringList{"config"} << QStringList{"presets: demo"};
    QTest::newRow("inspect a folder that is no run")
        << QStringList{"inspect", "FOLDER"} << QStringList{"neither a run folder"};
    QTest::newRow("inspect nothing") << QStringList{"inspect", "RUN"} << QStringList{"does not exist"};
    QTest::newRow("a solver that is none")
        << QStringList{"sample", "WHOLE", "sampling.method=hein", "--teacher", "--out", "PNG"}
        << QStringList{"sampling.method", "heun2"};
    QTest::newRow("a solver of the other mode")
        << QStringList{"sample", "WHOLE", "sampling.mode=sde", "sampling.method=rk4", "--teacher", "--out", "PNG"}
        << QStringList{"sampling.mode sde", "rk4", "euler or heun"};
    QTest::newRow("a setting that sampling does not have")
        << QStringList{"sample", "WHOLE", "teacher.training.lr=1", "--out", "PNG"}
        << QStringList{"teacher.training.lr", "sampling"};
    QTest::newRow("class out of range") << QStringList{"sample", "WHOLE", "--class", "99", "--out", "PNG"}
                                        << QStringList{"class 99", "3 classes", "disc"};
    QTest::newRow("class name unknown") << QStringList{"sample", "WHOLE", "--class", "dics", "--out", "PNG"}
                                        << QStringList{"dics", "across, disc, down"};
    QTest::newRow("count zero") << QStringList{"sample", "WHOLE", "--count", "0", "--out", "PNG"}
                                << QStringList{"--count"};
    QTest::newRow("sample a folder that is no run")
        << QStringList{"sample", "FOLDER", "--out", "PNG"} << QStringList{"not a run folder"};
    QTest::newRow("control: unknown command") << QStringList{"control", "WHOLE", "puase"} << QStringList{"puase"};
  }
  void badUsageExitsWithTwo() {
    QFETCH(QStringList, arguments);
    QFETCH(const QStringList, in_message);
    QDir().mkpath(run("no_run"));
    arguments.replaceInStrings(QRegularExpression("^PRESET$"), preset_)
        .replaceInStrings(QRegularExpression("^RUN$"), run("never_made"));
    arguments.replaceInStrings(QRegularExpression("^WHOLE$"), run("whole"))
        .replaceInStrings(QRegularExpression("^FOLDER$"), run("no_run"));
    arguments.replaceInStrings(QRegularExpression("^PNG$"), run("never_made.png"));
    const auto answer = call(arguments);
    QVERIFY2(answer.code == 2, qPrintable(QStringLiteral("%1: %2").arg(answer.code).arg(answer.err)));
    for (const auto& part : in_message) QVERIFY2(answer.err.contains(part), qPrintable(answer.err));
    QVERIFY2(!answer.err.contains("terminate"), qPrintable(answer.err));
    QVERIFY(!QFile::exists(run("never_made")) && !QFile::exists(run("never_made.png")));
  }

  void aTypoInAConfigurationIsNamedWithFileLineAndTheNearestKey() {
    const auto typo = root() / "typo.yaml";
    base::writeFileAtomically(typo, "seed: 1\nteacher:\n  training:\n    warmup_step: 3\n").value();
    const auto answer = call({"train", QString::fromStdString(typo.string()), "--out", run("never_made")});
    QCOMPARE(answer.code, 2);
    QVERIFY2(answer.err.contains(QString::fromStdString(typo.string()) + ":4"), qPrintable(answer.err));
    QVERIFY2(answer.err.contains("warmup_steps"), qPrintable(answer.err));
    QVERIFY(!QFile::exists(run("never_made")));
  }

  void costIsPrintedAsTextAndAsJson() {
    const auto text = call({"cost", "mf-rae-mfd-256", "--throughput", "400", "--gpus", "8"});
    QVERIFY2(text.code == 0, qPrintable(text.err));
    QVERIFY2(text.out.contains("156.8 + 106.6 = 263.4 against 114.4 + 310.0 = 424.4 GFLOPs, 38 % less"),
             qPrintable(text.out));
    const auto json = QJsonDocument::fromJson(call({"cost", "demo", "--json"}).out.toUtf8());
    QCOMPARE(json["stages"].toArray().size(), 5);
    QVERIFY(json["parts"].toArray().at(2).toObject()["parameters"].toDouble() > 1e6);
  }

  void aDryRunTellsWhatTrainingTakesAndWhatStandsInItsWay() {
    const auto answer = call({"train", preset_, "--out", run("dry"), "--dry-run", "--json"});
    QVERIFY2(answer.code == 0, qPrintable(answer.err));
    const auto report = QJsonDocument::fromJson(answer.out.toUtf8()).object();
    QVERIFY(report["can_start"].toBool());
    QCOMPARE(report["stages"].toArray()[2].toObject()["outcome"].toString(), QString("measured"));
    QVERIFY(report["seconds"].toDouble() > 0);
    QVERIFY(!fs::exists(run("dry").toStdString()));
    const auto refused = call({"train", preset_, "data.num_classes=4", "--dry-run"});
    QCOMPARE(refused.code, 2);
    QVERIFY2(refused.out.contains("REFUSED  data.num_classes is 4, but the data has 3 classes"),
             qPrintable(refused.out));
    const auto of_run = call({"train", run("whole"), "--dry-run"});  // a run that is there: its own settings
    QVERIFY2(of_run.code == 0, qPrintable(of_run.out + of_run.err));
    QVERIFY(of_run.out.contains("can start"));
  }

  void configShowsHowAnOfficialFileWasUnderstood() {
    const auto file = root() / "official.yaml";
    base::writeFileAtomically(
        file,
        "stage_1:\n  target: stage1.RAE\n  params:\n    encoder_cls: MAEwNorm\n    encoder_input_size: 256\n"
        "    encoder_params: {model_name: facebook/vit-mae-base}\n    decoder_config_path: configs/decoder/ViTL\n")
        .value();
    const auto name = QString::fromStdString(file.string());
    const auto answer = call({"config", name});
    QVERIFY2(answer.code == 0, qPrintable(answer.err));
    QVERIFY2(answer.out.contains("stage_1.params.encoder_cls = MAEwNorm (line 4) -> encoder.kind = mae"),
             qPrintable(answer.out));
    QVERIFY(answer.out.contains("\nencoder:\n  kind: mae\n"));
    // What it prints is a configuration.
    base::writeFileAtomically(root() / "again.yaml", answer.out.toStdString()).value();
    const auto again = call({"config", run("again.yaml"), "--json"});
    QCOMPARE(QJsonDocument::fromJson(again.out.toUtf8())["config"].toObject()["decoder.model.hidden_size"].toString(),
             QString("1024"));
  }

  void helpOfTheConfigurationListsKeysWithRangesAndUnits() {
    const auto answer = call({"train", "--help-config", "teacher.training"});
    QVERIFY2(answer.code == 0, qPrintable(answer.err));
    QVERIFY2(answer.out.contains("teacher.training.steps = 1000  (integer 0 to 1000000000, steps)"),
             qPrintable(answer.out));
    QVERIFY(!answer.out.contains("cmt."));
    QVERIFY(call({"train", "--help-config"}).out.contains("cmt.pair_times = solver  (solver | official)"));
  }

  void inspectTellsWhatARunHolds() {
    const auto text = call({"inspect", run("whole")});
    QCOMPARE(text.code, 0);
    for (const char* word : {"finished", "encoder", "mean_flow", "step_00000006"})
      QVERIFY2(text.out.contains(word), qPrintable(text.out));
    const auto checkpoint = call({"inspect", run("whole") + "/mean_flow/checkpoints/step_00000006"});
    QCOMPARE(checkpoint.code, 0);
    QVERIFY2(checkpoint.out.contains("0 of them not finite"), qPrintable(checkpoint.out));
  }

  void aTruncatedWeightFileIsNamedAndExitsWithOne() {
    const auto file = root() / "half.safetensors";
    fs::copy_file(fs::path(run("whole").toStdString()) / "teacher/checkpoints/step_00000010/model.safetensors", file);
    fs::resize_file(file, fs::file_size(file) / 2);
    const auto answer = call({"inspect", QString::fromStdString(file.string())});
    QVERIFY2(answer.code == 1, qPrintable(answer.err));
    QVERIFY2(answer.err.contains("half.safetensors"), qPrintable(answer.err));
  }

  void samplingWritesTheGridAndHowItWasMade() {
    const auto answer = call({"sample", run("whole"), "--class", "disc,0", "--count", "3", "--nfe", "2", "--seed", "5",
                              "--scale", "2", "--out", run("grid.png")});
    QVERIFY2(answer.code == 0, qPrintable(answer.err));
    base::PngTexts texts;
    const auto grid = base::readPng(run("grid.png").toStdString(), &texts);
    QVERIFY(grid.ok());
    QCOMPARE(grid->width, 3 * 32);
    QCOMPARE(grid->height, 2 * 32);
    QCOMPARE(texts.at("classes"), std::string("1,1,1,0,0,0"));
    QCOMPARE(texts.at("nfe"), std::string("2"));
    QCOMPARE(texts.at("seed"), std::string("5"));
  }

  void anInterpolationIsARowForEachNoise() {
    const auto answer = call({"sample", run("whole"), "--class", "disc", "--count", "2", "--to-class", "down",
                              "--to-seed", "9", "--between", "5", "--truncation", "0.8", "--out", run("way.png")});
    QVERIFY2(answer.code == 0, qPrintable(answer.err));
    base::PngTexts texts;
    const auto grid = base::readPng(run("way.png").toStdString(), &texts);
    QVERIFY(grid.ok());
    QCOMPARE(grid->width, 5 * 16);
    QCOMPARE(grid->height, 2 * 16);
    QCOMPARE(texts.at("classes"), std::string("1,1,1,1,1,1,1,1,1,1"));
    QCOMPARE(texts.at("towards_class"), std::string("2"));
    QCOMPARE(texts.at("towards_seed"), std::string("9"));
    QCOMPARE(texts.at("between"), std::string("5"));
    QCOMPARE(texts.at("truncation"), std::string("0.8"));
    const auto refused = call({"sample", run("whole"), "--truncation", "1.5", "--out", run("way.png")});
    QCOMPARE(refused.code, 2);
  }

  void aKilledRunGoesOnWithTheSameCommand() {
    const QStringList command = {"train", preset_, "--json", "--out", run("killed")};
    QProcess process;
    QVERIFY(startAndWaitFor(process, command, "teacher", 5));
    QVERIFY(::kill(static_cast<pid_t>(process.processId()), SIGKILL) == 0);
    process.waitForFinished();
    QCOMPARE(process.exitStatus(), QProcess::CrashExit);
    const auto answer = call(command);
    QVERIFY2(answer.code == 0, qPrintable(answer.err));
    QCOMPARE(finalWeights("killed"), finalWeights("whole"));
  }

  void aTerminatedRunIsSavedAndGoesOnWithTheSameCommand() {
    const QStringList command = {"train", preset_, "--json", "--out", run("terminated")};
    QProcess process;
    QVERIFY(startAndWaitFor(process, command, "encoder", 2));
    process.terminate();
    QVERIFY(process.waitForFinished(kPatienceMs));
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 75);
    QVERIFY(QString::fromUtf8(process.readAllStandardError()).contains("goes on"));
    const auto answer = call(command);
    QVERIFY2(answer.code == 0, qPrintable(answer.err));
    QCOMPARE(finalWeights("terminated"), finalWeights("whole"));
  }

  void aDivergedRunExitsWithThree() {
    // Decay times rate is 100, so the weights grow by 99 a step whatever the gradients say.
    const auto answer =
        call({"train", preset_, "teacher.training.lr=10", "teacher.training.weight_decay=10",
              "teacher.training.warmup_steps=0", "teacher.training.schedule=constant", "teacher.training.steps=60",
              "teacher.training.checkpoint_every=100", "--out", run("diverged")});
    QVERIFY2(answer.code == 3, qPrintable(QStringLiteral("%1: %2").arg(answer.code).arg(answer.err.right(600))));
    QVERIFY2(answer.err.contains("teacher diverged at step"), qPrintable(answer.err));
  }

  void aRunIsDiagnosedReplayedAndBranchedFromTheTerminal() {
    const auto text = call({"inspect", run("whole"), "--diagnose"});
    QVERIFY2(text.code == 0 && text.out.contains("no alarms") && text.out.contains("mean_flow: loss"),
             qPrintable(text.out));
    const auto json = call({"inspect", run("whole"), "--diagnose", "--json"});
    QVERIFY(QJsonDocument::fromJson(json.out.toUtf8())["stages"].toArray().size() >= 5);

    const auto replay = call({"inspect", run("whole"), "--replay", "mean_flow:5", "--json"});
    QVERIFY2(replay.code == 0, qPrintable(replay.err));
    const auto found = QJsonDocument::fromJson(replay.out.toUtf8());
    QCOMPARE(found["step"].toInt(), 5);
    QCOMPARE(found["replay_error"].toDouble(-1), 0.0);  // every loss to the bit
    QVERIFY(QFile::exists(run("whole") + "/mean_flow/diagnostics/step_00000005_replay/report.md"));
    QCOMPARE(call({"inspect", run("whole"), "--replay", "mean_flow"}).code, 2);

    const auto branch = call({"train", run("whole"), "--branch", "mean_flow:5", "--out", run("branch"),
                              "mean_flow.training.final_lr=3e-3", "stages=[mean_flow]", "--json"});
    QVERIFY2(branch.code == 0, qPrintable(branch.err));
    QVERIFY(branch.out.contains("\"run_branched\""));
    QVERIFY2(branch.out.contains("mean_flow.training.final_lr: 1e-05 -> 0.003"), qPrintable(branch.out.left(2000)));
    QVERIFY(finalWeights("branch") != finalWeights("whole"));
    QCOMPARE(call({"train", run("whole"), "--branch", "mean_flow:5"}).code, 2);  // where to?
    QCOMPARE(call({"train", run("whole"), "--branch", "mean_flow", "--out", run("other")}).code, 2);
  }

  void commandsToARunThatIsNotGoingAreRefused() {
    const auto answer = call({"control", run("whole"), "pause"});
    QCOMPARE(answer.code, 1);
    QVERIFY2(answer.err.contains("is not being trained now"), qPrintable(answer.err));
  }

  void aPausedStartWaitsForTheInboxBeforeTheFirstStep() {
    QProcess process;
    process.start(MEANFLOW_PROGRAM, {"train", preset_, "--json", "--start-paused", "--out", run("paused")});
    QByteArray out;
    while (!out.contains("\"paused\"") && process.waitForReadyRead(kPatienceMs)) out += process.readAllStandardOutput();
    QVERIFY(out.contains("\"paused\""));
    QCOMPARE(call({"control", run("paused"), "stop"}).code, 0);
    QVERIFY(process.waitForFinished(kPatienceMs));
    QCOMPARE(process.exitCode(), 75);
    out += process.readAllStandardOutput();
    QVERIFY2(!out.contains("\"images_seen\""), out.right(2000).constData());  // no step was reported
  }

 private:
  fs::path root() const { return temporary_.path().toStdString(); }
  QString run(const QString& name) const { return temporary_.filePath(name); }
  QByteArray finalWeights(const QString& name) const {
    QFile file(run(name) + "/mean_flow/checkpoints/step_00000006/ema.safetensors");
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray(name.toUtf8() + " has no final weights");
  }

  QTemporaryDir temporary_;
  QString preset_;
};
STUDIO_TEST(TestCli)
#include "tst_cli.moc"
