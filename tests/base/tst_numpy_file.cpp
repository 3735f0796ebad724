// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <filesystem>

#include "core/base/formats/numpy_file.h"
#include "core/base/run/atomic_file.h"
#include "tests/base/file_maker.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;
using namespace meanflow::testing;
namespace fs = std::filesystem;

namespace {

#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

std::string makeNpy(const std::string& header, const std::string& data, char version = 1) {
  return "\x93NUMPY" + std::string(1, version) + std::string(1, '\0') +
         (version == 1 ? le16(header.size()) : le32(header.size())) + header + data;
}
std::string headerOf(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

}  // namespace

class TestNumpyFile : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  fs::path path(const std::string& name) const { return fs::path(folder_.path().toStdString()) / name; }

 private Q_SLOTS:
  void arraysSurviveARoundTrip() {
    const std::vector<float> weights = {1.5F, -2, 3, 4, 5, 6};
    const std::vector<std::uint8_t> flags = {1, 0, 1};
    auto writer =
        NpzWriter::create(path("a.npz"),
                          {{"w", "F32", {2, 3}}, {"flags", "BOOL", {3}}, {"scalar", "U8", {}}, {"none", "F64", {0, 2}}})
            .value();
    writer.append(std::as_bytes(std::span(weights))).value();
    VERIFY_HAS(writer.append(std::as_bytes(std::span(weights))).error().message,
               "array 'flags': 24 bytes given, its shape needs 3");
    writer.append(std::as_bytes(std::span(flags))).value();
    writer.append(std::as_bytes(std::span(flags)).first(1)).value();
    VERIFY_HAS(writer.commit().error().message, "3 of the 4 announced arrays were given");
    QVERIFY(!fs::exists(path("a.npz")));
    writer.append({}).value();
    writer.commit().value();
    const auto file = NumpyFile::open(path("a.npz")).value();
    QCOMPARE(file.arrays().size(), std::size_t{4});
    QCOMPARE(file.find("scalar")->view.shape.size(), std::size_t{0});
    QCOMPARE(file.find("none")->view.shape, (std::vector<std::int64_t>{0, 2}));
    std::vector<float> again(6);
    file.copy(*file.find("w"), std::as_writable_bytes(std::span(again))).value();
    QVERIFY(again == weights);
    QVERIFY(file.find("absent") == nullptr);
    VERIFY_HAS(NpzWriter::create(path("b.npz"), {{"w", "BF16", {1}}}).error().message,
               "array 'w': numpy has no dtype for BF16");
    VERIFY_HAS(NpzWriter::create(path("b.npz"), {{"w", "F32", {1}}, {"w", "F32", {1}}}).error().message, "given twice");
  }
  void columnsComeOutAsRowsAndSwapped() {
    const auto text = makeNpy(headerOf(">i2", "(2, 3)", "True"), std::string("\0\1\0\4\0\2\0\5\0\3\0\6", 12));
    const auto file = NumpyFile::parse(bytesOf(text), "folder/name.npy").value();
    QCOMPARE(file.arrays()[0].name, std::string("name"));
    std::vector<std::int16_t> values(6);
    file.copy(file.arrays()[0], std::as_writable_bytes(std::span(values))).value();
    QVERIFY((values == std::vector<std::int16_t>{1, 2, 3, 4, 5, 6}));
  }
  void arraysWithoutNumbersAreTold() {
    const auto text = makeZip({{"o.npy", makeNpy(headerOf("|O", "(1,)"), "pickle")},
                               {"notes.txt", "x"},
                               {"w.npy", makeNpy(headerOf("|u1", "(1,)"), "x")}});
    const auto file = NumpyFile::parse(bytesOf(text), "input").value();
    QCOMPARE(file.unreadable(),
             (std::vector<std::string>{"'o': dtype '|O' holds no numbers", "'notes.txt': not an .npy record"}));
    QCOMPARE(file.arrays().size(), std::size_t{1});
  }

  void hostileFilesAreRefusedByName_data() {
    QTest::addColumn<QByteArray>("file");
    QTest::addColumn<QString>("message");
    const auto row = [](const char* name, const std::string& file, const char* message) {
      QTest::newRow(name) << QByteArray(file.data(), static_cast<int>(file.size())) << QString(message);
    };
    const auto header = [&](const char* name, const std::string& text, const std::string& data, const char* message) {
      row(name, makeZip({{"w.npy", makeNpy(text, data)}}), message);
    };
    row("empty", "", "it is no .npy record");
    row("wrong magic", makeZip({{"w.npy", "\x93NUMPX and so on"}}),
        "array 'w.npy': it is no .npy record (wrong magic)");
    row("version", makeNpy(headerOf("<f4", "(1,)"), "xxxx", 4), ".npy version 4 is unknown");
    row("header bomb", "\x93NUMPY" + std::string("\2\0\xff\xff\xff\x7f", 6) + "{}", "its header has 2147483647 bytes");
    row("header cut", "\x93NUMPY" + std::string("\1\0\x40\0", 4) + "{'descr'", "its header is cut short");
    header("no dictionary", "hello", "", "its header is not one of numpy");
    header("missing key", "{'descr': '<f4', 'shape': (1,), }", "xxxx", "its header is not one of numpy");
    header("key twice", "{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", "xxxx", "its header is not one of numpy");
    header("code", "{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }", "xxxx",
           "its header is not one of numpy");
    header("negative side", headerOf("<f4", "(-1,)"), "", "its header is not one of numpy");
    header("huge side", headerOf("<f4", "(99999999999999999999,)"), "", "its header is not one of numpy");
    header("overflow", headerOf("<f4", "(4294967296, 4294967296)"), "",
           "array 'w.npy': its shape [4294967296, 4294967296] overflows");
    header("too short", headerOf("<f4", "(2,)"), "xxxx", "shape [2] of '<f4' needs 8 bytes, 4 are there");
    header("too long", headerOf("<f4", "(2,)"), std::string(12, 'x'), "needs 8 bytes, 12 are there");
    row("open bracket", makeNpy("{'descr': [[[[", "", 1) + std::string(20, ' '), "its header is not one of numpy");
    row("deflate damage", makeZip({{"w.npy", "\xff\xff\xff\xff garbage", 8, 0, 100}}),
        "its compressed data is damaged");
    row("object alone", makeNpy(headerOf("|O", "()"), "x"), "an array of '|O' holds no numbers");
  }
  void hostileFilesAreRefusedByName() {
    QFETCH(QByteArray, file);
    QFETCH(QString, message);
    const auto text = file.toStdString();
    const auto opened = NumpyFile::parse(bytesOf(text), "/some/file.npz");
    QVERIFY(!opened.ok());
    VERIFY_HAS(opened.error().message, message.toStdString());
    QVERIFY(opened.error().message.starts_with("/some/file.npz: "));
  }
  void everyTruncationIsRefusedAndAFlippedBitIsFound() {
    const std::vector<double> values(9, 2.5);
    auto writer = NpzWriter::create(path("t.npz"), {{"w", "F64", {9}}}).value();
    writer.append(std::as_bytes(std::span(values))).value();
    writer.commit().value();
    const auto whole = readFile(path("t.npz")).value();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto cut = whole.substr(0, size);
      QVERIFY2(!NumpyFile::parse(bytesOf(cut), "input").ok(), std::to_string(size).c_str());
    }
    auto flipped = whole;
    flipped[whole.find(std::string("\4@", 2))] ^= 1;  // in the first 2.5
    const auto file = NumpyFile::parse(bytesOf(flipped), "input").value();
    std::vector<std::byte> out(72);
    QCOMPARE(file.copy(file.arrays()[0], out).error().message,
             std::string("input: array 'w': record 'w.npy': its checksum is wrong; the file is damaged"));
  }
};
STUDIO_TEST(TestNumpyFile)
#include "tst_numpy_file.moc"
