// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <filesystem>
#include <fstream>
#include <map>

#include "core/base/formats/pt_file.h"
#include "core/base/formats/safetensors.h"
#include "core/base/run/atomic_file.h"
#include "tests/base/file_maker.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;
using namespace meanflow::testing;
namespace fs = std::filesystem;

namespace {

#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

fs::path golden(const std::string& name) { return fs::path(testsFolder()) / "golden" / "checkpoints_pt" / name; }

/// Reads every tensor; the first error.
std::string readAll(PtFile& file) {
  for (const auto& tensor : file.tensors()) {
    std::vector<std::byte> bytes(*numBytes(tensor.view.shape, dtypeSize(tensor.view.dtype)));
    if (auto done = file.copy(tensor, bytes); !done) return done.error().message;
  }
  return {};
}

const std::string kFloats = pickle::storage("FloatStorage", "0", 4);
std::string oneTensor(std::int64_t offset, const std::vector<std::int64_t>& shape,
                      const std::vector<std::int64_t>& strides) {
  return pickle::dict("w", pickle::tensor(kFloats, offset, shape, strides));
}

}  // namespace

class TestPtFile : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyPublishedLayoutOpensBitForBit_data() {
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("prefix");
    QTest::addColumn<QString>("expected");
    QTest::newRow("state dict") << "raw_state_dict.pt"
                                << ""
                                << "sd.";
    QTest::newRow("average only") << "ema_only.pt"
                                  << "ema."
                                  << "sd.";
    QTest::newRow("resume, model") << "latest.pt"
                                   << "model."
                                   << "sd.";
    QTest::newRow("resume, average") << "latest.pt"
                                     << "ema."
                                     << "ema.";
    QTest::newRow("resume, optimiser") << "latest.pt"
                                       << "opt.state.0."
                                       << "opt.";
    QTest::newRow("wrapped names") << "wrapped_prefix.pt"
                                   << "module._orig_mod."
                                   << "sd.";
    QTest::newRow("stream") << "legacy_format.pt"
                            << ""
                            << "sd.";
    QTest::newRow("statistics") << "stat.pt"
                                << ""
                                << "stat.";
  }
  void everyPublishedLayoutOpensBitForBit() {
    QFETCH(QString, file);
    QFETCH(QString, prefix);
    QFETCH(QString, expected);
    auto opened = PtFile::open(golden(file.toStdString()));
    QVERIFY2(opened.ok(), opened.ok() ? "" : opened.error().message.c_str());
    QCOMPARE(opened->isLegacy(), file == "legacy_format.pt");
    std::map<std::string, std::vector<std::byte>> found;
    for (const auto& tensor : opened->tensors()) {
      if (!tensor.name.starts_with(prefix.toStdString())) continue;
      auto& bytes = found[tensor.name.substr(static_cast<std::size_t>(prefix.size()))];
      bytes.resize(*numBytes(tensor.view.shape, dtypeSize(tensor.view.dtype)));
      opened->copy(tensor, bytes).value();
    }
    const auto reference = SafetensorsFile::open(golden("expected.safetensors")).value();
    std::size_t num_expected = 0;
    for (const auto& [name, view] : reference.tensors()) {
      if (!name.starts_with(expected.toStdString())) continue;
      ++num_expected;
      const auto& bytes = found[name.substr(static_cast<std::size_t>(expected.size()))];
      QVERIFY2(bytes.size() == view.bytes.size() && std::equal(bytes.begin(), bytes.end(), view.bytes.begin()),
               name.c_str());
    }
    QVERIFY(num_expected > 1);
    QCOMPARE(found.size(), num_expected);
  }
  void plainValuesBesideTheTensorsAreTold() {
    const auto file = PtFile::open(golden("latest.pt")).value();
    std::map<std::string, std::string> values;
    for (const auto& value : file.values()) values[value.name] = value.text;
    QCOMPARE(values["train_steps"], std::string("1234"));
    QCOMPARE(values["config_path"], std::string("configs/x.yaml"));
    QCOMPARE(values["opt.param_groups.0.weight_decay"], std::string("0.01"));
    QCOMPARE(file.root().find("train_steps")->integer(), std::int64_t{1234});
    QVERIFY(file.objects().empty());
  }

  void codeInAFileIsNeverRun() {
    const QTemporaryDir folder;
    const auto witness = folder.filePath("ran").toStdString();
    const auto call = pickle::global("os", "system") + pickle::text("touch " + witness) + "\x85R";
    const auto built =
        pickle::global("subprocess", "Popen") + ")\x81}" + pickle::text("args") + pickle::text("true") + "sb";
    const auto text = makePt("\x80\x02}(" + pickle::text("bad") + call + pickle::text("worse") + built +
                             pickle::text("w") + pickle::tensor(kFloats, 0, {4}, {1}) + "u.");
    const auto file = PtFile::parse(bytesOf(text), "input");
    QVERIFY2(file.ok(), file.ok() ? "" : file.error().message.c_str());
    QVERIFY(!fs::exists(witness));
    QCOMPARE(file->tensors().size(), std::size_t{1});
    QCOMPARE(file->objects().size(), std::size_t{2});
    QCOMPARE(file->objects()[0].text, std::string("os.system"));
    QCOMPARE(file->root().find("bad")->arguments()->item(0).text(), std::string_view("touch " + witness));
    QCOMPARE(file->root().find("worse")->attribute("args")->text(), std::string_view("true"));
  }
  void viewsOfTheOldStreamKeepTheirOffset() {
    std::string data;
    for (const float value : {0.F, 1.F, 2.F, 3.F}) data += littleEndian(value);
    const auto view = std::string("(") + pickle::text("storage") + pickle::global("torch", "FloatStorage") +
                      pickle::text("0") + pickle::text("cpu") + pickle::integer(4) + "(" + pickle::text("9") +
                      pickle::integer(1) + pickle::integer(3) + "ttQ";
    const auto text = makeStream(pickle::dict("w", pickle::tensor(view, 1, {2}, {1})), 4, data);
    auto file = PtFile::parse(bytesOf(text), "input");
    QVERIFY2(file.ok(), file.ok() ? "" : file.error().message.c_str());
    float values[2] = {};
    file->copy(file->tensors()[0], std::as_writable_bytes(std::span(values))).value();
    QCOMPARE(values[0], 2.F);
    QCOMPARE(values[1], 3.F);
  }

  void hostileFilesAreRefusedByName_data() {
    QTest::addColumn<QByteArray>("file");
    QTest::addColumn<QString>("message");
    const auto row = [](const char* name, const std::string& file, const char* message) {
      QTest::newRow(name) << QByteArray(file.data(), static_cast<int>(file.size())) << QString(message);
    };
    const auto tensorRow = [&](const char* name, std::int64_t offset, const std::vector<std::int64_t>& shape,
                               const std::vector<std::int64_t>& strides,
                               const char* message) { row(name, makePt(oneTensor(offset, shape, strides)), message); };
    const auto object = [](const std::string& code) { return makePt("\x80\x02" + code + "."); };
    const auto good = oneTensor(0, {2, 2}, {2, 1});

    row("empty", "", "the file is empty");
    row("wrong magic", "\x93JUNK and more", "not a file of torch.save");
    row("zip of something else", makeZip({{"word/document.xml", "x"}}), "no data.pkl");
    row("no entries", makeZip({}), "no data.pkl");
    row("TorchScript", makeZip({{"a/data.pkl", good}, {"a/constants.pkl", ""}}), "a TorchScript program");
    row("listed twice", makeZip({{"a/data.pkl", good}, {"a/data/0", "x"}, {"a/data/0", "x"}}),
        "record 'a/data/0' is listed twice");
    row("overlapping records",
        makeZip({{"a/data.pkl", good},
                 {"a/data/0", makeZip({{"a/data/1", "xxxx"}})},
                 {"a/data/1", "xxxx", 0, 0, -1, 40 + static_cast<int>(good.size()) + 38}}),
        "overlaps record");
    row("leaves the file", makeZip({{"a/data.pkl", good, 0, 0, -1, 1 << 30}}), "its header is not where");
    row("size bomb", makeZip({{"a/data.pkl", good, 8, 0, 0x7fffffff}}), "cannot hold a content of 2147483647");
    row("stored size", makeZip({{"a/data.pkl", good, 0, 0, 3}}), "cannot hold a content of 3");
    row("encrypted", makeZip({{"a/data.pkl", good, 0, 1}}), "it is encrypted");
    row("unknown method", makeZip({{"a/data.pkl", good, 93}}), "zip method 93 is unknown");
    row("compressed", makeZip({{"a/data.pkl", good, 8}}), "compressed, which torch.save never does");
    row("damaged pickle", makeZip({{"a/data.pkl", good, 0, 0, -1, -1, 7}}), "the checksum of its data.pkl is wrong");
    row("byte order", makeZip({{"a/data.pkl", good}, {"a/byteorder", "mixed"}}), "its byte order 'mixed' is unknown");
    row("no storage", makeZip({{"a/data.pkl", good}}), "tensor 'w': its storage '0' is missing");
    row("short storage", makePt(good, "xxxx"), "record 'a/data/0' has 4 bytes, its storage of 4 F32 needs 16");
    row("long storage", makePt(good, std::string(20, 'x')), "has 20 bytes");

    row("protocol", object("\x80\x09N"), "pickle protocol 9 is unknown");
    row("unknown operation", object("\x82"), "operation 0x82");
    row("empty stack", object("0"), "a value is missing");
    row("no mark", object("t"), "a mark is missing");
    row("no stop", makePt("\x80\x02N"), "cut short");
    row("text beyond the end", object("X" + le32(0xffffffff) + "a"), "4294967295 bytes are needed");
    row("long text beyond the end", object("\x8d" + littleEndian(std::uint64_t{1} << 62) + "a"), "cut short");
    row("long number beyond the end", object("\x8b" + le32(0x7fffffff)), "cut short");
    row("frame", object("\x95" + littleEndian(std::int64_t{-1})), "a frame is longer than the data");
    row("unwritten memo", object("h\x05"), "memo 5 is read before it is written");
    row("append to a number",
        object("K\x01K\x02"
               "a"),
        "appended to what is no list");
    row("entry of a number", object("K\x01K\x02K\x03s"), "set in what is no dictionary");
    row("half an entry", object("}(K\x01u"), "has no value");
    row("no line end", object("cos"), "a line has no end");
    row("contains itself",
        object("]q\x01h\x01"
               "a"),
        "nested deeper than 64 levels");
    std::string nested = "]";
    for (int i = 0; i < 100; ++i) nested = "](" + nested + "e";
    row("deep", object(nested), "nested deeper than 64 levels");
    std::string laughs = "]q\x01";  // each list holds the one before ten times
    for (char i = 1; i < 20; ++i) {
      std::string next = "](";
      for (int k = 0; k < 10; ++k) next += std::string("h") + i;
      laughs += next + "eq" + static_cast<char>(i + 1);
    }
    row("billion laughs", object(laughs), "too many parts");
    row("long class name", object(pickle::global(std::string(600, 'm'), "n")), "the name of a class is too long");

    row("no storage tuple", object("NQ"), "a persistent id is not torch's");
    row("storage kind", object(pickle::storage("QInt8Storage", "0", 4)),
        "storage '0' is of the unknown kind 'torch.QInt8Storage'");
    row("huge storage",
        makePt(pickle::dict("w", pickle::tensor(pickle::storage("FloatStorage", "0", INT64_MAX), 0, {1}, {1}))),
        "storage '0' has 9223372036854775807 elements");
    row("negative storage",
        makePt(pickle::dict("w", pickle::tensor(pickle::storage("FloatStorage", "0", -4), 0, {1}, {1}))),
        "has -4 elements");
    row("two descriptions", makePt("\x80\x02(" + kFloats + pickle::storage("DoubleStorage", "0", 2) + "t."),
        "described twice");
    tensorRow("past the end", 0, {5}, {1},
              "tensor 'w': shape [5] with strides [1] from byte 0 leaves its storage '0' of 16 bytes");
    tensorRow("offset past the end", 4, {1}, {1}, "tensor 'w': shape [1]");
    tensorRow("negative offset", -1, {1}, {1}, "begins at element -1");
    tensorRow("huge offset", INT64_MAX, {1}, {1}, "begins at element 9223372036854775807");
    tensorRow("negative side", 0, {-1}, {1}, "tensor 'w': shape [-1] is negative or overflows");
    tensorRow("huge sides", 0, {INT64_MAX, INT64_MAX}, {1, 1}, "is negative or overflows");
    tensorRow("huge sides beside a zero", 0, {0, INT64_MAX, INT64_MAX}, {1, 1, 1}, "is negative or overflows");
    tensorRow("negative stride", 3, {4}, {-1}, "tensor 'w': strides [-1] are negative");
    tensorRow("expanded", 0, {1000, 1000}, {0, 0},
              "tensor 'w': strides [0, 0] of shape [1000, 1000] put several elements at one place");
    tensorRow("overlapping", 0, {2, 3}, {1, 1}, "put several elements at one place");
    tensorRow("huge stride", 0, {2, 2}, {1, INT64_MAX}, "overflow");
    tensorRow("strides and sides", 0, {4}, {1, 1}, "1 sides, but 2 strides");
    row("many axes", makePt(oneTensor(0, std::vector<std::int64_t>(65, 1), std::vector<std::int64_t>(65, 1))),
        "are no integers");
    row("given twice",
        makePt("\x80\x02}(" + pickle::text("w") + pickle::tensor(kFloats, 0, {1}, {1}) + pickle::text("w") +
               pickle::tensor(kFloats, 0, {1}, {1}) + "u."),
        "tensor 'w' is there twice");
    row("inside an object",
        makePt("\x80\x02" + pickle::global("a", "B") + ")\x81" + pickle::tensor(kFloats, 9, {1}, {1}) + "b."),
        "tensor number 0 (inside an object)");

    row("stream without magic", "\x80\x02K\x01.", "its magic number is missing");
    row("stream cut in a storage", makeStream(good, 4, "xxx"),
        "storage '0' needs 16 bytes, 3 are left; the file is cut short");
    row("stream with another count", makeStream(good, 5, std::string(20, 'x')),
        "storage '0' has 5 elements, 4 are announced");
    row("stream with a strange storage", makeStream("\x80\x02}.", 0, ""), "storage '0' belongs to no tensor");
  }
  void hostileFilesAreRefusedByName() {
    QFETCH(QByteArray, file);
    QFETCH(QString, message);
    const auto text = file.toStdString();
    const auto opened = PtFile::parse(bytesOf(text), "/some/file.pt");
    QVERIFY(!opened.ok());
    VERIFY_HAS(opened.error().message, message.toStdString());
    QVERIFY2(opened.error().message.starts_with("/some/file.pt: "), opened.error().message.c_str());
  }
  void theHandMadeFilesAreGoodBeforeTheyAreBroken() {
    for (const auto& text :
         {makePt(oneTensor(0, {2, 2}, {1, 2})), makeStream(oneTensor(0, {2, 2}, {2, 1}), 4, std::string(16, 'x'))}) {
      auto file = PtFile::parse(bytesOf(text), "input");
      QVERIFY2(file.ok(), file.ok() ? "" : file.error().message.c_str());
      QCOMPARE(file->tensors().size(), std::size_t{1});
      QVERIFY(readAll(*file).empty());
    }
  }

  void everyTruncationIsRefused_data() {
    QTest::addColumn<QString>("file");
    for (const auto* file : {"raw_state_dict.pt", "latest.pt", "legacy_format.pt"}) QTest::newRow(file) << file;
  }
  void everyTruncationIsRefused() {
    QFETCH(QString, file);
    const auto whole = readFile(golden(file.toStdString())).value();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::string cut = whole.substr(0, size);
      const auto opened = PtFile::parse(bytesOf(cut), "input");
      QVERIFY2(!opened.ok(), std::to_string(size).c_str());
      QVERIFY(opened.error().message.starts_with("input: "));
    }
  }
  void aFlippedBitInTheDataIsFoundByItsChecksum() {
    auto text = makePt(oneTensor(0, {4}, {1}), "0123456789abcdef");
    text[text.find("9abcdef")] ^= 1;
    auto file = PtFile::parse(bytesOf(text), "input");
    QVERIFY(file.ok());
    const auto message = readAll(*file);
    QCOMPARE(message, std::string("input: tensor 'w': the checksum of its storage '0' is wrong; the file is damaged"));
    // Any flip at all: refused, found by a checksum, or where nothing depends on it; never a crash.
    const auto whole = readFile(golden("raw_state_dict.pt")).value();
    auto flipped = whole;
    int num_noticed = 0;
    for (std::size_t bit = 0; bit < 8 * whole.size(); bit += 3) {
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      auto opened = PtFile::parse(bytesOf(flipped), "input");
      num_noticed += !opened.ok() || !readAll(*opened).empty();
      flipped[bit / 8] = whole[bit / 8];
    }
    QVERIFY2(num_noticed > 2000, std::to_string(num_noticed).c_str());
  }
  void aMissingFileIsAnErrorWithItsName() {
    VERIFY_HAS(PtFile::open("/no/such/file.pt").error().message, "/no/such/file.pt");
    VERIFY_HAS(PtFile::open("/").error().message, "is not a regular file");
  }
};
STUDIO_TEST(TestPtFile)
#include "tst_pt_file.moc"
