// SPDX-License-Identifier: Apache-2.0
//
// Replays the fuzzing corpus through the fuzzers' own entry functions: an abort or a crash fails the test.
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/base/run/atomic_file.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
namespace fs = std::filesystem;

class TestFuzzCorpus : public QObject {
  Q_OBJECT
 private:
  static std::vector<std::string> filesOf(const fuzz::Target& target) {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(fs::path(testing::testsFolder()) / "fuzz" / "corpus" / target.name))
      files.push_back(base::readFile(entry.path()).value());
    return files;
  }
  static std::span<const std::byte> bytesOf(const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  }

 private Q_SLOTS:
  void everyTargetHasSeedsAndReplaysThem_data() {
    QTest::addColumn<int>("index");
    for (int i = 0; i < static_cast<int>(fuzz::targets().size()); ++i)
      QTest::newRow(std::string(fuzz::targets()[static_cast<std::size_t>(i)].name).c_str()) << i;
  }
  void everyTargetHasSeedsAndReplaysThem() {
    QFETCH(int, index);
    const auto& target = fuzz::targets()[static_cast<std::size_t>(index)];
    const auto files = filesOf(target);
    QVERIFY2(files.size() >= 3, "no corpus");
    for (const auto& file : files) target.run(bytesOf(file));
  }
  void everySeedCutOrWithAFlippedBitIsTakenToo() {
    for (const auto& target : fuzz::targets()) {
      for (auto file : filesOf(target)) {
        const bool is_slow = target.name == "yaml";  // the configuration is read twice
        const std::size_t stride = is_slow ? 1 + file.size() / 16 : 1 + file.size() / 400;
        for (std::size_t at = 0; at < file.size(); at += stride) {
          target.run(bytesOf(file).first(at));
          for (const char mask : {'\x01', '\x40', '\x80', '\xff'}) {
            file[at] = static_cast<char>(file[at] ^ mask);
            target.run(bytesOf(file));
            file[at] = static_cast<char>(file[at] ^ mask);
          }
        }
      }
    }
  }
};
STUDIO_TEST(TestFuzzCorpus)
#include "tst_fuzz_corpus.moc"
