// SPDX-License-Identifier: Apache-2.0
#include "training/workers/worker.h"

#include <torch/torch.h>

#include <stdexcept>

#include "tests/support/studio_test.h"

using namespace meanflow;
using training::runWorkers;
using training::Worker;

namespace {

/// What every rank's `body` returned, in rank order.
std::vector<torch::Tensor> onEveryRank(int num_workers, const std::function<torch::Tensor(Worker&)>& body) {
  std::vector<torch::Tensor> results(num_workers);
  runWorkers(num_workers, torch::kCPU, [&](Worker& worker) { results[worker.rank()] = body(worker); });
  return results;
}

void forOneToThreeWorkers() {
  QTest::addColumn<int>("num_workers");
  for (const int n : {1, 2, 3}) QTest::newRow(qPrintable(QStringLiteral("%1 workers").arg(n))) << n;
}

}  // namespace

class TestWorkers : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyRankRunsOnceAndKnowsItsPlace_data() { forOneToThreeWorkers(); }
  void everyRankRunsOnceAndKnowsItsPlace() {
    QFETCH(const int, num_workers);
    const auto places = onEveryRank(num_workers, [](Worker& w) {
      return torch::tensor({w.rank(), w.size(), w.isLeader() ? 1 : 0});
    });
    for (int rank = 0; rank < num_workers; ++rank)
      QVERIFY(torch::equal(places[rank], torch::tensor({rank, num_workers, rank == 0 ? 1 : 0})));
  }

  void aSumOverRanksIsTheSumAndTheSameOnEveryRank_data() { forOneToThreeWorkers(); }
  void aSumOverRanksIsTheSumAndTheSameOnEveryRank() {
    QFETCH(const int, num_workers);
    torch::manual_seed(7);
    const auto parts = torch::randn({num_workers, 1000});
    const auto sums = onEveryRank(num_workers, [&](Worker& worker) {
      auto mine = parts[worker.rank()].clone();
      worker.allReduceSum(mine);
      return mine;
    });
    QVERIFY(torch::allclose(sums[0], parts.sum(0), 1e-6, 1e-6));
    for (const auto& sum : sums) QVERIFY2(torch::equal(sum, sums[0]), "ranks disagree in the last bits");
  }

  void aBroadcastGivesEveryRankTheRootsValues_data() { forOneToThreeWorkers(); }
  void aBroadcastGivesEveryRankTheRootsValues() {
    QFETCH(const int, num_workers);
    for (int root = 0; root < num_workers; ++root) {
      const auto received = onEveryRank(num_workers, [root](Worker& worker) {
        auto mine = torch::full({2, 3}, 10 + worker.rank(), torch::kInt64);
        worker.broadcast(mine, root);
        return mine;
      });
      for (const auto& tensor : received) QVERIFY(torch::equal(tensor, torch::full({2, 3}, 10 + root, torch::kInt64)));
    }
  }

  void unequalRowsAreGatheredInRankOrder_data() { forOneToThreeWorkers(); }
  void unequalRowsAreGatheredInRankOrder() {
    QFETCH(const int, num_workers);
    // Rank r holds 2 r + 1 rows whose entries say r, and in a second round r rows, so that rank 0 holds none.
    for (const int extra : {1, 0}) {
      if (extra == 0 && num_workers == 1) continue;
      const auto rowsOf = [&](int rank) {
        return torch::full({extra ? 2 * rank + 1 : rank, 4}, rank, torch::kFloat32);
      };
      std::vector<torch::Tensor> expected;
      for (int rank = 0; rank < num_workers; ++rank) expected.push_back(rowsOf(rank));
      const auto gathered =
          onEveryRank(num_workers, [&](Worker& worker) { return worker.allGatherRows(rowsOf(worker.rank())); });
      for (const auto& rows : gathered) QVERIFY(torch::equal(rows, torch::cat(expected)));
    }
  }

  void anExceptionOfOneRankReleasesTheOthersAndIsTheOneRethrown_data() {
    QTest::addColumn<int>("num_workers");
    QTest::addColumn<int>("failing");
    QTest::newRow("alone") << 1 << 0;
    QTest::newRow("the leader of two") << 2 << 0;
    QTest::newRow("the second of two") << 2 << 1;
    QTest::newRow("the leader of three") << 3 << 0;
    QTest::newRow("the last of three") << 3 << 2;
  }
  void anExceptionOfOneRankReleasesTheOthersAndIsTheOneRethrown() {
    QFETCH(const int, num_workers);
    QFETCH(const int, failing);
    try {
      runWorkers(num_workers, torch::kCPU, [&](Worker& worker) {
        worker.barrier();
        if (worker.rank() == failing) throw std::out_of_range("the cause");
        auto never_summed = torch::ones({8});
        worker.allReduceSum(never_summed);
      });
      QFAIL("nothing was thrown");
    } catch (const std::out_of_range& error) {
      QCOMPARE(std::string(error.what()), std::string("the cause"));
    }
  }

  /// Closing connections alone released the others almost always, and now and then ended the process by SIGPIPE.
  void everyOneOfManyFailuresIsReported() {
    for (int trial = 0; trial < 60; ++trial) {
      const int failing = trial % 3;
      QVERIFY_THROWS_EXCEPTION(std::out_of_range, runWorkers(3, torch::kCPU, [&](Worker& worker) {
                                 auto sum = torch::ones({100'000});
                                 for (int i = 0; i < trial % 4; ++i) worker.allReduceSum(sum);
                                 if (worker.rank() == failing) throw std::out_of_range("the cause");
                                 worker.allReduceSum(sum);
                                 worker.allReduceSum(sum);
                               }));
    }
  }

  void sharesCoverEverythingOnceInOrderAndDifferByOneAtMost_data() { forOneToThreeWorkers(); }
  void sharesCoverEverythingOnceInOrderAndDifferByOneAtMost() {
    QFETCH(const int, num_workers);
    for (const std::int64_t total : {0, 1, 2, 5, 7, 64, 1000}) {
      const auto shares = onEveryRank(num_workers, [&](Worker& worker) {
        const auto [begin, end] = worker.share(total);
        return torch::tensor({begin, end});
      });
      std::int64_t at = 0;
      for (const auto& share : shares) {
        const auto begin = share[0].item<std::int64_t>(), end = share[1].item<std::int64_t>();
        QCOMPARE(begin, at);
        QVERIFY(end - begin >= total / num_workers && end - begin <= (total + num_workers - 1) / num_workers);
        at = end;
      }
      QCOMPARE(at, total);
    }
  }

  void aConfiguredNumberOfWorkersIsTakenAsItIs() {
    QCOMPARE(training::resolveNumWorkers(3, torch::kCPU), 3);
    QVERIFY(training::resolveNumWorkers(0, torch::kCPU) >= 1);
  }
};
STUDIO_TEST(TestWorkers)
#include "tst_workers.moc"
