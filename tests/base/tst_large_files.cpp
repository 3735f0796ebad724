// SPDX-License-Identifier: Apache-2.0
//
// Files of 13 GB that take no disk (holes are not stored), opened with little memory.
#include <QTemporaryDir>
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/base/formats/tensor_source.h"
#include "tests/base/sparse_file.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;
using namespace meanflow::testing;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kTensorBytes = std::uint64_t{256} << 20;
constexpr int kNumTensors = 52;

std::vector<SparseTensor> largeTensors() {
  std::vector<SparseTensor> tensors;
  for (int i = 0; i < kNumTensors; ++i) tensors.push_back({"w" + std::to_string(i), {1 << 12, 1 << 14}});
  return tensors;
}

/// Largest memory this process ever held, in bytes ("VmHWM" of proc(5)).
std::int64_t peakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  return -1;
}

std::string writeSafetensors(const std::string& path) {
  std::string header = "{";
  for (int i = 0; i < kNumTensors; ++i)
    header += (i > 0 ? ",\"w" : "\"w") + std::to_string(i) +
              "\":{\"dtype\":\"F32\",\"shape\":[4096,16384],\"data_offsets\":[" + std::to_string(i * kTensorBytes) +
              "," + std::to_string((i + 1) * kTensorBytes) + "]}";
  header += "}";
  auto file = sparseFile(path);
  putAt(file, 0, littleEndian(static_cast<std::uint64_t>(header.size())) + header);
  putAt(file, 8 + header.size() + kNumTensors * kTensorBytes - 1, std::string(1, '\0'));
  return file ? path : "";
}

}  // namespace

class TestLargeFiles : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aFileOf13GBIsListedAndReadWithLittleMemory_data() {
    QTest::addColumn<bool>("is_pt");
    QTest::newRow("pt") << true;
    QTest::newRow("safetensors") << false;
  }
  void aFileOf13GBIsListedAndReadWithLittleMemory() {
    QFETCH(bool, is_pt);
    const QTemporaryDir folder;
    const auto name = folder.filePath("large").toStdString();
    const auto path = is_pt ? writeSparsePt(name, largeTensors()) : writeSafetensors(name);
    QVERIFY2(!path.empty(), "the file could not be written");
    QVERIFY(fs::file_size(path) > 13'000'000'000U);
    const auto before = peakMemory();
    QVERIFY(before > 0);
    auto source = openTensorSource(path).value();
    QCOMPARE(source->entries().size(), static_cast<std::size_t>(kNumTensors));
    for (const auto& entry : source->entries()) QCOMPARE(entry.num_bytes, kTensorBytes);
    std::vector<std::byte> one(kTensorBytes, std::byte{1});
    for (const std::size_t i : {kNumTensors - 1, 0, 7}) {  // one after the other: their pages do not add up
      source->read(i, one).value();
      QVERIFY(std::all_of(one.begin(), one.end(), [](std::byte b) { return b == std::byte{0}; }));
    }
    const auto grown = peakMemory() - before;
    // One tensor and a piece of the map; 2 GB are allowed. ThreadSanitizer keeps up to eight bytes beside each.
#ifdef __SANITIZE_THREAD__
    constexpr std::int64_t kSanitized = 9;
#else
    constexpr std::int64_t kSanitized = 1;
#endif
    QVERIFY2(grown < kSanitized * (std::int64_t{700} << 20), std::to_string(grown).c_str());
  }
};
STUDIO_TEST(TestLargeFiles)
#include "tst_large_files.moc"
