// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/studio_test.h"
#include "training/verify/verify_case.h"

using meanflow::testing::testsFolder;
using namespace meanflow::training;

namespace {

// Cases that must be among the golden files and must have a runner.
constexpr const char* kRequired[] = {"ddt_dh",
                                     "ddt_dh_same_width",
                                     "ddt_dh_qknorm_mlp_ln",
                                     "ddt_dh_given_s",
                                     "lightningdit_p1",
                                     "ddt_dh_qknorm_rms_nopos",
                                     "lightningdit_p2",
                                     "mf_student",
                                     "ddt_dh_patch2_repaired",
                                     "time_samplers",
                                     "samplers_mf",
                                     "samplers_ode",
                                     "fm_loss",
                                     "cmt",
                                     "mfd_loss",
                                     "mft_loss",
                                     "lr_schedules",
                                     "optim_wd0.0_clip1.0_acc1",
                                     "train_fm",
                                     "train_cmt",
                                     "train_mfd",
                                     "train_mft",
                                     "latent_stats",
                                     "flops_params",
                                     "rae_dinov2",
                                     "rae_siglip2",
                                     "rae_mae",
                                     "checkpoints_pt"};

std::vector<std::string> caseFolders() {
  std::vector<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator(testsFolder() + "/golden")) {
    if (std::filesystem::exists(entry.path() / "case.json")) folders.push_back(entry.path().string());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::string caseName(const std::string& folder) {
  std::ifstream stream(folder + "/case.json");
  return nlohmann::json::parse(stream).at("case").get<std::string>();
}

}  // namespace

class TestGolden : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  // Toy sizes: more threads only wait for each other, and on a busy machine for minutes.
  void initTestCase() { torch::set_num_threads(1); }

  void hasARunnerAndAFolderForEveryRequiredCase() {
    std::set<std::string> present;
    for (const auto& folder : caseFolders()) present.insert(caseName(folder));
    for (const auto* required : kRequired) {
      QVERIFY2(findKind(required), required);
      QVERIFY2(present.contains(required), required);
    }
  }

  void matchesTheReference_data() {
    QTest::addColumn<QString>("folder");
    for (const auto& folder : caseFolders()) {
      const auto name = caseName(folder);
      if (findKind(name)) QTest::newRow(name.c_str()) << QString::fromStdString(folder);
    }
  }
  void matchesTheReference() {
    QFETCH(QString, folder);
    const auto report = verifyCase(folder.toStdString());
    qInfo("%s", report.summary().c_str());
    QVERIFY2(report.pass(), report.summary().c_str());
    for (const auto& name : report.unchecked) qWarning("not compared: %s", name.c_str());
    QVERIFY2(report.unchecked.empty(), report.unchecked.empty() ? "" : report.unchecked.front().c_str());
  }

  void reportsAWrongTensor() {
    // A checker that passes everything would make every row above meaningless.
    auto folder = CaseFolder::open(testsFolder() + "/golden/ddt_dh").value();
    folder.loadTensors().value();
    CaseChecker checker(folder);
    checker.check("out", folder.expected("io", "out") * 1.001);
    checker.check("loss", folder.expected("io", "loss"));
    CaseReport report;
    report.comparisons = checker.comparisons();
    report.conclude();
    QVERIFY(!report.comparisons[0].pass);
    QVERIFY(report.comparisons[1].pass);
    QVERIFY(!report.pass());
    QCOMPARE(report.worstRelative()->tensor, std::string("out"));
    const auto untouched = folder.untouched(checker.compared());
    QVERIFY(std::find(untouched.begin(), untouched.end(), "io/cfg_out") != untouched.end());
    QVERIFY(std::find(untouched.begin(), untouched.end(), "io/out") == untouched.end());
  }

  void laterTrainingStepsMayDriftFurtherThanTheFirst() {
    // case.json of train_*: "loss_ref rtol 1e-3 on the first step, 5e-3 later".
    const auto passes = [](std::int64_t step, double factor) {
      auto folder = CaseFolder::open(testsFolder() + "/golden/train_fm").value();
      folder.loadTensors().value();
      CaseChecker checker(folder);
      auto losses = folder.expected("io", "loss_ref").clone();
      losses[step] *= factor;
      checker.check("loss_ref", losses);
      return checker.comparisons().front().pass;
    };
    QVERIFY(passes(0, 1.0009));
    QVERIFY(!passes(0, 1.0012));
    QVERIFY(passes(1, 1.0045));
    QVERIFY(!passes(1, 1.006));
  }

  void aGradientOfNothingButRoundingIsJudgedByTheLargestOne() {
    auto folder = CaseFolder::open(testsFolder() + "/golden/rae_mae").value();
    folder.loadTensors().value();
    double largest = 0;
    for (const auto& name : folder.names("decoder_grads"))
      largest = std::max(largest, folder.expected("decoder_grads", name).abs().max().item<double>());
    const std::string key_bias = "grad.decoder_layers.0.attention.attention.key.bias";
    const auto& expected = folder.expected("decoder_grads", key_bias);
    QVERIFY(expected.abs().max().item<double>() < 1e-6 * largest);  // zero on paper
    const double rounding = std::max(1e-9, 1e-6 * largest);
    CaseChecker checker(folder);
    checker.check("decoder_grads", key_bias, expected + 0.9 * rounding);
    checker.check("decoder_grads", key_bias, expected + 1.2 * rounding);
    QVERIFY(checker.comparisons()[0].pass);
    QVERIFY(!checker.comparisons()[1].pass);
    QVERIFY(checker.comparisons()[1].tolerance_share > 1.1 && checker.comparisons()[1].tolerance_share < 1.3);
  }

  void saysWhyAFolderCannotBeRun() {
    const auto report = verifyCase(testsFolder() + "/golden/no_such_case");
    QVERIFY(!report.pass());
    QVERIFY(report.error.find("case.json") != std::string::npos);
  }

  void bfloat16StaysWithinItsOwnColumn_data() {
    QTest::addColumn<QString>("folder");
    for (const auto& folder : caseFolders()) {
      const auto name = caseName(folder);
      if (findKind(name)) QTest::newRow(name.c_str()) << QString::fromStdString(folder);
    }
  }
  void bfloat16StaysWithinItsOwnColumn() {
    QFETCH(QString, folder);
    const auto report = verifyCase(folder.toStdString(), {.columns = {meanflow::core::Precision::kBf16}});
    qInfo("%s", report.summary().c_str());
    QVERIFY2(report.pass(), report.summary().c_str());
  }
};

STUDIO_TEST(TestGolden)
#include "tst_golden.moc"
