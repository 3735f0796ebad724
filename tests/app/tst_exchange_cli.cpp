// SPDX-License-Identifier: Apache-2.0
//
// `meanflow import`, `export` and `inspect` as a person uses them, with Python on the other side, and on a file larger
// than the memory they may take.
#include <sys/resource.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <filesystem>
#include <limits>
#include <tuple>

#include "core/base/formats/safetensors.h"
#include "core/base/run/atomic_file.h"
#include "tests/base/sparse_file.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"

using namespace meanflow;
namespace fs = std::filesystem;

namespace {

struct Answer {
  int code = -1;
  QString out, err;
};

Answer run(const QString& program, const QStringList& arguments) {
  QProcess process;
  process.start(program, arguments);
  Answer answer;
  if (!process.waitForFinished(280'000)) {
    process.kill();
    process.waitForFinished();
    answer.err = program + " did not end: " + process.errorString();
    return answer;
  }
  answer.code = process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -2;
  answer.out = QString::fromUtf8(process.readAllStandardOutput());
  answer.err = QString::fromUtf8(process.readAllStandardError());
  return answer;
}
QString tests() { return QString::fromStdString(testing::testsFolder()); }
Answer meanflow_(const QStringList& arguments) { return run(MEANFLOW_PROGRAM, arguments); }
Answer python(const QStringList& arguments) {
  return run(STUDIO_PYTHON, QStringList{tests() + "/app/exchange_round_trip.py"} + arguments);
}

/// Largest resident memory of any process this one has started and waited for, in bytes.
std::int64_t childrensPeakMemory() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

/// Names and shapes of a DiT-DH teacher of few wide blocks.
std::vector<testing::SparseTensor> wideTeacher(std::int64_t num_head_blocks) {
  constexpr std::int64_t kWidth = 256, kHead = 2048, kChannels = 768, kSide = 16;
  std::vector<testing::SparseTensor> tensors = {{"pos_embed", {1, kSide * kSide, kWidth}},
                                                {"x_embedder.proj.weight", {kHead, kChannels, 1, 1}},
                                                {"x_embedder.proj.bias", {kHead}},
                                                {"s_embedder.proj.weight", {kWidth, kChannels, 1, 1}},
                                                {"s_embedder.proj.bias", {kWidth}},
                                                {"s_projector.weight", {kHead, kWidth}},
                                                {"s_projector.bias", {kHead}},
                                                {"t_embedder.W", {256}},
                                                {"t_embedder.mlp.0.weight", {kWidth, 512}},
                                                {"t_embedder.mlp.0.bias", {kWidth}},
                                                {"t_embedder.mlp.2.weight", {kWidth, kWidth}},
                                                {"t_embedder.mlp.2.bias", {kWidth}},
                                                {"y_embedder.embedding_table.weight", {1001, kWidth}},
                                                {"final_layer.norm_final.weight", {kHead}},
                                                {"final_layer.linear.weight", {kChannels, kHead}},
                                                {"final_layer.linear.bias", {kChannels}},
                                                {"final_layer.adaLN_modulation.1.weight", {2 * kHead, kHead}},
                                                {"final_layer.adaLN_modulation.1.bias", {2 * kHead}}};
  for (const auto& [rope, width] : {std::pair{"enc_feat_rope", kWidth / 4}, {"dec_feat_rope", kHead / 16}})
    for (const char* part : {".freqs_cos", ".freqs_sin"})
      tensors.push_back({std::string(rope) + part, {kSide * kSide, width}});
  for (std::int64_t i = 0; i <= num_head_blocks; ++i) {
    const auto D = i == 0 ? kWidth : kHead, h = i == 0 ? std::int64_t{682} : std::int64_t{5461};
    const auto add = [&](const char* name, std::vector<std::int64_t> shape) {
      tensors.push_back({"blocks." + std::to_string(i) + "." + name, std::move(shape)});
    };
    add("norm1.weight", {D}), add("norm2.weight", {D});
    add("attn.qkv.weight", {3 * D, D}), add("attn.qkv.bias", {3 * D}), add("attn.proj.weight", {D, D}),
        add("attn.proj.bias", {D});
    add("mlp.w12.weight", {2 * h, D}), add("mlp.w12.bias", {2 * h}), add("mlp.w3.weight", {D, h}),
        add("mlp.w3.bias", {D});
    add("adaLN_modulation.1.weight", {6 * D, D}), add("adaLN_modulation.1.bias", {6 * D});
  }
  return tensors;
}

}  // namespace

class TestExchangeCli : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir temporary_;
  QString path(const QString& name) const { return temporary_.filePath(name); }

 private Q_SLOTS:
  // First: the largest process so far is what is measured.
  void aFileOfManyGigabytesIsInspectedAndImportedWithLittleMemory() {
    // 13 GB of names and shapes cost nothing to look at.
    const auto large = path("large.pt").toStdString();
    QVERIFY(!testing::writeSparsePt(large, wideTeacher(43)).empty());
    QVERIFY(fs::file_size(large) > 12'500'000'000U);
    const auto shapes = meanflow_({"inspect", path("large.pt"), "--shapes", "--json"});
    QVERIFY2(shapes.code == 0, qPrintable(shapes.err));
    const auto json = QJsonDocument::fromJson(shapes.out.toUtf8());
    const auto model = json["models"].toArray().at(0).toObject();
    QCOMPARE(model["kind"].toString(), QString("ddt"));
    QVERIFY2(model["mapping"].toObject()["complete"].toBool(),
             qPrintable(model["mapping"].toObject()["summary"].toString()));
    QCOMPARE(model["missing_for_a_student"].toArray().size(), 5);
    fs::remove(large);
    const auto idle = childrensPeakMemory();
    QVERIFY2(idle < std::int64_t{700} << 20,
             std::to_string(idle).c_str());  // LibTorch's own code and nothing of the file

    const auto file = path("wide.pt").toStdString();
    QVERIFY(!testing::writeSparsePt(file, wideTeacher(6)).empty());
    QVERIFY(fs::file_size(file) > 1'800'000'000U);
    const auto imported = meanflow_({"import", path("wide.pt"), "--out", path("wide")});
    QVERIFY2(imported.code == 0, qPrintable(imported.err));
    QVERIFY2(imported.out.contains("DiT-DH [256, 2048]/[1, 6], teacher, "), qPrintable(imported.out));
    const auto inspected = meanflow_({"inspect", path("wide.pt")});
    QVERIFY2(inspected.code == 0 && inspected.out.contains(", 0 of them not finite"), qPrintable(inspected.err));
    const auto grown = childrensPeakMemory() - idle;
    QVERIFY2(grown < std::int64_t{500} << 20, std::to_string(grown).c_str());  // its largest tensor has 180 MB
    fs::remove_all(path("wide").toStdString());
    fs::remove(file);
  }

  void pythonsTrainingFilesComeBackBitForBit() {
    const auto wrote = python({"write", temporary_.path(), tests() + "/golden/mf_student/weights.safetensors"});
    QVERIFY2(wrote.code == 0, qPrintable(wrote.err));
    for (const QString source :
         {"latest.pt", "ep-0000003.pt", "old_stream.pt", "lightning.ckpt", "ema.pt", "bare.pt", "with_args.pt"}) {
      const auto run_folder = path("run_" + source), out = path("out_" + source);
      const auto imported = meanflow_({"import", path(source), "--out", run_folder, "--json"});
      QVERIFY2(imported.code == 0, qPrintable(source + ": " + imported.err));
      const auto report = QJsonDocument::fromJson(imported.out.toUtf8()).object();
      QCOMPARE(report["stage"].toString(), QString("mean_flow"));
      QDir().mkpath(out);
      for (const auto& [format, file, weights] : {std::tuple{"pt", "/ema.pt", "ema"},
                                                  {"safetensors", "/ema.safetensors", "ema"},
                                                  {"npz", "/ema.npz", "ema"},
                                                  {"hf", "/hf", "ema"},
                                                  {"pt", "/both.pt", "both"}}) {
        const auto exported = meanflow_({"export", run_folder, "--out", out + file, "--format", format, "--weights",
                                         weights, "--shard-size", "500KB"});
        QVERIFY2(exported.code == 0, qPrintable(exported.err));
        QVERIFY(exported.out.startsWith(out + file));
      }
    }
    const auto checked = python({"check", temporary_.path()});
    QVERIFY2(checked.code == 0 && checked.out.trimmed() == "equal", qPrintable(checked.out + checked.err));
  }
  void whatWasTrainedHereIsReadByPython() {
    const auto preset = QString::fromStdString(testing::writeTinyPreset(temporary_.path().toStdString()));
    const auto trained = meanflow_({"train", preset, "stages=[encoder,decoder,teacher,cmt]", "--out", path("trained")});
    QVERIFY2(trained.code == 0, qPrintable(trained.err));
    for (const auto& [stage, step] : {std::pair{"decoder", "8"}, {"teacher", "10"}, {"cmt", "6"}, {"encoder", "8"}}) {
      const auto folder =
          path(QString("trained/%1/checkpoints/step_%2").arg(stage).arg(QString(step).rightJustified(8, '0')));
      const auto file = path(QString("%1.pt").arg(stage));
      const auto exported = meanflow_(
          {"export", path("trained"), "--stage", stage, "--weights", "both", "--format", "pt", "--out", file});
      QVERIFY2(exported.code == 0, qPrintable(exported.err));
      const auto same = python({"same", file, folder + "/model.safetensors", "model"});
      QVERIFY2(same.code == 0 && same.out.trimmed() == "equal", qPrintable(same.err));
      // And back: what was exported is imported with the same bits.
      const auto back = meanflow_({"import", file, "--out", path("back"), "--as", stage, "--config", preset,
                                   QString("%1.training.log_every=2").arg(stage)});
      QVERIFY2(back.code == 0, qPrintable(back.err));
      for (const char* part : {"/model.safetensors", "/ema.safetensors"}) {
        const auto again = python(
            {"same",
             path(QString("back/%1/checkpoints/step_%2%3").arg(stage).arg(QString(step).rightJustified(8, '0'), part)),
             folder + part});
        QVERIFY2(again.code == 0, qPrintable(again.err));
      }
      fs::remove_all(path("back").toStdString());
    }
    const auto statistics =
        meanflow_({"export", path("trained"), "--stage", "statistics", "--format", "pt", "--out", path("stat.pt")});
    QVERIFY2(statistics.code == 0, qPrintable(statistics.err));
    QCOMPARE(python({"same", path("stat.pt"), path("trained/decoder/latent_statistics.safetensors")}).code, 0);
  }

  void inspectSaysWhichModelAFileHolds() {
    const auto golden = tests() + "/golden/";
    const auto student = meanflow_({"inspect", golden + "mf_student/weights.safetensors"});
    QCOMPARE(student.code, 0);
    QVERIFY2(student.out.contains("model: DiT-DH [48, 64]/[2, 2], MeanFlow student, ") &&
                 student.out.contains("latents 8x4x4, 10 classes") && student.out.contains(" tensors match"),
             qPrintable(student.out.left(1000)));
    const auto json =
        QJsonDocument::fromJson(meanflow_({"inspect", golden + "checkpoints_pt/latest.pt", "--json"}).out.toUtf8());
    QCOMPARE(json["format"].toString(), QString("torch zip"));
    QCOMPARE(json["groups"].toArray().size(), 3);
    QVERIFY(json["step"].toInt() > 0 && json["values"].toObject().contains("train_steps"));
    QCOMPARE(json["non_finite"].toInt(-1), 0);
    QCOMPARE(json["models"].toArray().size(), 0);
    QCOMPARE(json["tensors"].toArray().size(), json["num_tensors"].toInt());
  }
  void inspectCountsWhatIsNotFinite() {
    const float values[] = {1, 2, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
    base::writeSafetensors(path("bad.safetensors").toStdString(),
                           {{{"w", "F32", {4}}, std::as_bytes(std::span(values))}})
        .value();
    const auto answer = meanflow_({"inspect", path("bad.safetensors")});
    QVERIFY2(answer.out.contains("2 NON-FINITE") && answer.out.contains("1 tensors, 4 values, 2 of them not finite"),
             qPrintable(answer.out));
  }
  void inspectStillTellsOfARunThatWasOnlyImported() {
    QVERIFY(meanflow_({"import", tests() + "/golden/ddt_dh/weights.safetensors", "--out", path("only")}).code == 0);
    const auto answer = meanflow_({"inspect", path("only")});
    QVERIFY2(answer.code == 0 && answer.out.contains("teacher") && answer.out.contains("imported"),
             qPrintable(answer.out + answer.err));
  }
  void badUsageExitsWithTwoAndRefusalsWithOne() {
    const auto golden = tests() + "/golden/";
    const auto expect = [&](int code, const QStringList& arguments, const QString& part) {
      const auto answer = meanflow_(arguments);
      if (answer.code == code && answer.err.contains(part) && answer.err.count('\n') <= 4) return true;
      qWarning() << answer.code << answer.err;
      return false;
    };
    QVERIFY(expect(2, {"import", golden + "ddt_dh/weights.safetensors"}, "--out is required"));
    QVERIFY(expect(2, {"import", path("absent.pt"), "--out", path("never")}, "absent.pt: does not exist"));
    QVERIFY(expect(2, {"import", golden + "ddt_dh/weights.safetensors", "--out", path("never"), "--as", "student"},
                   "--as"));
    QVERIFY(expect(2, {"import", golden + "ddt_dh/weights.safetensors", "--out", path("never"), "teacher.model.dept=3"},
                   "teacher.model.depth"));
    QVERIFY(expect(1, {"import", golden + "checkpoints_pt/latest.pt", "--out", path("never")}, "nothing was imported"));
    QVERIFY(expect(1, {"import", golden + "ddt_dh/weights.safetensors", "--out", path("never"), "--as", "cmt"},
                   "r_embedder.W"));
    QVERIFY(expect(2, {"export", path("never"), "--out", path("x.pt"), "--format", "pt"}, "never"));
    QVERIFY(expect(2, {"export", path("never"), "--out", path("x.pt"), "--format", "gguf"}, "--format"));
    QVERIFY(!QFile::exists(path("never")) && !QFile::exists(path("x.pt")));
  }
};
STUDIO_TEST(TestExchangeCli)
#include "tst_exchange_cli.moc"
