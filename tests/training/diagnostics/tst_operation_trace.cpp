// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <torch/torch.h>

#include <QTest>
#include <cmath>
#include <set>

#include "core/device/device.h"
#include "tests/core/models/tiny_ddt.h"
#include "tests/support/studio_test.h"
#include "training/diagnostics/operation_trace.h"

using namespace meanflow;

namespace {

/// While it lives, memory that nobody has written to holds 3.4e38 where it is fresh and rubbish where it was in use.
class DirtyMemory {
 public:
  DirtyMemory() { mallopt(M_PERTURB, 0x80); }
  ~DirtyMemory() { mallopt(M_PERTURB, 0); }
};

/// Products, maxima and sums that write into tensors of another shape and order than their own.
void computeIntoGivenTensors() {
  const auto a = torch::ones({3, 4}), b = torch::ones({4, 5});
  auto transposed = torch::empty({5, 3}).t();
  torch::mm_out(transposed, a, b);
  auto resized = torch::empty({0});
  torch::addmm_out(resized, torch::ones({5}), a, b);
  auto strided = torch::empty({0});
  torch::add_out(strided, a.t(), a.t());
  auto largest = torch::empty({0});
  torch::amax_out(largest, a, {1});
  (void)torch::logsumexp(a.t(), 1);
  auto viewed = torch::empty({3, 4});
  viewed.t_().unsqueeze_(0).squeeze_(0).transpose_(0, 1);
  viewed.as_strided_({2, 2}, {1, 2}).fill_(1);
}

}  // namespace

class TestOperationTrace : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void memoryThatIsNotFilledYetIsNoResult_data() {
    QTest::addColumn<int>("which");
    QTest::newRow("linear") << 0;
    QTest::newRow("given tensors") << 1;
    QTest::newRow("network, both ways") << 2;
    QTest::newRow("network, strided input") << 3;
  }
  void memoryThatIsNotFilledYetIsNoResult() {
    QFETCH(const int, which);
    core::initialiseTorch();
    torch::manual_seed(1);
    const auto z = torch::randn({2, 6, 4, 4});
    const auto strided = z.contiguous(torch::MemoryFormat::ChannelsLast);
    const auto r = torch::tensor({0.1, 0.3}), t = torch::tensor({0.6, 0.9});
    const auto y = torch::tensor({0, 3}, torch::kInt64);
    core::DiTwDDTHead student(testing::tinyDdt(true));
    testing::randomise(*student, 0.1);
    std::vector<training::TracedOperation> operations;
    {
      const DirtyMemory dirty;
      const training::OperationTrace trace;
      if (which == 0) (void)torch::linear(torch::ones({3, 4}), torch::ones({5, 4}), torch::ones({5}));
      if (which == 1) computeIntoGivenTensors();
      if (which >= 2) (student->averageVelocity(which == 2 ? z : strided, r, t, y) - z).pow(2).mean().backward();
      operations = trace.operations();
    }
    QVERIFY(!operations.empty());
    for (const auto& operation : operations)
      QVERIFY2(operation.max_abs <= 1e6,
               qPrintable(QString("%1 %2").arg(operation.name.c_str()).arg(operation.max_abs)));
  }

  void whatComputesIsKeptAndNothingElse() {
    const auto a = torch::ones({3, 4});
    std::set<std::string> names;
    {
      const training::OperationTrace trace;
      auto b = a.mul(a);
      b.mul_(a).t_();
      b.copy_(a.t());
      b.t().view({-1}).zero_();
      for (const auto& operation : trace.operations()) names.insert(operation.name);
    }
    QCOMPARE(names, (std::set<std::string>{"aten::copy_", "aten::mul", "aten::mul_", "aten::zero_"}));
  }

  void infinitiesThatAreConstantsAreNoResultButTheirsAre() {
    const auto a = torch::ones({3, 4}), minus_infinity = torch::full({3, 4}, -INFINITY);
    {
      const training::OperationTrace trace;
      (void)torch::isfinite(a);
      (void)torch::logsumexp(a, 1);
      for (const auto& operation : trace.operations()) QVERIFY2(operation.isFinite(), operation.name.c_str());
    }
    const training::OperationTrace trace;
    (void)torch::add(a, minus_infinity);
    QVERIFY(!trace.operations().empty() && !trace.operations().back().isFinite());
  }
};

STUDIO_TEST(TestOperationTrace)
#include "tst_operation_trace.moc"
