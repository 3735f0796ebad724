// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTemporaryDir>
#include <QTest>

#include "core/checkpoint/tensor_file.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

class TestTensorFile : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() { torch::manual_seed(7); }

  void savedTensorsComeBackBitForBit() {
    const QTemporaryDir folder;
    const auto path = folder.filePath("weights.safetensors").toStdString();
    const TensorMap tensors = {{"a.weight", torch::randn({3, 4}).t()},  // strides are straightened
                               {"half", torch::randn({5}).to(torch::kBFloat16)},
                               {"double", torch::randn({2, 2}, torch::kFloat64)},
                               {"labels", torch::arange(7)},
                               {"flags", torch::tensor({1, 0}, torch::kUInt8)},
                               {"scalar", torch::tensor(2.5F)},
                               {"empty", torch::empty({0, 3})}};
    saveTensors(path, tensors, {{"step", "12"}}).value();
    const auto file = loadTensorFile(path).value();
    QCOMPARE(file.metadata.at("step"), std::string("12"));
    QCOMPARE(file.tensors.size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
      const auto& loaded = file.tensors.at(name);
      QCOMPARE(loaded.scalar_type(), tensor.scalar_type());
      QVERIFY2(torch::equal(loaded, tensor), name.c_str());
    }
  }

  void aModuleComesBackFromItsFile() {
    const QTemporaryDir folder;
    const auto path = folder.filePath("model.safetensors").toStdString();
    torch::nn::Sequential saved(torch::nn::Linear(3, 4), torch::nn::BatchNorm1d(4));
    torch::nn::Sequential loaded(torch::nn::Linear(3, 4), torch::nn::BatchNorm1d(4));
    saved->forward(torch::randn({8, 3}));  // moves the running statistics: buffers count too
    saveTensors(path, namedState(*saved)).value();
    QVERIFY(loadInto(*loaded, loadTensors(path).value(), Strictness::kExact)->complete());
    for (const auto& [name, tensor] : namedState(*saved)) QVERIFY(torch::equal(tensor, namedState(*loaded).at(name)));
  }

  void aMismatchNamesEveryTensorAndChangesNothingWhenExact() {
    torch::nn::Linear target(3, 4);
    const auto before = target->weight.clone();
    const TensorMap source = {{"weight", torch::zeros({4, 2})}, {"gain", torch::zeros({1})}};
    const auto result = loadInto(*target, source, Strictness::kExact);
    QVERIFY(!result.ok());
    const auto& message = result.error().message;
    QVERIFY2(message.find("1 missing from the source: bias") != std::string::npos, message.c_str());
    QVERIFY2(message.find("1 unknown to the module: gain") != std::string::npos, message.c_str());
    QVERIFY2(message.find("weight: source [4, 2], module [4, 3]") != std::string::npos, message.c_str());
    QVERIFY(torch::equal(before, target->weight));
  }

  void aLenientLoadCopiesWhatFits() {
    torch::nn::Linear target(3, 4);
    const auto report = loadInto(*target, {{"bias", torch::ones({4})}}, Strictness::kLenient).value();
    QCOMPARE(report.missing, std::vector<std::string>{"weight"});
    QVERIFY(torch::equal(target->bias, torch::ones({4})));
    QVERIFY(target->bias.requires_grad());
  }

  void aMissingFileIsAnErrorWithItsName() {
    const auto result = loadTensors("/no/such/file.safetensors");
    QVERIFY(!result.ok());
    QVERIFY(result.error().message.find("/no/such/file.safetensors") != std::string::npos);
  }
};

STUDIO_TEST(TestTensorFile)
#include "tst_tensor_file.moc"
