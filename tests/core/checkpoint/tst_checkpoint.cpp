// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QDir>
#include <QTemporaryDir>
#include <QTest>
#include <filesystem>

#include "core/base/run/atomic_file.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/tensor_export.h"
#include "core/checkpoint/tensor_file.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;
namespace base = meanflow::base;
namespace fs = std::filesystem;

namespace {

#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

std::string golden(const std::string& name) {
  return meanflow::testing::testsFolder() + "/golden/checkpoints_pt/" + name;
}

bool areEqual(const TensorMap& a, const TensorMap& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end() || other->second.scalar_type() != tensor.scalar_type() || !torch::equal(other->second, tensor))
      return false;
  }
  return true;
}

TensorMap below(const TensorMap& tensors, const std::string& prefix) {
  TensorMap found;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) found.emplace(name.substr(prefix.size()), tensor);
  return found;
}

}  // namespace

class TestCheckpoint : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  std::string path(const std::string& name) const {
    return folder_.filePath(QString::fromStdString(name)).toStdString();
  }
  std::string folder(const std::string& name) const { return fs::create_directories(path(name)), path(name); }
  const TensorMap weights_ = {{"a.weight", torch::randn({3, 4})}, {"a.bias", torch::randn({3}).to(torch::kBFloat16)}};

 private Q_SLOTS:
  void everyLayoutGivesItsGroupsAndWeights() {
    const auto expected = loadTensors(golden("expected.safetensors")).value();
    const auto weights = [](const char* file, const char* group) {
      return Checkpoint::open(golden(file))->readGroup(group, WrapperNames::kStripped).value();
    };
    QVERIFY(areEqual(weights("raw_state_dict.pt", ""), below(expected, "sd.")));
    QVERIFY(areEqual(weights("ema_only.pt", "ema"), below(expected, "sd.")));
    QVERIFY(areEqual(weights("wrapped_prefix.pt", ""), below(expected, "sd.")));
    QVERIFY(areEqual(weights("legacy_format.pt", ""), below(expected, "sd.")));
    QVERIFY(areEqual(weights("latest.pt", "model"), below(expected, "sd.")));
    QVERIFY(areEqual(weights("latest.pt", "ema"), below(expected, "ema.")));
    QVERIFY(areEqual(weights("stat.pt", ""), below(expected, "stat.")));
    QCOMPARE(Checkpoint::open(golden("latest.pt"))->groups(), (std::vector<std::string>{"model", "ema", "opt"}));
    QVERIFY(Checkpoint::open(golden("raw_state_dict.pt"))->groups().empty());
  }
  void aGroupThatIsNotThereNamesThoseThatAre() {
    const auto checkpoint = Checkpoint::open(golden("latest.pt")).value();
    VERIFY_HAS(checkpoint.group("state_dict", WrapperNames::kKept).error().message,
               "no tensor under 'state_dict' (there are: model, ema, opt)");
    VERIFY_HAS(checkpoint.read("ema.absent").error().message, "latest.pt: holds no tensor 'ema.absent'");
    VERIFY_HAS(Checkpoint::open("/no/such.pt").error().message, "/no/such.pt: does not exist");
  }
  void lightningFilesGiveTheirParts() {
    savePt(path("ddt.ckpt"),
           {{"state_dict", {{"denoiser.w", torch::ones({1})}, {"ema_denoiser.w", torch::zeros({1})}}}},
           {{"epoch", std::int64_t{3}}})
        .value();
    const auto checkpoint = Checkpoint::open(path("ddt.ckpt")).value();
    QCOMPARE(checkpoint.groups(),
             (std::vector<std::string>{"state_dict", "state_dict.ema_denoiser", "state_dict.denoiser"}));
    QCOMPARE(checkpoint.readGroup("state_dict.ema_denoiser", WrapperNames::kKept)->at("w").item<float>(), 0.F);
  }
  void namesOfWrappersAreStripped() {
    QCOMPARE(stripWrapperNames("module._orig_mod.module.blocks.0.w"), std::string("blocks.0.w"));
    QCOMPARE(stripWrapperNames("blocks.0._orig_mod._orig_mod.attn.w"), std::string("blocks.0.attn.w"));
    QCOMPARE(stripWrapperNames("my_module.module.w"), std::string("my_module.module.w"));
    savePt(path("clash.pt"), {{"module.w", torch::ones({1})}, {"w", torch::ones({1})}}).value();
    VERIFY_HAS(Checkpoint::open(path("clash.pt"))->group("", WrapperNames::kStripped).error().message,
               "two tensors are called 'w'");
    QCOMPARE(Checkpoint::open(path("clash.pt"))->group("", WrapperNames::kKept)->size(), std::size_t{2});
  }
  void everyDtypeIsWrittenAndReadBitForBit() {
    TensorMap tensors;
    for (const auto type :
         {torch::kFloat64, torch::kFloat32, torch::kHalf, torch::kBFloat16, torch::kInt64, torch::kInt32, torch::kInt16,
          torch::kInt8, torch::kUInt8, torch::kUInt16, torch::kUInt32, torch::kUInt64, torch::kBool,
          torch::kComplexFloat, torch::kFloat8_e5m2, torch::kFloat8_e4m3fn, torch::kFloat8_e8m0fnu})
      tensors.emplace(c10::toString(type), torch::randint(0, 2, {16 * 3}, torch::kUInt8).view(type).reshape({3, -1}));
    savePt(path("all.pt"), tensors).value();
    saveTensors(path("all.safetensors"), tensors).value();
    for (const auto* file : {"all.pt", "all.safetensors"}) {
      const auto loaded = Checkpoint::open(path(file))->readGroup("", WrapperNames::kKept).value();
      QCOMPARE(loaded.size(), tensors.size());
      for (const auto& [name, tensor] : tensors) {
        QCOMPARE(loaded.at(name).scalar_type(), tensor.scalar_type());
        QVERIFY2(torch::equal(loaded.at(name).view(torch::kUInt8), tensor.view(torch::kUInt8)), name.c_str());
      }
    }
  }
  void numpyGetsFloat32ForWhatItLacks() {
    const auto straight = torch::randn({4, 3}).t();
    saveNpz(path("x.npz"), {{"bf16", weights_.at("a.bias")}, {"t", straight}}).value();
    const auto loaded = Checkpoint::open(path("x.npz"))->readGroup("", WrapperNames::kKept).value();
    QVERIFY(areEqual(loaded, {{"bf16", weights_.at("a.bias").to(torch::kFloat32)}, {"t", straight}}));
  }

  void huggingFaceFoldersOpen_data() {
    QTest::addColumn<QString>("weights");
    for (const auto* name :
         {"model.safetensors", "diffusion_pytorch_model.safetensors", "pytorch_model.bin", "anything.pth"})
      QTest::newRow(name) << name;
  }
  void huggingFaceFoldersOpen() {
    QFETCH(QString, weights);
    const auto where = folder("hf_" + weights.toStdString());
    const auto file = where + "/" + weights.toStdString();
    (weights.endsWith("safetensors") ? saveTensors(file, weights_) : savePt(file, weights_)).value();
    base::writeFileAtomically(where + "/config.json", std::string_view("{\"model_type\": \"dinov2\"}")).value();
    const auto checkpoint = Checkpoint::open(where).value();
    QVERIFY(areEqual(checkpoint.readGroup("", WrapperNames::kKept).value(), weights_));
    QCOMPARE(checkpoint.source().configJson(), std::string("{\"model_type\": \"dinov2\"}"));
  }
  void theHubsCacheOpensAtTheSnapshotOfMain() {
    const auto entry = folder("models--org--name");
    for (const auto* commit : {"old", "new"}) {
      fs::create_directories(entry + "/snapshots/" + commit);
      fs::create_directories(entry + "/blobs");
      saveTensors(entry + "/blobs/" + commit, {{commit, torch::ones({1})}}).value();
      fs::create_symlink(std::string("../../blobs/") + commit, entry + "/snapshots/" + commit + "/model.safetensors");
    }
    VERIFY_HAS(Checkpoint::open(entry).error().message, "holds 2 snapshots and refs/main names none of them");
    fs::create_directories(entry + "/refs");
    base::writeFileAtomically(entry + "/refs/main", std::string_view("new\n")).value();
    QCOMPARE(Checkpoint::open(entry)->tensors()[0].name, std::string("new"));
    base::writeFileAtomically(entry + "/refs/main", std::string_view("../..")).value();
    VERIFY_HAS(Checkpoint::open(entry).error().message, "names none of them");
  }
  void shardsMustBeCompleteAndListed() {
    const auto where = folder("sharded");
    const auto writeIndex = [&](const std::string& map) {
      base::writeFileAtomically(where + "/model.safetensors.index.json",
                                std::string_view("{\"weight_map\": " + map + "}"))
          .value();
    };
    const auto message = [&] { return Checkpoint::open(where).error().message; };
    saveTensors(where + "/1.safetensors", {{"a", torch::ones({1})}}).value();
    saveTensors(where + "/2.safetensors", {{"b", torch::zeros({1})}}).value();
    writeIndex(R"({"a": "1.safetensors", "b": "2.safetensors"})");
    QCOMPARE(Checkpoint::open(where)->readGroup("", WrapperNames::kKept)->at("b").item<float>(), 0.F);
    writeIndex(R"({"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"})");
    VERIFY_HAS(message(), "tensor 'c' is listed, but '2.safetensors' does not hold it");
    writeIndex(R"({"a": "1.safetensors", "x": "2.safetensors"})");
    VERIFY_HAS(message(), "tensor 'b' of '2.safetensors' is not listed there");
    writeIndex(R"({"a": "1.safetensors", "b": "3.safetensors"})");
    VERIFY_HAS(message(), "its file '3.safetensors' is missing");
    writeIndex(R"({"a": "../1.safetensors"})");
    VERIFY_HAS(message(), "is not a plain file name beside the index");
    writeIndex("[]");
    VERIFY_HAS(message(), "not a shard index");
  }
  void aRunsCheckpointHasItsFilesAsGroups() {
    const auto where = folder("step_00000100");
    for (const auto* group : {"model", "ema"}) saveTensors(where + "/" + group + ".safetensors", weights_).value();
    base::writeFileAtomically(where + "/state.json", std::string_view("{}")).value();
    const auto checkpoint = Checkpoint::open(where).value();
    QCOMPARE(checkpoint.groups(), (std::vector<std::string>{"model", "ema"}));
    QVERIFY(areEqual(checkpoint.readGroup("ema", WrapperNames::kKept).value(), weights_));
  }
  void whatOnlyLooksLikeACheckpointIsNamed() {
    const auto message = [&](const char* name, std::string_view text) {
      base::writeFileAtomically(path(name), text).value();
      return Checkpoint::open(path(name)).error().message;
    };
    VERIFY_HAS(message("lfs.pt", "version https://git-lfs.github.com/spec/v1\noid"), "lfs.pt: is a Git LFS pointer");
    VERIFY_HAS(message("page.pt", "<!DOCTYPE html><html>"), "page.pt: is a web page");
    VERIFY_HAS(message("text.pt", "just some words in a file"), "text.pt: is not a checkpoint");
    VERIFY_HAS(message("nothing.pt", ""), "nothing.pt: the file is empty");
    VERIFY_HAS(Checkpoint::open(folder("void")).error().message, "no weights in this folder");
    const auto many = folder("many");
    for (const auto* name : {"/one.pt", "/two.pt"}) savePt(many + name, weights_).value();
    VERIFY_HAS(Checkpoint::open(many).error().message, "2 files of weights in this folder ('one.pt', ...)");
  }
};
STUDIO_TEST(TestCheckpoint)
#include "tst_checkpoint.moc"
