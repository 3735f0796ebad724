// SPDX-License-Identifier: Apache-2.0
//
// What other programs leave of a training: event files, logs, folders of both.
#include <QTemporaryDir>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/base/formats/png.h"
#include "core/base/formats/step_log.h"
#include "core/base/formats/tensorboard_reader.h"
#include "core/base/formats/tensorboard_writer.h"
#include "core/base/metrics/metrics_store.h"
#include "core/base/run/atomic_file.h"
#include "core/base/run/trace_folder.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::base;
namespace fs = std::filesystem;

namespace {

// Protocol buffers by hand, so that the reader is not tested against the writer's own idea of them alone.
std::string varint(std::uint64_t value) {
  std::string out;
  for (; value > 127; value >>= 7) out += static_cast<char>((value & 127) | 128);
  return out + static_cast<char>(value);
}
std::string field(int number, const std::string& content) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(content.size()) + content;
}
template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}
std::string eventBytes(std::int64_t step, const std::vector<std::string>& values) {
  std::string summary;
  for (const auto& value : values) summary += field(1, value);
  return "\x09" + raw(1700.5) + "\x10" + varint(static_cast<std::uint64_t>(step)) + field(5, summary);
}
std::string scalarValue(const std::string& tag, float value) { return field(1, tag) + "\x15" + raw(value); }
std::string tensorValue(const std::string& tag, const std::string& tensor) { return field(1, tag) + field(8, tensor); }
std::string record(const std::string& data) {
  std::string out;
  appendTfRecord(out, data);
  return out;
}

std::vector<TraceFolder> opened(const fs::path& path) {
  auto folder = TraceFolder::open(path);
  std::vector<TraceFolder> one;
  if (folder.ok()) one.push_back(std::move(*folder));
  return one;
}

MetricsStore storeOf(const std::vector<EventRecord>& events) {
  MetricsStore store;
  for (const auto& each : events) store.apply(each);
  return store;
}

}  // namespace

class TestTraces : public QObject {
  Q_OBJECT
 private:
  std::unique_ptr<QTemporaryDir> dir_;
  fs::path path(const std::string& name) const { return fs::path(dir_->path().toStdString()) / name; }
  void put(const fs::path& file, const std::string& bytes, bool is_appended = false) const {
    fs::create_directories(file.parent_path());
    std::ofstream out(file, is_appended ? std::ios::binary | std::ios::app : std::ios::binary);
    out << bytes;
  }
  static Result<std::vector<TensorboardEvent>> readAll(const std::string& bytes) {
    TensorboardReader reader(std::as_bytes(std::span(bytes)), "input");
    return reader.poll();
  }

 private Q_SLOTS:
  void init() { dir_ = std::make_unique<QTemporaryDir>(); }

  void whatTheWriterWroteIsReadAgain() {
    Image8 image(5, 3, 90);
    fs::path file;
    {
      auto writer = TensorboardWriter::open(path("tb"), 1000);
      QVERIFY(writer.ok());
      file = (*writer)->path();
      QVERIFY((*writer)->startSession(7, 1001).ok());
      QVERIFY((*writer)->addScalar("loss", 0.25, 5'000'000'000, 1002.5).ok());
      QVERIFY((*writer)->addImage("samples", image, 8, 1003).ok());
    }
    auto reader = TensorboardReader::open(file);
    QVERIFY(reader.ok());
    const auto events = reader->poll();
    QVERIFY(events.ok());
    QCOMPARE(events->size(), std::size_t{4});
    QVERIFY((*events)[1].is_session_start);
    QCOMPARE((*events)[1].step, std::int64_t{7});
    QCOMPARE((*events)[2].scalars[0].tag, std::string("loss"));
    QCOMPARE((*events)[2].scalars[0].value, 0.25);
    QCOMPARE((*events)[2].step, std::int64_t{5'000'000'000});
    QCOMPARE((*events)[2].wall_time, 1002.5);
    const auto& found = (*events)[3].images.at(0);
    QCOMPARE(found.width, 5);
    const auto bytes = readFile(file, 1 << 20).value();
    const auto piece = bytes.substr(found.offset, found.size);
    const auto decoded = decodePng({reinterpret_cast<const std::uint8_t*>(piece.data()), piece.size()});
    QVERIFY(decoded.ok() && *decoded == image);
    QVERIFY(reader->poll()->empty());
    QCOMPARE(reader->numTornBytes(), std::uint64_t{0});
  }

  void bytesWrittenByHandAreRead() {
    const auto events =
        readAll(record(eventBytes(1, {scalarValue("a", 0.5F), scalarValue("b/c", -2)})) +
                record(eventBytes(2, {tensorValue("float", "\x08\x01" + field(4, raw(2.5F))),
                                      tensorValue("packed", "\x08\x01" + field(5, raw(3.5F))),
                                      tensorValue("double", "\x08\x02\x31" + raw(4.5)),
                                      tensorValue("int64", "\x08\x09" + field(10, varint(77))),
                                      tensorValue("half", "\x08\x13" + field(13, varint(0x3e00))),
                                      tensorValue("bfloat16", "\x08\x0e" + field(4, raw(std::uint16_t{0xc000}))),
                                      tensorValue("two numbers", "\x08\x01" + field(5, raw(1.0F) + raw(2.0F))),
                                      tensorValue("text", "\x08\x07" + field(8, "hello"))})));
    QVERIFY2(events.ok(), events.ok() ? "" : events.error().message.c_str());
    QCOMPARE((*events)[0].scalars[1].tag, std::string("b/c"));
    QCOMPARE((*events)[0].scalars[1].value, -2.0);
    QCOMPARE((*events)[0].wall_time, 1700.5);
    std::map<std::string, double> values;
    for (const auto& scalar : (*events)[1].scalars) values[scalar.tag] = scalar.value;
    const std::map<std::string, double> expected = {{"float", 2.5}, {"packed", 3.5}, {"double", 4.5},
                                                    {"int64", 77},  {"half", 1.5},   {"bfloat16", -2}};
    QVERIFY(values == expected);
  }

  void picturesOfBothKindsAreFoundWhereTheyAre() {
    const std::string png = "\x89PNG\r\n and so on";
    const auto bytes =
        record(eventBytes(3, {field(1, "old") + field(4, "\x08\x02\x10\x03" + field(4, png)),
                              tensorValue("new", "\x08\x07" + field(8, "3") + field(8, "2") + field(8, png))}));
    const auto events = readAll(bytes);
    QVERIFY(events.ok());
    const auto& images = (*events)[0].images;
    QCOMPARE(images.size(), std::size_t{2});
    for (const auto& image : images) {
      QCOMPARE(bytes.substr(image.offset, image.size), png);
      QCOMPARE(image.width, 3);
      QCOMPARE(image.height, 2);
    }
  }

  void damageNamesFileAndByte_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QByteArray>("message");
    const auto good = record(eventBytes(1, {scalarValue("loss", 1)}));
    const auto row = [](const char* name, const std::string& bytes, const std::string& message) {
      QTest::newRow(name) << QByteArray::fromStdString(bytes) << QByteArray::fromStdString(message);
    };
    auto bad_data = good + good;
    bad_data[bad_data.size() - 6] ^= 1;
    row("data", bad_data, "input: the record at byte " + std::to_string(good.size()) + " has data whose checksum");
    auto bad_length = good;
    bad_length[9] ^= 1;
    row("length", bad_length, "input: the record at byte 0 has a length whose checksum does not match");
    const std::string huge_head = raw(std::uint64_t{1} << 32);
    const auto huge = huge_head + raw(maskedCrc32c(std::as_bytes(std::span(huge_head)))) + std::string(40, 'x');
    row("4 GB", good + huge,
        "input: the record at byte " + std::to_string(good.size()) + " says it has 4294967296 bytes, more than");
    row("another kind of file", std::string(64, 'y'), "no TensorBoard event file");
    row("a field longer than the record", record("\x2a\x7f"), "has a field of 127 bytes where 0 are left");
    row("a number without end", record("\x10" + std::string(11, '\xff')), "a number of more than ten bytes");
    row("a group", record("\x0b\x0c"), "has a field of the unknown shape 3");
    row("a long tag", record(eventBytes(1, {scalarValue(std::string(2000, 't'), 1)})), "has a tag of 2000 bytes");
    std::string many;
    for (int i = 0; i < 70'000; ++i) many += "\x0a" + std::string(1, '\0');
    row("many values", record(field(5, many)), "has more than 65536 values");
  }
  void damageNamesFileAndByte() {
    QFETCH(QByteArray, bytes);
    QFETCH(QByteArray, message);
    const std::string text = bytes.toStdString();
    TensorboardReader reader(std::as_bytes(std::span(text)), "input");
    auto events = reader.poll();
    if (events.ok()) events = reader.poll();  // what is before the damage is handed out first
    QVERIFY(!events.ok());
    QVERIFY2(events.error().message.find(message.toStdString()) != std::string::npos, events.error().message.c_str());
    QVERIFY(events.error().message.starts_with("input: "));
    QVERIFY(!reader.poll().ok());  // and stays an error
  }

  void aRecordThatIsNotWholeYetIsWaitedFor() {
    const auto first = record(eventBytes(1, {scalarValue("loss", 1)})),
               second = record(eventBytes(2, {scalarValue("loss", 2)}));
    const auto file = path("events.out.tfevents.1.host");
    for (const std::size_t cut : {std::size_t{1}, std::size_t{11}, std::size_t{12}, second.size() - 1}) {
      put(file, first + second.substr(0, cut));
      auto reader = TensorboardReader::open(file);
      QVERIFY(reader.ok());
      QCOMPARE(reader->poll()->size(), std::size_t{1});
      QCOMPARE(reader->numTornBytes(), cut);
      QVERIFY(reader->poll()->empty());
      put(file, second.substr(cut), true);
      const auto rest = reader->poll();
      QVERIFY(rest.ok());
      QCOMPARE(rest->size(), std::size_t{1});
      QCOMPARE((*rest)[0].scalars[0].value, 2.0);
    }
    // A length of 200 MB that the file does not hold costs nothing: it is waited for.
    const std::string length = raw(std::uint64_t{200} << 20);
    put(file, length + raw(maskedCrc32c(std::as_bytes(std::span(length)))));
    auto reader = TensorboardReader::open(file);
    QVERIFY(reader->poll()->empty());
    // Shortened while it is followed.
    put(file, first + second);
    reader = TensorboardReader::open(file);
    QCOMPARE(reader->poll()->size(), std::size_t{2});
    put(file, "short");
    QVERIFY(reader->poll().error().message.find("the file was shortened") != std::string::npos);
  }

  void linesOfTheReferenceProgramsAreRead() {
    const auto sit =
        parseStepLine("[\033[34m2024-05-01 12:34:56\033[0m] (step=0000100) Train Loss: 0.8123, Train Steps/Sec: 3.21");
    QVERIFY(sit.has_value());
    QCOMPARE(sit->step, std::int64_t{100});
    QCOMPARE(sit->values.size(), std::size_t{2});
    QCOMPARE(sit->values[0].name, std::string("Train Loss"));
    QCOMPARE(sit->values[0].value, 0.8123);
    QCOMPARE(sit->values[1].name, std::string("Train Steps/Sec"));
    QVERIFY(sit->unix_seconds > 1.714e9 && sit->unix_seconds < 1.715e9);
    const auto rae = parseStepLine("[2025-10-01 00:00:00] [Epoch 3 | Step 1200] train/loss: 0.9012, train/lr: 2.0000");
    QVERIFY(rae && rae->style == StepLine::Style::kEpochStep);
    QCOMPARE(rae->step, std::int64_t{1200});
    QCOMPARE(rae->values[1].name, std::string("train/lr"));
    const auto epoch = parseStepLine("[Epoch 3] epoch/loss: 0.8");
    QVERIFY(epoch && epoch->step == -1);
    const auto odd =
        parseStepLine("(step=0000200/7000), Train Loss: nan, BS-1GPU: 32 Train Steps/Sec: 1.5, slurm_job_id: abc");
    QCOMPARE(odd->values.size(), std::size_t{3});
    QVERIFY(std::isnan(odd->values[0].value));
    QCOMPARE(odd->values[2].name, std::string("Train Steps/Sec"));
    for (const char* line :
         {"", "(step=", "(step=x) a: 1", "(step=3 a: 1", "(step=3)", "(step=3) words: more words",
          "(step=99999999999999999999) a: 1", "[Epoch ] a: 1", "[Epoch 1 | Step ] a: 1", "Training for 1400 epochs: 3"})
      QVERIFY2(!parseStepLine(line), line);
  }

  void aFolderOfSitBecomesARun() {
    put(path("exp/log.txt"),
        "[\033[34m2024-05-01 12:00:00\033[0m] Experiment directory created at results\n"
        "[\033[34m2024-05-01 12:00:10\033[0m] (step=0000100) Train Loss: 0.9, Train Steps/Sec: 3.0\n"
        "[\033[34m2024-05-01 12:00:20\033[0m] (step=0000200) Train Loss: 0.8, Train Steps/Sec: 3.0\n"
        "[\033[34m2024-05-01 12:00:30\033[0m] (step=0000300) Train L");
    put(path("exp/checkpoints/0000200.png"), "png");
    put(path("exp/checkpoints/latest.pt"), "pt");
    QVERIFY(hasTraces(path("exp")));
    auto folder = opened(path("exp"));
    QCOMPARE(folder.size(), std::size_t{1});
    auto events = folder[0].poll();
    auto store = storeOf(events);
    QCOMPARE(store.run()->run_name, std::string("exp"));
    const auto* loss = store.series("log.txt", "Train Loss");
    QVERIFY(loss);
    QCOMPARE(loss->size(), std::size_t{2});
    QCOMPARE(loss->y(1), 0.8);
    QVERIFY(!store.series("log.txt", "seconds_per_step"));  // nobody said so
    const auto* times = store.series("log.txt", "unix_seconds");
    QCOMPARE(times->y(1) - times->y(0), 10.0);
    QCOMPARE(store.samples("checkpoints", "picture").size(), std::size_t{1});
    QCOMPARE(store.samples("checkpoints", "picture")[0].event.step, std::int64_t{200});
    QCOMPARE(store.log().size(), std::size_t{1});
    QVERIFY(folder[0].description().find("log.txt as SiT, DiT and mf-rae write it, 1 picture") != std::string::npos);
    // It grows, is taken up again from step 200, and the steps since are void.
    put(path("exp/log.txt"), "oss: 0.7, Train Steps/Sec: 3.0\n(step=0000250) Train Loss: 0.75\n", true);
    for (const auto& each : folder[0].poll()) store.apply(each);
    QCOMPARE(loss->size(), std::size_t{3});
    QCOMPARE(loss->x(2), 250.0);
    QVERIFY(folder[0].poll().empty());
  }

  void aFolderOfEventFilesBecomesARun() {
    fs::path file;
    auto writer = TensorboardWriter::open(path("run/train"), 1000);
    for (int step = 1; step <= 5; ++step) {
      QVERIFY((*writer)->addScalar("loss", 1.0 / step, step * 10, 1000 + step).ok());
      QVERIFY((*writer)->addScalar("lr", 0.1, step * 10, 1000 + step).ok());
    }
    QVERIFY((*writer)->addScalar("val/acc", 0.5, 1, 1006).ok());  // counts epochs
    QVERIFY((*writer)->addImage("samples", Image8(4, 4, 9), 50, 1006).ok());
    put(path("run/eval/events.out.tfevents.9.host"), record(eventBytes(3, {scalarValue("fid", 7)})));
    auto folder = opened(path("run"));
    auto store = storeOf(folder[0].poll());
    QCOMPARE(store.series("train", "loss")->size(), std::size_t{5});
    QCOMPARE(store.series("train", "lr")->size(), std::size_t{5});
    QCOMPARE(store.series("train", "val/acc")->size(), std::size_t{1});
    QCOMPARE(store.series("train", "unix_seconds")->size(), std::size_t{5});  // not cut by the epochs
    QCOMPARE(store.series("eval", "fid")->y(0), 7.0);
    const auto& samples = store.samples("train", "samples");
    QCOMPARE(samples.size(), std::size_t{1});
    const auto piece = piecePath(samples[0].event.path);
    QVERIFY(piece.has_value());
    QVERIFY(readFile(path("run") / piece->file, 1 << 20)->substr(piece->offset, 4) == "\x89PNG");
    // A second session goes on from step 30.
    auto again = TensorboardWriter::open(path("run/train"), 2000);
    QVERIFY((*again)->startSession(30, 2000).ok());
    QVERIFY((*again)->addScalar("loss", 9, 30, 2001).ok());
    for (int i = 0; i < 30; ++i)
      for (const auto& each : folder[0].poll()) store.apply(each);
    QCOMPARE(store.series("train", "loss")->size(), std::size_t{3});
    QCOMPARE(store.series("train", "loss")->y(2), 9.0);
    QVERIFY(folder[0].problems().empty());
  }

  void aDamagedFileIsNamedAndTheOthersAreRead() {
    put(path("run/a/events.out.tfevents.1"), std::string(64, 'y'));
    put(path("run/b/events.out.tfevents.1"), record(eventBytes(1, {scalarValue("loss", 1)})));
    auto folder = opened(path("run"));
    const auto store = storeOf(folder[0].poll());
    QVERIFY(store.series("b", "loss"));
    QCOMPARE(folder[0].problems().size(), std::size_t{1});
    QVERIFY(folder[0].problems().begin()->second.find("a/events.out.tfevents.1: the record at byte 0") !=
            std::string::npos);
  }

  void whatHoldsNothingIsRefused() {
    fs::create_directories(path("empty/deep"));
    put(path("empty/notes.md"), "no");
    QVERIFY(!hasTraces(path("empty")));
    const auto refused = TraceFolder::open(path("empty"));
    QVERIFY(!refused.ok() && refused.error().message.find("no TensorBoard event file") != std::string::npos);
    QVERIFY(!TraceFolder::open(path("nowhere")).ok());
    QVERIFY(!piecePath("a/b.png") && !piecePath("a#b") && !piecePath("a#1+") && !piecePath("a#1+2x"));
    QCOMPARE(piecePath(toPath({"a#b.png", 5, 7}))->file, std::string("a#b.png"));
  }
};
STUDIO_TEST(TestTraces)
#include "tst_traces.moc"
