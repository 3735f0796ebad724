// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/jump_map.h"

#include <torch/torch.h>

#include <QTest>
#include <cmath>

#include "core/flow/gaussian_flow.h"
#include "core/flow/noise.h"
#include "core/flow/ode_solver.h"
#include "core/flow/time_schedule.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

namespace {

GaussianFlow mapFlow() { return {.mean = torch::full({1, 2, 1, 1}, 0.7, torch::kFloat64), .std = 0.5}; }
torch::Tensor mapNoise(std::int64_t num) { return noise(3, Stream::kEps, 0, num, {2, 3, 3}).to(torch::kFloat64); }

JumpMap mapOf(std::int64_t num_steps, std::int64_t num_knots, std::int64_t num_paths = 5) {
  const auto grid = TimeSchedule::withShift(2).grid(num_steps + 1);
  return {mapFlow().velocityField(),
          mapNoise(num_paths),
          torch::zeros({num_paths}, torch::kInt64),
          grid,
          everyNth(num_steps + 1, num_steps / (num_knots - 1)),
          "fine"};
}

}  // namespace

class TestJumpMap : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }

  void everyNthPointAndTheLast() {
    QCOMPARE(everyNth(9, 4), (std::vector<std::int64_t>{0, 4, 8}));
    QCOMPARE(everyNth(9, 3), (std::vector<std::int64_t>{0, 3, 6, 8}));
    QCOMPARE(everyNth(2, 8), (std::vector<std::int64_t>{0, 1}));
  }

  void errorsAreThoseOfEveryJumpTakenAlone() {
    const auto flow = mapFlow();
    const FlowMap student = [&](const auto& z, const auto& r, const auto& t, const auto& y) {
      return 0.9 * flow.averageVelocity(z, r, t) + 0.1 * likeImage(y.to(torch::kFloat64));
    };
    const auto grid = TimeSchedule::withShift(2).grid(13);
    const auto y = torch::tensor({0, 1, 2}, torch::kInt64);
    const auto event = JumpMap(flow.velocityField(), mapNoise(3), y, grid, everyNth(13, 4), "path").measure(student);
    QCOMPARE(event.reference, std::string("path"));
    QCOMPARE(event.times.size(), std::size_t(4));
    QCOMPARE(event.errors.size(), std::size_t(16));
    const auto states = solveOde(flow.velocityField(), mapNoise(3), y, grid).states;
    for (std::size_t i = 0; i < 4; ++i) {
      QCOMPARE(event.times[i], static_cast<float>(grid[4 * i]));
      for (std::size_t j = 0; j < 4; ++j) {
        const float error = event.errors[i * 4 + j];
        if (j <= i) {
          QVERIFY(std::isnan(error));
          continue;
        }
        const auto &from = states[4 * i], &to = states[4 * j];
        const auto t = torch::full({3}, grid[4 * i], torch::kFloat64),
                   r = torch::full({3}, grid[4 * j], torch::kFloat64);
        const auto landed = from - likeImage(t - r) * student(from, r, t, y);
        const auto expected = ((landed - to).flatten(1).norm(2, 1) / to.flatten(1).norm(2, 1)).mean().item<double>();
        QVERIFY2(std::abs(error - expected) < 1e-6, qPrintable(QStringLiteral("%1 %2").arg(error).arg(expected)));
      }
    }
  }

  void theExactStudentsErrorIsThatOfTheSolver() {
    // Euler is of first order: with twice the steps half the error, everywhere on the map.
    const auto student = mapFlow().flowMap();
    const auto coarse = mapOf(64, 5).measure(student), fine = mapOf(128, 5).measure(student);
    QCOMPARE(coarse.times, fine.times);
    QCOMPARE(fine.reference, std::string("fine"));
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = i + 1; j < 5; ++j) {
        const double ratio = coarse.errors[i * 5 + j] / fine.errors[i * 5 + j];
        QVERIFY2(ratio > 1.7 && ratio < 2.3, qPrintable(QStringLiteral("%1 %2: %3").arg(i).arg(j).arg(ratio)));
        QVERIFY(fine.errors[i * 5 + j] < 0.02);
      }
  }

  void manyJumpsAreTakenInParts() {
    // 15 pairs of knots, 40 paths: 600 jumps, of which no call may see more than 128; the answer is that of each alone.
    std::int64_t num_calls = 0, largest = 0, total = 0;
    const FlowMap student = [&](const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                                const torch::Tensor&) {
      ++num_calls, largest = std::max(largest, z.size(0)), total += z.size(0);
      return 0.8 * mapFlow().averageVelocity(z, r, t);
    };
    const auto together = mapOf(20, 6, 40).measure(student);
    QCOMPARE(total, std::int64_t{600});
    QCOMPARE(num_calls, std::int64_t{5});
    QVERIFY(largest <= 128);
    double sum = 0;
    const auto grid = TimeSchedule::withShift(2).grid(21);
    for (std::int64_t path = 0; path < 40; ++path)
      sum += JumpMap(mapFlow().velocityField(), mapNoise(40).narrow(0, path, 1), torch::zeros({1}, torch::kInt64), grid,
                     everyNth(21, 4), "fine")
                 .measure(student)
                 .errors[2 * 6 + 5];
    QVERIFY(std::abs(sum / 40 - together.errors[2 * 6 + 5]) < 1e-6);
  }

  void aStudentThatIsNotFiniteIsInfinitelyFarOff() {
    const FlowMap student = [](const torch::Tensor& z, const torch::Tensor& r, const torch::Tensor& t,
                               const torch::Tensor&) {
      return torch::where(likeImage(t - r) > 0.5, torch::full_like(z, std::nan("")), torch::zeros_like(z));
    };
    const auto event = mapOf(8, 3).measure(student);
    QVERIFY(std::isinf(event.errors[2]));                                    // 1 -> the end
    QVERIFY(std::isfinite(event.errors[1]) && std::isnan(event.errors[3]));  // 1 -> 2/3; unused
  }
};
STUDIO_TEST(TestJumpMap)
#include "tst_jump_map.moc"
