// SPDX-License-Identifier: Apache-2.0
//
// Files of 13 GB that take no disk (holes are not stored), opened with little memory.
#include <QTemporaryDir>
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/base/formats/tensor_source.h"
#include "tests/base/file_maker.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;
using namespace meanflow::testing;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kTensorBytes = std::uint64_t{256} << 20;
constexpr int kNumTensors = 52;

/// Largest memory this process ever held, in bytes ("VmHWM" of proc(5)).
std::int64_t peakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  return -1;
}

void putAt(std::fstream& file, std::uint64_t at, const std::string& text) {
  file.seekp(static_cast<std::streamoff>(at));
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
}

std::fstream sparseFile(const std::string& path) {
  return std::fstream(path, std::ios::binary | std::ios::in | std::ios::out | std::ios::trunc);
}

/// As torch.save writes a model, its average and two moments, with zip64 records. Zeros all over.
std::string writePt(const std::string& path) {
  std::string data_pkl("\x80\x02}(");
  for (int i = 0; i < kNumTensors; ++i)
    data_pkl += pickle::text("w" + std::to_string(i)) +
                pickle::tensor(pickle::storage("FloatStorage", std::to_string(i), kTensorBytes / 4), 0,
                               {1 << 12, 1 << 14}, {1 << 14, 1});
  data_pkl += "u.";
  const std::vector<std::byte> zeros(kTensorBytes);
  const auto zero_crc = crc32(zeros);
  auto file = sparseFile(path);
  std::uint64_t at = 0;
  std::string directory;
  const auto add = [&](const std::string& name, const std::string* content) {
    const std::uint64_t size = content ? content->size() : kTensorBytes;
    const auto common = le16(0) + le16(0) + le32(0) + le32(content ? crc32(bytesOf(*content)) : zero_crc) + le32(size) +
                        le32(size) + le16(name.size());
    directory += le32(0x02014b50) + le16(45) + le16(45) + common + le16(12) + le16(0) + le16(0) + le16(0) + le32(0) +
                 le32(0xffffffff) + name + le16(1) + le16(8) + littleEndian(at);
    const auto header = le32(0x04034b50) + le16(45) + common + le16(0) + name;
    putAt(file, at, header + (content ? *content : ""));
    at += header.size() + size;
  };
  add("a/data.pkl", &data_pkl);
  for (int i = 0; i < kNumTensors; ++i) add("a/data/" + std::to_string(i), nullptr);
  const std::uint64_t num = kNumTensors + 1, directory_at = at, size = directory.size();
  putAt(file, at,
        directory + le32(0x06064b50) + littleEndian(std::uint64_t{44}) + le16(45) + le16(45) + le32(0) + le32(0) +
            littleEndian(num) + littleEndian(num) + littleEndian(size) + littleEndian(directory_at) + le32(0x07064b50) +
            le32(0) + littleEndian(directory_at + size) + le32(1) + le32(0x06054b50) + le16(0) + le16(0) + le16(num) +
            le16(num) + le32(size) + le32(0xffffffff) + le16(0));
  return file ? path : "";
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
    const auto path = is_pt ? writePt(name) : writeSafetensors(name);
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
    QVERIFY2(grown < std::int64_t{700} << 20,
             std::to_string(grown).c_str());  // one tensor and a piece of the map; 2 GB are allowed
  }
};
STUDIO_TEST(TestLargeFiles)
#include "tst_large_files.moc"
