// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/base/config/config_io.h"
#include "core/base/formats/finite_check.h"
#include "core/base/run/checkpoint_files.h"
#include "tests/base/checkpoint_maker.h"
#include "tests/base/read_only_folder.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::base;
using testing::writeMadeUpCheckpoint;

namespace {

#define VERIFY_TELLS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

template <class Word>
std::int64_t badAmong(std::string_view dtype, std::vector<Word> words) {
  return countNonFinite(dtype, std::as_bytes(std::span<const Word>(words)));
}

}  // namespace

class TestCheckpointFiles : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() {
    dir_ = std::make_unique<QTemporaryDir>();
    run_ = std::filesystem::path(dir_->path().toStdString()) / "run";
    std::filesystem::create_directories(run_);
    std::ofstream(run_ / "config.yaml") << "seed: 1\n";
  }

  void bitPatternsOfEveryKindOfNumber() {
    constexpr float kInf = std::numeric_limits<float>::infinity();
    QCOMPARE(badAmong<float>("F32", {1, -kInf, std::nanf(""), 3e38F, 0}), 2);
    QCOMPARE(badAmong<float>("C64", {1, kInf, 2, 3}), 1);
    QCOMPARE(badAmong<double>("F64", {1, -static_cast<double>(kInf), std::nan(""), 1e308}), 2);
    QCOMPARE(badAmong<std::uint16_t>("F16", {0x7bff, 0x7c00, 0xfc00, 0x7e01, 0x3c00}), 3);
    QCOMPARE(badAmong<std::uint16_t>("BF16", {0x7f7f, 0x7f80, 0xff80, 0x7fc0, 0x3f80}), 3);
    QCOMPARE(badAmong<std::uint8_t>("F8_E5M2", {0x7b, 0x7c, 0x7f, 0xfc}), 3);
    QCOMPARE(badAmong<std::uint8_t>("F8_E4M3", {0x7e, 0x7f, 0xff, 0x78}), 2);
    QCOMPARE(badAmong<std::uint8_t>("F8_E4M3FNUZ", {0x7f, 0x80, 0xff}), 1);
    QCOMPARE(badAmong<std::uint8_t>("F8_E8M0", {0xfe, 0xff}), 1);
    QCOMPARE(badAmong<std::uint32_t>("I32", {0x7f800000U}), 0);
    QCOMPARE(badAmong<std::uint32_t>("U32", {0x7f800000U}), 0);
    // Tensors lie at any byte.
    const std::vector<float> values = {1, kInf};
    std::vector<std::byte> shifted(9);
    std::memcpy(shifted.data() + 1, values.data(), 8);
    QCOMPARE(countNonFinite("F32", std::span<const std::byte>(shifted).subspan(1)), 1);
  }

  void listsAllStagesInTheOrderOfThePipelineOldestFirst() {
    for (const auto& [stage, step] : {std::pair{"cmt", 200}, {"cmt", 50}, {"encoder", 500}, {"zeta", 1}})
      writeMadeUpCheckpoint(run_, {.stage = stage, .step = step});
    std::filesystem::create_directories(run_ / "cmt" / "checkpoints" / ".tmp-step_00000300-1-0");
    std::filesystem::create_directories(run_ / "teacher" / "samples");
    const auto all = listCheckpointFacts(run_).value();
    QCOMPARE(all.size(), 4u);
    QCOMPARE(all[0].stage, std::string("encoder"));
    QCOMPARE(all[1].step, 50);
    QCOMPARE(all[2].step, 200);
    QCOMPARE(all[3].stage, std::string("zeta"));
    const auto& facts = all[2];
    QCOMPARE(facts.relative_path, std::string("cmt/checkpoints/step_00000200"));
    QCOMPARE(facts.total_steps, 900);
    QCOMPARE(facts.images_seen, 12800);
    QCOMPARE(facts.wall_seconds, 12.5);
    QVERIFY(facts.says_finite && facts.has_optimizer && facts.problem.empty());
    std::int64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(run_ / facts.relative_path))
      bytes += static_cast<std::int64_t>(entry.file_size());
    QCOMPARE(facts.bytes, bytes);
    QVERIFY(!listCheckpointFacts(run_ / "nothing").ok());
  }

  void whatIsIncompleteSaysWhatIsMissing() {
    writeMadeUpCheckpoint(run_, {.step = 1});
    writeMadeUpCheckpoint(run_, {.step = 2});
    writeMadeUpCheckpoint(run_, {.step = 3});
    writeMadeUpCheckpoint(run_, {.step = 4, .has_optimizer = false});
    writeMadeUpCheckpoint(run_, {.step = 5, .is_imported = true, .has_optimizer = false});
    const auto place = run_ / "teacher" / "checkpoints";
    std::filesystem::remove(place / stepName(1) / "state.json");
    std::ofstream(place / stepName(2) / "state.json") << "{\"step\": ";
    std::filesystem::remove(place / stepName(3) / "ema.safetensors");
    const auto all = listCheckpointFacts(run_).value();
    VERIFY_TELLS(all[0].problem, "state.json");
    VERIFY_TELLS(all[1].problem, "damaged");
    VERIFY_TELLS(all[2].problem, "ema.safetensors is missing");
    VERIFY_TELLS(all[3].problem, "optimizer.safetensors is missing");
    QVERIFY2(all[4].problem.empty(), all[4].problem.c_str());  // an import may leave the moments out
    QCOMPARE(newestHealthy(all, "teacher"), 5);
    QCOMPARE(newestHealthy(all, "teacher", {5}), -1);
  }

  void theCheckNamesTheFirstValueThatIsNotFinite() {
    writeMadeUpCheckpoint(run_, {.step = 1});
    writeMadeUpCheckpoint(run_, {.step = 2, .value = std::nanf("")});
    writeMadeUpCheckpoint(run_, {.step = 3});
    const auto place = run_ / "teacher" / "checkpoints";
    const auto good = checkCheckpoint(place / stepName(1)).value();
    QVERIFY2(good.finding.empty(), good.finding.c_str());
    QCOMPARE(good.num_bytes, 3 * 64 * 4);
    const auto bad = checkCheckpoint(place / stepName(2)).value();
    VERIFY_TELLS(bad.finding, "ema.safetensors");
    VERIFY_TELLS(bad.finding, "blocks.0.attn.qkv.weight");
    QVERIFY(checkCheckpoint(place / stepName(1), [] { return true; }).value().is_cancelled);
    std::filesystem::resize_file(place / stepName(3) / "model.safetensors", 100);
    const auto damaged = checkCheckpoint(place / stepName(3));
    QVERIFY(!damaged.ok());
    VERIFY_TELLS(damaged.error().message, "model.safetensors");
    QVERIFY(!checkCheckpoint(place / stepName(9)).ok());
  }

  void theNewestHealthyOneStaysAndOthersGo() {
    for (const int step : {1, 2, 3}) writeMadeUpCheckpoint(run_, {.step = step});
    const auto folder = RunFolder::open(run_).value();
    const auto refused = removeCheckpoint(folder, "teacher", 3);
    QVERIFY(!refused.ok());
    VERIFY_TELLS(refused.error().message, "newest healthy");
    QVERIFY(removeCheckpoint(folder, "teacher", 1).ok());
    QVERIFY(removeCheckpoint(folder, "teacher", 1).ok());  // gone already
    // With values that are not finite the newest is none to go on from: the one before is kept instead.
    QVERIFY(!removeCheckpoint(folder, "teacher", 2, {3}).ok());
    QVERIFY(removeCheckpoint(folder, "teacher", 3, {3}).ok());
    const auto left = listCheckpointFacts(run_).value();
    QCOMPARE(left.size(), 1u);
    QCOMPARE(left[0].step, 2);
    std::size_t num_entries = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(run_ / "teacher" / "checkpoints"))
      ++num_entries;
    QCOMPARE(num_entries, 1u);  // nothing half deleted lies about
    QVERIFY(!removeCheckpoint(folder, "..", 2).ok());
    QVERIFY(!removeCheckpoint(folder, "a/b", 2).ok());
  }

  void oneThatIsBeingWrittenStays() {
    for (const int step : {1, 2}) writeMadeUpCheckpoint(run_, {.step = step});
    auto folder = RunFolder::open(run_).value();
    QVERIFY(folder.lock().ok());
    {
      const auto writing = AtomicFolder::create(folder.checkpoint("teacher", 1)).value();
      QVERIFY(isBeingWritten(folder, "teacher", 1));
      const auto refused = removeCheckpoint(folder, "teacher", 1);
      QVERIFY(!refused.ok());
      VERIFY_TELLS(refused.error().message, "writing it right now");
      QVERIFY(!isBeingWritten(folder, "teacher", 10));
    }
    QVERIFY(removeCheckpoint(folder, "teacher", 1).ok());
  }

  void aReadOnlyFolderSaysSo() {
    for (const int step : {1, 2}) writeMadeUpCheckpoint(run_, {.step = step});
    QVERIFY(mayWrite(run_));
    const testing::ReadOnlyFolder read_only(run_);
    QVERIFY(!mayWrite(run_));
    QCOMPARE(listCheckpointFacts(run_).value().size(), 2u);
    const auto refused = removeCheckpoint(RunFolder::open(run_).value(), "teacher", 1);
    QVERIFY(!refused.ok());
    VERIFY_TELLS(refused.error().message, "ermission");
    QCOMPARE(listCheckpointFacts(run_).value().size(), 2u);
  }

 private:
  std::unique_ptr<QTemporaryDir> dir_;
  std::filesystem::path run_;
};

STUDIO_TEST(TestCheckpointFiles)
#include "tst_checkpoint_files.moc"
