// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <protozero/pbf_reader.hpp>

#include "core/base/formats/png.h"
#include "core/base/formats/safetensors.h"
#include "core/base/formats/tensor_source.h"
#include "core/base/formats/tensorboard_writer.h"
#include "core/base/formats/tf_record.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;
namespace fs = std::filesystem;

namespace {
#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

template <class T>
std::span<const std::byte> bytesOf(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}
std::span<const std::byte> bytesOf(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string withLength(const std::string& header, const std::string& data, std::int64_t claimed = -1) {
  const std::uint64_t size = claimed < 0 ? header.size() : static_cast<std::uint64_t>(claimed);
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  return file + header + data;
}
void put(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
Image8 testImage(int width, int height) {
  Image8 image(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 37 + i / 256);
  return image;
}

/// The data of each record of a TFRecord file; a wrong CRC gives an empty list.
std::vector<std::string> readRecords(const fs::path& path) {
  const auto text = readFile(path);
  std::vector<std::string> records;
  for (std::size_t at = 0; at < text->size();) {
    std::uint64_t length = 0;
    std::uint32_t length_crc = 0, data_crc = 0;
    if (text->size() - at < 16) return {};
    std::memcpy(&length, text->data() + at, 8);
    std::memcpy(&length_crc, text->data() + at + 8, 4);
    const auto data = text->substr(at + 12, length);
    std::memcpy(&data_crc, text->data() + at + 12 + length, 4);
    if (maskedCrc32c(bytesOf(text->substr(at, 8))) != length_crc || maskedCrc32c(bytesOf(data)) != data_crc) return {};
    records.push_back(data);
    at += 16 + length;
  }
  return records;
}

struct DecodedEvent {
  double wall_time = 0;
  std::int64_t step = 0;
  std::string version, tag, png;
  float value = 0;
  int session_status = 0, width = 0, height = 0;
};
DecodedEvent decodeEvent(const std::string& data) {
  DecodedEvent event;
  protozero::pbf_reader reader(data);
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        event.wall_time = reader.get_double();
        break;
      case 2:
        event.step = reader.get_int64();
        break;
      case 3:
        event.version = reader.get_string();
        break;
      case 7: {
        auto session = reader.get_message();
        while (session.next(1)) event.session_status = session.get_enum();
        break;
      }
      case 5: {
        auto summary = reader.get_message();
        summary.next(1);
        auto value = summary.get_message();
        while (value.next()) {
          if (value.tag() == 1)
            event.tag = value.get_string();
          else if (value.tag() == 2)
            event.value = value.get_float();
          else if (value.tag() == 4) {
            auto picture = value.get_message();
            while (picture.next()) {
              if (picture.tag() == 1)
                event.height = picture.get_int32();
              else if (picture.tag() == 2)
                event.width = picture.get_int32();
              else if (picture.tag() == 4)
                event.png = picture.get_bytes();
              else
                picture.skip();
            }
          } else
            value.skip();
        }
        break;
      }
      default:
        reader.skip();
    }
  }
  return event;
}
}  // namespace

class TestFormats : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  fs::path path(const std::string& name) const { return fs::path(folder_.path().toStdString()) / name; }

 private Q_SLOTS:
  void tensorsSurviveARoundTripAligned() {
    const std::vector<float> weights = {1.5f, -2, 3, 4, 5, 6};
    const std::vector<std::uint8_t> flags = {1, 0, 1};
    const std::vector<double> scalar = {0.1};
    const auto target = path("a.safetensors");
    const auto written = writeSafetensors(target,
                                          {{{"flags", "BOOL", {3}}, bytesOf(flags)},
                                           {{"blocks.0.w", "F32", {2, 3}}, bytesOf(weights)},
                                           {{"scalar", "F64", {}}, bytesOf(scalar)},
                                           {{"none", "F32", {0, 4}}, {}}},
                                          {{"format", "pt"}});
    QVERIFY2(written.ok(), written.ok() ? "" : written.error().message.c_str());
    const auto file = SafetensorsFile::open(target);
    QVERIFY2(file.ok(), file.ok() ? "" : file.error().message.c_str());
    QCOMPARE(file->tensors().size(), std::size_t{4});
    QCOMPARE(file->metadata().at("format"), std::string("pt"));
    const auto* w = file->find("blocks.0.w");
    QVERIFY(w != nullptr);
    QCOMPARE(w->dtype, std::string("F32"));
    QCOMPARE(w->shape, (std::vector<std::int64_t>{2, 3}));
    QVERIFY(std::memcmp(w->bytes.data(), weights.data(), 24) == 0);
    QCOMPARE(reinterpret_cast<std::uintptr_t>(file->find("scalar")->bytes.data()) % 8, std::uintptr_t{0});
    QCOMPARE(file->find("scalar")->shape.size(), std::size_t{0});
    QVERIFY(file->find("none")->bytes.empty());
    QVERIFY(file->find("absent") == nullptr);
  }
  void filesOfTheReferenceImplementationOpen() {
    const fs::path golden = fs::path(meanflow::testing::testsFolder()) / "golden" / "fm_loss";
    for (const auto& entry : fs::directory_iterator(golden)) {
      if (entry.path().extension() != ".safetensors") continue;
      const auto file = SafetensorsFile::open(entry.path());
      QVERIFY2(file.ok(), file.ok() ? "" : file.error().message.c_str());
      QVERIFY(!file->tensors().empty());
    }
    const auto weights = SafetensorsFile::open(golden / "weights.safetensors");
    QCOMPARE(weights->find("blocks.0.adaLN_modulation.1.weight")->shape, (std::vector<std::int64_t>{144, 24}));
  }
  void writerTakesATensorInPiecesAndChecksTheTotal() {
    const std::vector<float> values(1000, 2.5f);
    auto writer = SafetensorsWriter::create(path("b.safetensors"), {{"w", "F32", {1000}}});
    QVERIFY(writer.ok());
    QVERIFY(writer->append(bytesOf(values).first(1000)).ok());
    QVERIFY(!fs::exists(path("b.safetensors")));
    VERIFY_HAS(writer->commit().error().message, "1000 of the 4000 announced bytes");
    QVERIFY(writer->append(bytesOf(values).subspan(1000)).ok());
    QVERIFY(!writer->append(bytesOf(values).first(1)).ok());
    QVERIFY(writer->commit().ok());
    QCOMPARE(SafetensorsFile::open(path("b.safetensors"))->find("w")->bytes.size(), std::size_t{4000});
    QVERIFY(!SafetensorsWriter::create(path("c"), {{"w", "F31", {1}}}).ok());
    QVERIFY(!SafetensorsWriter::create(path("c"), {{"w", "F32", {1}}, {"w", "F32", {1}}}).ok());
    QVERIFY(!SafetensorsWriter::create(path("c"), {{"w", "F32", {INT64_MAX, 8}}}).ok());
    QVERIFY(!writeSafetensors(path("c"), {{{"w", "F32", {3}}, bytesOf(values)}}).ok());
  }
  void hostileFilesAreRefusedByName_data() {
    QTest::addColumn<QByteArray>("file");
    QTest::addColumn<QString>("message");
    const auto row = [](const char* name, const std::string& file, const char* message) {
      QTest::newRow(name) << QByteArray(file.data(), static_cast<int>(file.size())) << QString(message);
    };
    const auto tensor = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
      return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
    };
    const auto one = [&](const std::string& dtype, const std::string& shape, const std::string& offsets,
                         std::size_t size) {
      return withLength("{\"w\":" + tensor(dtype, shape, offsets) + "}", std::string(size, 'x'));
    };
    const auto two = [&](const std::string& a, const std::string& b, std::size_t size) {
      return withLength("{\"a\":" + tensor("U8", "[4]", a) + ",\"b\":" + tensor("U8", "[4]", b) + "}",
                        std::string(size, 'x'));
    };
    row("empty", "", "not a safetensors file (0 bytes)");
    row("header longer than the file", withLength("{}", "", 1000), "longer than the file");
    row("huge header", withLength("{}", "", 100'000'001), "a header of 100000001 bytes");
    row("largest header", std::string(8, '\xff') + "{}", "a header of 18446744073709551615 bytes");
    row("not JSON", withLength("{\"w\":", ""), "the header is not a JSON object");
    row("a list", withLength("[]", ""), "the header is not a JSON object");
    row("deep JSON", withLength(std::string(200000, '['), ""), "the header is not a JSON object");
    row("duplicate",
        withLength("{\"w\":" + tensor("U8", "[1]", "[0,1]") + ",\"w\":" + tensor("U8", "[1]", "[0,1]") + "}", "x"),
        "tensor 'w' is listed twice");
    row("dtype", one("F33", "[1]", "[0,4]", 4), "tensor 'w': unknown dtype 'F33'");
    row("negative side", one("U8", "[-4]", "[0,4]", 4), "tensor 'w': shape [-4] is not a list of sizes");
    row("fractional side", one("U8", "[4.0]", "[0,4]", 4), "is not a list of sizes");
    row("past the end", one("F32", "[2]", "[0,8]", 4),
        "tensor 'w': data_offsets [0, 8] are outside the 4 bytes of data");
    row("backwards", one("U8", "[1]", "[4,0]", 4), "are outside");
    row("negative offset", one("U8", "[1]", "[-1,0]", 4), "are not two positions");
    row("three offsets", one("U8", "[4]", "[0,2,4]", 4), "are not two positions");
    row("size mismatch", one("F32", "[3]", "[0,8]", 8),
        "tensor 'w': shape [3] of F32 needs 12 bytes, data_offsets give 8");
    row("overflow", one("F32", "[4294967296,4294967296]", "[0,0]", 0), "overflows");
    row("wrapping to fit", one("U8", "[4294967296,4294967296]", "[0,0]", 0), "overflows");
    row("overlap", two("[0,4]", "[2,6]", 6), "tensor 'b': its data overlaps another tensor's");
    row("same place", two("[0,4]", "[0,4]", 4), "overlaps");
    row("hole", two("[0,4]", "[6,10]", 10), "tensor 'b': a hole of 2 bytes before its data");
    row("hole at the start", one("U8", "[2]", "[2,4]", 4), "a hole of 2 bytes");
    row("trailing bytes", one("U8", "[2]", "[0,2]", 5), "3 bytes at the end belong to no tensor");
    row("missing member", withLength("{\"w\":{\"dtype\":\"U8\"}}", ""),
        "tensor 'w': needs dtype, shape and data_offsets");
    row("metadata", withLength("{\"__metadata__\":{\"a\":1}}", ""), "__metadata__ 'a' is not a text");
  }
  void hostileFilesAreRefusedByName() {
    QFETCH(QByteArray, file);
    QFETCH(QString, message);
    const auto target = path("hostile.safetensors");
    put(target, file.toStdString());
    const auto opened = SafetensorsFile::open(target);
    QVERIFY(!opened.ok());
    VERIFY_HAS(opened.error().message, message.toStdString());
    QVERIFY(opened.error().message.starts_with(target.string() + ": "));
  }
  void noLengthOfAHeaderIsTakenForAnotherKindOfFile() {
    for (std::size_t size = 2; size < 600; ++size) {  // 128 is the first byte of a pickle
      put(path("any.safetensors"), withLength("{}" + std::string(size - 2, ' '), ""));
      const auto source = openTensorFile(path("any.safetensors"));
      QVERIFY2(source.ok(), source.ok() ? "" : source.error().message.c_str());
      QCOMPARE((*source)->format(), std::string("safetensors"));
    }
    put(path("bomb.safetensors"), withLength("{}", "", std::int64_t{1} << 40));
    VERIFY_HAS(openTensorFile(path("bomb.safetensors")).error().message,
               "bomb.safetensors: not a safetensors file: a header of 1099511627776 bytes");
    put(path("short.safetensors"), "abc");
    VERIFY_HAS(openTensorFile(path("short.safetensors")).error().message, "not a safetensors file (3 bytes)");
  }
  void everyTruncationOfAFileIsRefused() {
    const std::vector<float> values = {1, 2, 3, 4};
    QVERIFY(writeSafetensors(path("t.safetensors"), {{{"w", "F32", {4}}, bytesOf(values)}}).ok());
    const auto whole = *readFile(path("t.safetensors"));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      put(path("cut.safetensors"), whole.substr(0, size));
      QVERIFY2(!SafetensorsFile::open(path("cut.safetensors")).ok(), std::to_string(size).c_str());
    }
    QVERIFY(!SafetensorsFile::open(path("absent.safetensors")).ok());
    QVERIFY(!SafetensorsFile::open(path("")).ok());
  }

  void pngKeepsPixelsAndTexts() {
    const auto image = testImage(13, 7);
    const PngTexts texts = {{"meanflow.config", "seed: 0\nlr: 1e-4"}, {"Title", "Größe – 表"}, {"empty", ""}};
    PngTexts found;
    const auto again = decodePng(encodePng(image, texts), &found);
    QVERIFY2(again.ok(), again.ok() ? "" : again.error().message.c_str());
    QVERIFY(*again == image);
    QVERIFY(found == texts);
    QVERIFY(writePng(path("a.png"), image, texts).ok());
    QVERIFY(*readPng(path("a.png")) == image);
    QVERIFY_THROWS_EXCEPTION(std::invalid_argument, encodePng(Image8()));
    QVERIFY_THROWS_EXCEPTION(std::invalid_argument, encodePng(image, {{std::string(80, 'k'), "x"}}));
  }
  void damagedPngIsAnErrorWithTheFilesName() {
    auto bytes = encodePng(testImage(40, 40));
    for (std::size_t size = 0; size + 12 < bytes.size(); size += 97)
      QVERIFY(!decodePng(std::span(bytes).first(size)).ok());
    bytes[bytes.size() / 2] ^= 0xff;
    QVERIFY(!decodePng(bytes).ok());
    put(path("bad.png"), "not a png");
    VERIFY_HAS(readPng(path("bad.png")).error().message, "bad.png: not a readable PNG");
  }

  void crcMatchesThePublishedVectors() {
    QCOMPARE(crc32c(bytesOf(std::string("123456789"))), 0xe3069283u);  // the check value of CRC-32C
    QCOMPARE(crc32c(bytesOf(std::string(32, '\0'))), 0x8a9136aau);     // RFC 3720, B.4
    QCOMPARE(crc32c(bytesOf(std::string(32, '\xff'))), 0x62a8ab43u);
  }
  void tensorboardFileDecodesAgain() {
    const auto image = testImage(6, 4);
    fs::path file;
    {
      auto writer = TensorboardWriter::open(path("tb"), 1000.5);
      QVERIFY(writer.ok());
      file = (*writer)->path();
      QVERIFY((*writer)->startSession(7, 1001).ok());
      QVERIFY((*writer)->addScalar("loss", 0.25, 5'000'000'000, 1002.5).ok());
      QVERIFY((*writer)->addImage("samples", image, 8, 1003).ok());
      auto second = TensorboardWriter::open(path("tb"), 1000.5);
      QVERIFY(second.ok() && (*second)->path() != file);
    }
    VERIFY_HAS(file.filename().string(), "events.out.tfevents.0000001000.");
    const auto records = readRecords(file);
    QCOMPARE(records.size(), std::size_t{4});
    const auto first = decodeEvent(records[0]);
    QCOMPARE(first.version, std::string("brain.Event:2"));
    QCOMPARE(first.wall_time, 1000.5);
    QCOMPARE(decodeEvent(records[1]).session_status, 1);
    QCOMPARE(decodeEvent(records[1]).step, std::int64_t{7});
    const auto scalar = decodeEvent(records[2]);
    QCOMPARE(scalar.tag, std::string("loss"));
    QCOMPARE(scalar.value, 0.25f);
    QCOMPARE(scalar.step, std::int64_t{5'000'000'000});
    const auto picture = decodeEvent(records[3]);
    QCOMPARE(picture.width, 6);
    QCOMPARE(picture.height, 4);
    const auto pixels = decodePng({reinterpret_cast<const std::uint8_t*>(picture.png.data()), picture.png.size()});
    QVERIFY(*pixels == image);
  }
};
STUDIO_TEST(TestFormats)
#include "tst_formats.moc"
