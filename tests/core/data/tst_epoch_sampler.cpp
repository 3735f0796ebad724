// SPDX-License-Identifier: Apache-2.0
#include "core/data/epoch_sampler.h"

#include <c10/util/Exception.h>

#include <algorithm>

#include "tests/support/studio_test.h"

using meanflow::core::EpochSampler;

class TestEpochSampler : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void visitsEverySampleOncePerPass() {
    EpochSampler sampler(100, 7, 5);  // 7 does not divide 100: batches reach into the next pass
    std::vector<std::int64_t> visited;
    for (std::int64_t step = 0; step < 100; ++step) {
      for (const auto index : sampler.batch(step)) visited.push_back(index);
    }
    QCOMPARE(visited.size(), std::size_t{700});
    std::vector<std::vector<std::int64_t>> passes;
    for (int pass = 0; pass < 7; ++pass) {
      passes.emplace_back(visited.begin() + 100 * pass, visited.begin() + 100 * (pass + 1));
      auto sorted = passes.back();
      std::sort(sorted.begin(), sorted.end());
      for (std::int64_t i = 0; i < 100; ++i) QCOMPARE(sorted[static_cast<std::size_t>(i)], i);
    }
    QVERIFY(passes[0] != passes[1]);
  }

  void globalBatchesDoNotDependOnTheNumberOfWorkers() {
    EpochSampler sampler(50, 10, 9);
    for (std::int64_t step = 0; step < 12; ++step) {
      const auto whole = sampler.batch(step);
      for (const std::int64_t num_workers : {1, 2, 4}) {
        std::vector<std::int64_t> joined;
        for (std::int64_t rank = 0; rank < num_workers; ++rank) {
          EpochSampler own(50, 10, 9);
          const auto part = own.batch(step, rank, num_workers);
          QVERIFY(part.size() >= static_cast<std::size_t>(10 / num_workers));
          joined.insert(joined.end(), part.begin(), part.end());
        }
        QCOMPARE(joined, whole);
      }
    }
  }

  void aStepIsTheSameWhenReachedDirectly() {
    EpochSampler walked(30, 8, 1), direct(30, 8, 1), other_seed(30, 8, 2);
    std::vector<std::int64_t> last;
    for (std::int64_t step = 0; step <= 40; ++step) last = walked.batch(step);
    QCOMPARE(direct.batch(40), last);
    QVERIFY(other_seed.batch(40) != last);
    QCOMPARE(direct.epoch(40), std::int64_t{10});
  }

  void aBatchMayBeLargerThanTheData() {
    EpochSampler sampler(3, 10, 4);
    auto batch = sampler.batch(0);
    std::sort(batch.begin(), batch.begin() + 9);
    QCOMPARE(batch.front(), std::int64_t{0});
    QCOMPARE(batch[8], std::int64_t{2});
    QVERIFY_THROWS_EXCEPTION(c10::Error, EpochSampler(0, 1, 1));
    QVERIFY_THROWS_EXCEPTION(c10::Error, sampler.batch(0, 2, 2));
  }
};
STUDIO_TEST(TestEpochSampler)
#include "tst_epoch_sampler.moc"
