// SPDX-License-Identifier: Apache-2.0
//
// Case folders from anywhere: what is broken is named, and nothing crashes.
#include <torch/torch.h>

#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>

#include "core/checkpoint/tensor_file.h"
#include "tests/support/studio_test.h"
#include "training/verify/verify_run.h"

using namespace meanflow;
using namespace meanflow::training;
namespace fs = std::filesystem;

namespace {

/// A copy of a golden case to be damaged.
class Copy {
 public:
  explicit Copy(const std::string& name) : path_(fs::path(folder_.path().toStdString()) / name) {
    fs::copy(testing::testsFolder() + "/golden/" + name, path_);
  }
  CaseReport verify() const { return verifyCase(path_.string()); }
  fs::path file(const std::string& name) const { return path_ / name; }

  void changeJson(const std::function<void(nlohmann::json&)>& change) const {
    std::ifstream in(file("case.json"));
    auto json = nlohmann::json::parse(in);
    in.close();
    change(json);
    std::ofstream(file("case.json")) << json.dump();
  }
  void changeTensors(const std::string& name, const std::function<void(core::TensorMap&)>& change) const {
    auto tensors = core::loadTensors(file(name).string()).value();
    change(tensors);
    core::saveTensors(file(name).string(), tensors).value();
  }

 private:
  QTemporaryDir folder_;
  fs::path path_;
};

/// Fails unless the report is a FAIL of one line that holds every part.
bool failsNaming(const CaseReport& report, const std::vector<std::string>& parts) {
  const auto line = report.line();
  bool is_good = report.status == CaseStatus::kFail && line.find('\n') == std::string::npos;
  for (const auto& part : parts) is_good = is_good && line.find(part) != std::string::npos;
  if (!is_good) qWarning("%s", line.c_str());
  return is_good;
}

}  // namespace

class TestVerifyRun : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }

  void aBrokenDescriptionIsNamed() {
    const Copy copy("lightningdit_p1");
    const auto with = [&](const std::string& text) {
      std::ofstream(copy.file("case.json")) << text;
      return copy.verify();
    };
    QVERIFY(failsNaming(with("{\"case\": \"lightn"), {"case.json", "not valid JSON"}));
    QVERIFY(failsNaming(with(""), {"case.json", "not valid JSON"}));
    QVERIFY(failsNaming(with("[1, 2]"), {"case.json", "JSON object"}));
    QVERIFY(failsNaming(with("{}"), {"case.json", "`case`"}));
    QVERIFY(failsNaming(with("{\"case\": 3}"), {"case.json", "`case`"}));
    QVERIFY(failsNaming(with("{\"case\": \"lightningdit_p1\"}"), {"case.json", "`config`"}));
    QVERIFY(failsNaming(with("{\"case\": \"lightningdit_p1\", \"config\": []}"), {"case.json", "`config`"}));
    QVERIFY(failsNaming(with(std::string(200000, '[')), {"case.json"}));
    QVERIFY(with("{\"case\": \"no\\nsuch kind\"}").status == CaseStatus::kUnknown);
    QVERIFY(with("{\"case\": \"no\\nsuch kind\"}").line().find('\n') == std::string::npos);
  }

  void missingAndDamagedFilesAreNamed() {
    {
      const Copy copy("lightningdit_p1");
      fs::remove(copy.file("weights.safetensors"));
      QVERIFY(failsNaming(copy.verify(), {"weights.safetensors", "missing"}));
    }
    {
      const Copy copy("lightningdit_p1");
      fs::resize_file(copy.file("io.safetensors"), fs::file_size(copy.file("io.safetensors")) / 2);
      QVERIFY(failsNaming(copy.verify(), {"io.safetensors"}));
    }
    {
      const Copy copy("lightningdit_p1");
      fs::remove(copy.file("io.safetensors"));
      QVERIFY(failsNaming(copy.verify(), {"io.safetensors"}));
    }
    {
      const Copy copy("lightningdit_p1");
      fs::remove(copy.file("io.safetensors"));
      fs::create_directory(copy.file("io.safetensors"));
      QVERIFY(failsNaming(copy.verify(), {"io.safetensors"}));
    }
  }

  void missingAndMisshapenTensorsAreNamed() {
    const auto damaged = [](const std::string& name, const std::string& file,
                            const std::function<void(core::TensorMap&)>& change) {
      const Copy copy(name);
      copy.changeTensors(file, change);
      return copy.verify();
    };
    QVERIFY(failsNaming(damaged("lightningdit_p1", "io.safetensors", [](auto& t) { t.erase("t"); }),
                        {"io.safetensors", "'t'"}));
    QVERIFY(failsNaming(damaged("lightningdit_p1", "io.safetensors",
                                [](auto& t) {
                                  t["x"] = torch::zeros({2, 8, 5, 5});
                                }),
                        {"io.safetensors", "'x'", "[2, 8, 5, 5]"}));
    QVERIFY(failsNaming(
        damaged("lightningdit_p1", "io.safetensors", [](auto& t) { t["y"] = torch::full({2}, 4000, torch::kInt64); }),
        {"'y'", "labels"}));
    QVERIFY(failsNaming(damaged("lightningdit_p1", "io.safetensors",
                                [](auto& t) {
                                  t["out"] = torch::zeros({2, 8});
                                }),
                        {"out", "[2, 8]"}));
    QVERIFY(
        failsNaming(damaged("lightningdit_p1", "io.safetensors", [](auto& t) { t["out"].flatten()[3] = std::nan(""); }),
                    {"out", "finite"}));
    QVERIFY(
        failsNaming(damaged("lightningdit_p1", "weights.safetensors", [](auto& t) { t.erase("x_embedder.proj.bias"); }),
                    {"weights.safetensors", "x_embedder.proj.bias"}));
    QVERIFY(failsNaming(damaged("lightningdit_p1", "weights.safetensors",
                                [](auto& t) { t["final_layer.linear.bias"] = torch::zeros({3}); }),
                        {"weights.safetensors", "final_layer.linear.bias"}));
    QVERIFY(failsNaming(
        damaged("lightningdit_p1", "grads.safetensors", [](auto& t) { t["grad.nobody"] = torch::zeros({3}); }),
        {"grads.safetensors", "grad.nobody"}));
    QVERIFY(failsNaming(damaged("cmt", "io.safetensors", [](auto& t) { t["indices"].fill_(1 << 30); }), {"'indices'"}));
    QVERIFY(
        failsNaming(damaged("samplers_mf", "io.safetensors", [](auto& t) { t["mfmany.final"] = torch::zeros({1}); }),
                    {"mfmany.final"}));
    QVERIFY(failsNaming(damaged("samplers_ode", "io.safetensors",
                                [](auto& t) {
                                  t["sde.noises"] = torch::zeros({2, 3, 4, 4, 4});
                                }),
                        {"sde.noises"}));
    QVERIFY(failsNaming(
        damaged("train_fm", "io.safetensors", [](auto& t) { t["noise"] = t["noise"].slice(0, 0, 2).clone(); }),
        {"'noise'", "rows"}));
    QVERIFY(failsNaming(damaged("rae_mae", "stat.safetensors", [](auto& t) { t.erase("var"); }),
                        {"stat.safetensors", "'var'"}));
    QVERIFY(failsNaming(damaged("rae_mae", "stat.safetensors", [](auto& t) { t["var"] = torch::ones({1}); }),
                        {"rae_mae", "statistics"}));
    // A wrong number is a failure with its size, not an error.
    const auto wrong = damaged("lightningdit_p1", "io.safetensors", [](auto& t) { t["out"] += 0.25; });
    QVERIFY(failsNaming(wrong, {"out"}));
    QVERIFY(wrong.error.empty() && std::abs(wrong.worstAbsolute()->max_abs_error - 0.25) < 1e-3);
  }

  void absurdSettingsAreRefusedBeforeTheyCostAnything() {
    const auto damaged = [](const std::string& name, const std::string& key, const nlohmann::json& value) {
      const Copy copy(name);
      copy.changeJson([&](nlohmann::json& json) { json["config"][nlohmann::json::json_pointer(key)] = value; });
      return copy.verify();
    };
    QVERIFY(failsNaming(damaged("lightningdit_p1", "/hidden_size", 1LL << 40), {"case.json", "hidden_size"}));
    QVERIFY(failsNaming(damaged("lightningdit_p1", "/depth", 1LL << 40), {"case.json", "depth"}));
    QVERIFY(failsNaming(damaged("lightningdit_p1", "/depth", "two"), {"case.json", "depth", "two"}));
    QVERIFY(failsNaming(damaged("lightningdit_p1", "/num_heads", 0), {"case.json", "num_heads"}));
    QVERIFY(failsNaming(damaged("lightningdit_p1", "/mlp_ratio", "wide"), {"case.json", "mlp_ratio"}));
    // Within the limits, but gigabytes that the weights do not have: the shapes are compared without the memory.
    QVERIFY(
        failsNaming(damaged("lightningdit_p1", "/hidden_size", 65536), {"weights.safetensors", "of another shape"}));
    QVERIFY(failsNaming(damaged("ddt_dh", "/depth", nlohmann::json::array({500, 500})),
                        {"weights.safetensors", "missing from the source"}));
    QVERIFY(failsNaming(damaged("ddt_dh", "/hidden_size", nlohmann::json::array({48})), {"hidden_size"}));
    QVERIFY(failsNaming(damaged("cmt", "/num_steps", 1LL << 50), {"case.json", "num_steps"}));
    QVERIFY(failsNaming(damaged("cmt", "/shift", -3), {"case.json", "shift"}));
    QVERIFY(failsNaming(damaged("samplers_ode", "/runs/plain.euler10/num_steps", 1e300), {"num_steps"}));
    QVERIFY(failsNaming(damaged("samplers_ode", "/runs/plain.euler10/sampling_method", "heun"), {"heun"}));
    QVERIFY(failsNaming(damaged("rae_dinov2", "/encoder/hidden_size", 1 << 16), {"encoder.safetensors"}));
    QVERIFY(failsNaming(damaged("rae_dinov2", "/encoder/model_type", "clip"), {"case.json", "clip"}));
    QVERIFY(
        failsNaming(damaged("rae_dinov2", "/preprocessor/image_mean", nlohmann::json::array({0.5})), {"image_mean"}));
    QVERIFY(failsNaming(damaged("optim_wd0.0_clip1.0_acc1", "/betas", 0.9), {"betas"}));
    QVERIFY(failsNaming(damaged("lr_schedules", "/rae_stage2/steps_per_epoch", 0), {"steps_per_epoch"}));
  }

  void nothingComparedIsAFailure() {
    const Copy copy("ddt_dh_given_s");
    copy.changeTensors("io.safetensors", [](core::TensorMap& tensors) {
      for (const char* name : {"s_half", "s_one", "out_s_half", "out_s_one"}) tensors.erase(name);
    });
    QVERIFY(failsNaming(copy.verify(), {"nothing to compare"}));
  }

  void columnsAreThoseTheCaseHas() {
    const auto golden = testing::testsFolder() + "/golden/";
    const auto columns = [&](const char* name, std::vector<core::Precision> asked) {
      std::set<core::Precision> seen;
      for (const auto& c : verifyCase(golden + name, {.columns = std::move(asked)}).comparisons) seen.insert(c.column);
      return seen;
    };
    using enum core::Precision;
    QCOMPARE(columns("mft_loss", {kFp32, kFp64}), (std::set{kFp32, kFp64}));
    QCOMPARE(columns("mft_loss", {kFp64}), (std::set{kFp64}));
    QCOMPARE(columns("lightningdit_p1", {kFp32, kFp64}), (std::set{kFp32}));
    QVERIFY((verifyCase(golden + "lightningdit_p1", {.columns = {kFp64}}).status == CaseStatus::kSkipped));
    QVERIFY(
        (verifyCase(golden + "lr_schedules", {.columns = {kBf16}}).status == CaseStatus::kPass));  // host arithmetic
  }

  void findsCasesBelowAndReportsInOrder() {
    QTemporaryDir folder;
    const fs::path root = folder.path().toStdString();
    for (const char* name : {"b/lr_schedules", "a/deep/lightningdit_p1", "c/time_samplers"}) {
      fs::create_directories((root / name).parent_path());
      fs::copy(testing::testsFolder() + "/golden/" + fs::path(name).filename().string(), root / name);
    }
    fs::create_directories(root / "d");
    std::ofstream(root / "d" / "case.json") << R"({"case": "from_the_future"})";
    fs::create_directory_symlink(root, root / "a" / "loop");
    const auto folders = findCases(root.string()).value();
    QCOMPARE(folders.size(), std::size_t{4});
    std::vector<std::string> names;
    const auto totals = verifyAll(folders, {}, 3, [&](const CaseReport& report) { names.push_back(report.case_name); });
    QCOMPARE(names, (std::vector<std::string>{"lightningdit_p1", "lr_schedules", "time_samplers", "from_the_future"}));
    QCOMPARE(totals.num_pass, std::int64_t{3});
    QCOMPARE(totals.num_unknown, std::int64_t{1});
    QVERIFY(findCases((root / "nowhere").string()).error().message.find("not a folder") != std::string::npos);
    fs::create_directories(root / "e");
    QVERIFY(findCases((root / "e").string()).error().message.find("no case") != std::string::npos);
  }
};
STUDIO_TEST(TestVerifyRun)
#include "tst_verify_run.moc"
