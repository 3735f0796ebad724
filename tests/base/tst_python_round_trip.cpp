// SPDX-License-Identifier: Apache-2.0
//
// Files from Python and for Python, bit for bit, with the very libraries LibTorch comes with (packaging/setup).
#include <QProcess>
#include <QTemporaryDir>
#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/base/formats/numpy_file.h"
#include "core/base/formats/pt_writer.h"
#include "core/base/formats/safetensors.h"
#include "core/base/formats/tensor_source.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;
namespace fs = std::filesystem;

namespace {

/// Runs python_round_trip.py; its whole output.
QByteArray runPython(const QString& mode, const QString& folder, bool& is_ok) {
  QProcess process;
  process.setProcessChannelMode(QProcess::MergedChannels);
  process.start(STUDIO_PYTHON, {QString::fromStdString(meanflow::testing::testsFolder()) + "/base/python_round_trip.py",
                                mode, folder});
  is_ok = process.waitForStarted() && process.waitForFinished(280'000) &&
          process.exitStatus() == QProcess::NormalExit && process.exitCode() == 0;
  return process.readAll() + (is_ok ? "" : "\n(" STUDIO_PYTHON ": " + process.errorString().toUtf8() + ")");
}

std::vector<std::byte> read(TensorSource& source, std::size_t i) {
  std::vector<std::byte> bytes(source.entries()[i].num_bytes);
  source.read(i, bytes).value();
  return bytes;
}

}  // namespace

class TestPythonRoundTrip : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  std::string path(const std::string& name) const {
    return folder_.filePath(QString::fromStdString(name)).toStdString();
  }

  /// Every tensor of `file` below `prefix` equals the one of `expected` below `expected_prefix`; the number compared,
  /// or -1.
  int compare(const std::string& file, const std::string& prefix, const std::string& expected,
              const std::string& expected_prefix) {
    auto source = openTensorSource(path(file)).value();
    const auto reference = SafetensorsFile::open(path(expected)).value();
    int num_compared = 0;
    for (std::size_t i = 0; i < source->entries().size(); ++i) {
      const auto& entry = source->entries()[i];
      if (!entry.name.starts_with(prefix)) continue;
      const auto* wanted = reference.find(expected_prefix + entry.name.substr(prefix.size()));
      if (wanted == nullptr) continue;
      const auto bytes = read(*source, i);
      const bool is_equal = wanted->dtype == entry.dtype && wanted->shape == entry.shape &&
                            wanted->bytes.size() == bytes.size() &&
                            std::equal(bytes.begin(), bytes.end(), wanted->bytes.begin());
      if (!is_equal) return qWarning("%s: %s differs", file.c_str(), entry.name.c_str()), -1;
      ++num_compared;
    }
    return num_compared;
  }

 private Q_SLOTS:
  void initTestCase() {
    bool is_ok = false;
    const auto output = runPython("write", folder_.path(), is_ok);
    QVERIFY2(is_ok, output.constData());
  }

  void everyLayoutOfTorchSaveOpensBitForBit_data() {
    QTest::addColumn<QString>("file");
    for (const auto* file : {"zip_2.pt", "zip_3.pt", "zip_4.pt", "zip_5.pt", "stream_2.pt", "stream_3.pt",
                             "stream_4.pt", "stream_5.pt", "no_checksums.pt", "parameters.pt", "sharded",
                             "sharded/model.safetensors.index.json", "expected.safetensors"})
      QTest::newRow(file) << file;
  }
  void everyLayoutOfTorchSaveOpensBitForBit() {
    QFETCH(QString, file);
    const auto num_expected = static_cast<int>(SafetensorsFile::open(path("expected.safetensors"))->tensors().size());
    QVERIFY(num_expected > 25);
    QCOMPARE(compare(file.toStdString(), "", "expected.safetensors", ""), num_expected);
    QCOMPARE(static_cast<int>(openTensorSource(path(file.toStdString())).value()->entries().size()), num_expected);
  }
  void bytesOfABigEndianMachineAreSwapped() { QCOMPARE(compare("big_endian.pt", "", "expected.safetensors", ""), 11); }
  void numpyArraysOpenBitForBit() {
    for (const auto* file : {"stored.npz", "deflated.npz"}) {
      const auto num_expected = static_cast<int>(SafetensorsFile::open(path("expected.safetensors"))->tensors().size());
      QCOMPARE(compare(file, "", "expected.safetensors", ""),
               num_expected - 6);  // numpy lacks five 8-bit floats and bfloat16
      auto source = openTensorSource(path(file)).value();
      for (const auto& [name, like] : {std::pair{"fortran", "dtype.float64"}, {"big", "dtype.int32"}}) {
        const auto at = [&](std::string_view wanted) {
          const auto& entries = source->entries();
          return static_cast<std::size_t>(
              std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.name == wanted; }) -
              entries.begin());
        };
        QCOMPARE(source->entries().at(at(name)).shape, source->entries().at(at(like)).shape);
        QVERIFY2(read(*source, at(name)) == read(*source, at(like)), name);
      }
    }
    auto single = openTensorSource(path("single.npy")).value();
    const auto reference = SafetensorsFile::open(path("expected.safetensors")).value();
    QCOMPARE(single->entries().size(), std::size_t{1});
    QCOMPARE(single->entries()[0].name, std::string("single"));
    const auto bytes = read(*single, 0);
    QVERIFY(std::equal(bytes.begin(), bytes.end(), reference.find("permuted")->bytes.begin()));
  }
  void trainingFilesGiveTheirGroupsValuesAndObjects() {
    for (const auto* file : {"training.pt", "training_stream.pt"}) {
      for (const auto* group : {"model.", "ema."})
        QCOMPARE(compare(file, group, "training_expected.safetensors", "model."), 7);
      const auto source = openTensorSource(path(file)).value();
      QCOMPARE(source->groups(), (std::vector<std::string>{"model", "ema", "opt"}));
      const auto& entries = source->entries();
      QVERIFY(std::any_of(entries.begin(), entries.end(), [](const auto& e) {
        return e.name == "opt.state.0.exp_avg_sq" && e.shape == std::vector<std::int64_t>{4, 3};
      }));
      const std::map<std::string, std::string> values(source->values().begin(), source->values().end());
      QCOMPARE(values.at("train_steps"), std::string("77"));
      QCOMPARE(values.at("step"), std::string("5"));
      QCOMPARE(values.at("rate"), std::string("0.5"));
      QCOMPARE(values.at("args.model"), std::string("SiT-XL/2"));
      QCOMPARE(values.at("args.lr"), std::string("0.0001"));
      QCOMPARE(values.at("args.resume"), std::string("None"));
      QCOMPARE(values.at("args.sizes.1"), std::string("2"));
      QCOMPARE(values.at("opt.param_groups.0.betas.1"), std::string("0.999"));
      QCOMPARE(source->unreadable(), std::vector<std::string>{"'args': an object of class 'argparse.Namespace'"});
    }
  }

  void pythonReadsWhatIsWrittenHere() {
    const auto expected = SafetensorsFile::open(path("expected.safetensors")).value();
    PtItem::Dict model;
    std::vector<TensorToWrite> tensors;
    std::vector<TensorSpec> arrays;
    for (const auto& [name, view] : expected.tensors()) {
      model.push_back({name, TensorSpec{name, view.dtype, view.shape}});
      tensors.push_back({{name, view.dtype, view.shape}, view.bytes});
      if (view.dtype != "BF16" && !view.dtype.starts_with("F8")) arrays.push_back({name, view.dtype, view.shape});
    }
    const PtItem::Dict root = {{"model", model},
                               {"deep", PtItem::Dict{{"inner", model}, {"none", PtItem::Dict{}}}},
                               {"train_steps", std::int64_t{1} << 40},
                               {"rate", -0.25},
                               {"flag", true},
                               {"note", std::string("ü")}};
    auto pt = PtWriter::create(path("ours.pt"), root).value();
    for (int i = 0; i < 2; ++i)
      for (const auto& tensor : tensors) pt.append(tensor.bytes).value();
    pt.commit().value();
    auto npz = NpzWriter::create(path("ours.npz"), arrays).value();
    for (const auto& array : arrays) npz.append(expected.find(array.name)->bytes).value();
    npz.commit().value();
    writeSafetensors(path("ours.safetensors"), tensors, {{"format", "pt"}}).value();

    bool is_ok = false;
    const auto output = runPython("check", folder_.path(), is_ok);
    QVERIFY2(is_ok && output.trimmed().endsWith("equal"), output.constData());
    // And our own reader agrees with Python's.
    const auto num = static_cast<int>(expected.tensors().size());
    QCOMPARE(compare("ours.pt", "model.", "expected.safetensors", ""), num);
    QCOMPARE(compare("ours.pt", "deep.inner.", "expected.safetensors", ""), num);
    QCOMPARE(compare("ours.npz", "", "expected.safetensors", ""), static_cast<int>(arrays.size()));
  }
};
STUDIO_TEST(TestPythonRoundTrip)
#include "tst_python_round_trip.moc"
