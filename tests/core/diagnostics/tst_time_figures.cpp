// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/time_figures.h"

#include <torch/torch.h>

#include <QTest>
#include <cmath>
#include <limits>

#include "core/flow/gaussian_flow.h"
#include "core/objectives/consistency_mid_training.h"
#include "core/objectives/flow_matching.h"
#include "core/objectives/mean_flow.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using namespace meanflow::core;

namespace {

const float kNone = std::nanf("");

LossTerms termsAt(const std::vector<float>& t, const std::vector<float>& r,
                  std::vector<std::pair<std::string, std::vector<float>>> figures) {
  LossTerms terms;
  terms.t = torch::tensor(t);
  if (!r.empty()) terms.r = torch::tensor(r);
  for (const auto& [name, values] : figures) terms.per_sample.emplace_back(name, torch::tensor(values));
  return terms;
}

/// Values of a figure; empty where it is not there.
std::vector<float> figureOf(const std::vector<base::BlockFigure>& figures, const std::string& name) {
  for (const auto& figure : figures)
    if (figure.name == name) return figure.values;
  return {};
}

bool isSame(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::isnan(a[i]) != std::isnan(b[i]) || (!std::isnan(a[i]) && std::abs(a[i] - b[i]) > 1e-6F)) return false;
  return true;
}

torch::Tensor perSample(const LossTerms& terms, const std::string& name) {
  for (const auto& [key, values] : terms.per_sample)
    if (key == name) return values;
  return {};
}
torch::Tensor rms(const torch::Tensor& a) { return a.flatten(1).square().mean(1).sqrt(); }

struct FigureBatch {
  torch::Tensor x, y;
  Draws draws;
};
FigureBatch figureBatch(const DrawNeeds& needs) {
  std::vector<std::int64_t> positions(12);
  for (std::int64_t i = 0; i < 12; ++i) positions[static_cast<std::size_t>(i)] = i;
  FigureBatch batch{.x = drawFor({}, 9, 0, positions, {2, 3, 3}).eps.to(torch::kFloat64),
                    .y = torch::zeros({12}, torch::kInt64),
                    .draws = drawFor(needs, 4, 0, positions, {2, 3, 3})};
  batch.draws.eps = batch.draws.eps.to(torch::kFloat64);
  return batch;
}

}  // namespace

class TestTimeFigures : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { torch::set_num_threads(1); }

  void everySampleCountsInItsBinOfTAndOfTheGap() {
    TimeFigures figures({.num_t_bins = 4, .num_gap_bins = 2});
    QVERIFY(figures.empty());
    figures.add(termsAt({0.1F, 0.3F, 0.4F, 1.0F}, {0.1F, 0.0F, 0.1F, 0.25F}, {{"loss", {1, 2, 4, 8}}}));
    figures.add(termsAt({0.26F, 0.25F}, {0.26F, 0.0F}, {{"loss", {6, 10}}}));  // 0.25 begins the second bin
    QVERIFY(!figures.empty());
    const auto event = figures.fetch();
    QVERIFY(isSame(event.t_edges, {0, 0.25F, 0.5F, 0.75F, 1}));
    QVERIFY(isSame(figureOf(event.by_t, "count"), {1, 4, 0, 1}));
    QVERIFY(isSame(figureOf(event.by_t, "loss"), {1, (2 + 4 + 6 + 10) / 4.0F, kNone, 8}));
    QVERIFY(isSame(event.gap_edges, {0, 0, 0.5F, 1}));
    QVERIFY(isSame(figureOf(event.by_gap, "count"), {2, 3, 1}));
    QVERIFY(isSame(figureOf(event.by_gap, "loss"), {(1 + 6) / 2.0F, (2 + 4 + 10) / 3.0F, 8}));
    QVERIFY(figureOf(event.by_t, "target").empty());  // no sample had one
  }

  void aSampleThatAFigureIsNotDefinedForDoesNotCount() {
    TimeFigures figures({.num_t_bins = 2, .num_gap_bins = 1});
    figures.add(termsAt({0.2F, 0.3F, 0.7F}, {0.2F, 0.1F, 0.7F}, {{"loss", {1, 3, 5}}, {"du_dt", {kNone, 4, kNone}}}));
    const auto event = figures.fetch();
    QVERIFY(isSame(figureOf(event.by_t, "du_dt"), {4, kNone}));
    QVERIFY(isSame(figureOf(event.by_t, "loss"), {2, 5}));
    QVERIFY(isSame(figureOf(event.by_gap, "du_dt"), {kNone, 4}));
  }

  void whatIsNotFiniteShowsWhereItHappened() {
    TimeFigures figures({.num_t_bins = 2});
    figures.add(termsAt({0.2F, 0.7F, 0.8F}, {}, {{"loss", {1, std::numeric_limits<float>::infinity(), 2}}}));
    const auto loss = figureOf(figures.fetch().by_t, "loss");
    QVERIFY(loss[0] == 1 && std::isinf(loss[1]));
  }

  void withoutIntervalsThereAreNoGaps() {
    TimeFigures figures;
    figures.add(termsAt({0.2F}, {}, {{"loss", {1}}}));
    const auto event = figures.fetch();
    QVERIFY(event.gap_edges.empty() && event.by_gap.empty());
    QCOMPARE(event.t_edges.size(), std::size_t(11));
    QCOMPARE(figureOf(event.by_t, "count").size(), std::size_t(10));
  }

  void fetchingStartsAnew() {
    TimeFigures figures;
    figures.add(termsAt({0.2F}, {0.1F}, {{"loss", {1}}}));
    figures.fetch();
    QVERIFY(figures.empty());
    figures.add(termsAt({0.25F}, {0.1F}, {{"loss", {7}}}));
    const auto event = figures.fetch();
    QCOMPARE(figureOf(event.by_t, "loss")[2], 7.0F);
    QCOMPARE(figureOf(event.by_t, "count")[2], 1.0F);
  }

  void ranksAddUp() {
    // One rank has nothing of its own: a small batch may leave it without samples.
    TimeFigures one({.num_t_bins = 2}), other({.num_t_bins = 2});
    one.add(termsAt({0.2F, 0.9F}, {}, {{"loss", {1, 4}}}));
    torch::Tensor sent;
    one.fetch([&](torch::Tensor& sums) { sent = sums.clone(); });
    const auto event = other.fetch([&](torch::Tensor& sums) { sums.add_(sent).add_(sent); });
    QVERIFY(isSame(figureOf(event.by_t, "count"), {2, 2}));
    QVERIFY(isSame(figureOf(event.by_t, "loss"), {1, 4}));
  }

  void anUnknownFigureIsRefused() {
    TimeFigures figures;
    QVERIFY_THROWS_EXCEPTION(c10::Error, figures.add(termsAt({0.2F}, {}, {{"losses", {1}}})));
    LossTerms without_times;
    without_times.per_sample.emplace_back("loss", torch::ones({3}));
    figures.add(without_times);  // an autoencoder's: nothing to sort by
    QVERIFY(figures.empty());
  }

  void objectivesGiveTheirOwnFigures() {
    const GaussianFlow flow{.mean = torch::full({1, 2, 1, 1}, 0.7, torch::kFloat64), .std = 0.5};
    const auto teacher = flow.velocityField();
    const FlowMap student = [&](const auto& z, const auto& r, const auto& t, const auto&) {
      return flow.averageVelocity(z, r, t) + 0.5;
    };
    MeanFlowOptions options;
    options.num_classes = 1;
    options.ratio_r_less_than_t = 0.5;
    for (const bool is_taught : {true, false}) {
      const MeanFlow objective(options, TimeSchedule::withShift(2),
                               is_taught ? VelocitySource::teacher(teacher) : VelocitySource::data());
      const auto b = figureBatch(objective.needs());
      const auto terms = objective.evaluate(student, b.x, b.y, b.draws);
      const auto target = objective.target(student, b.x, b.y, b.draws);
      QVERIFY(torch::allclose(perSample(terms, "loss"), terms.err_sq / 18));
      QVERIFY(torch::allclose(perSample(terms, "target"), rms(target.u_tgt)));
      QCOMPARE(perSample(terms, "teacher").defined(), is_taught);
      if (is_taught) QVERIFY(torch::allclose(perSample(terms, "teacher"), rms(target.w)));
      // u_tgt = w - (t - r) du/dt where r < t; nothing where r = t.
      const auto is_jump = terms.r < terms.t;
      QVERIFY(is_jump.any().item<bool>() && !is_jump.all().item<bool>());
      const auto du_dt = perSample(terms, "du_dt");
      QVERIFY(torch::equal(du_dt.isnan(), is_jump.logical_not()));
      const auto expected = rms((target.w - target.u_tgt) / likeImage(terms.t - terms.r));
      QVERIFY(torch::allclose(du_dt.masked_select(is_jump), expected.masked_select(is_jump), 1e-6));
    }

    const FlowMatching matching({.num_classes = 1, .label_dropout = 0}, TimeSchedule::withShift(2));
    const auto b = figureBatch(matching.needs());
    const auto matched = matching.evaluate(teacher, b.x, b.y, b.draws);
    QVERIFY(torch::allclose(perSample(matched, "loss"), matched.err_sq / 18));
    QVERIFY(torch::allclose(perSample(matched, "target"), rms(b.draws.eps - b.x)));

    const auto trajectories = makeTrajectories(teacher, b.draws.eps, b.y, TimeSchedule::withShift(2).grid(5));
    Draws pairs;
    pairs.pair_indices = torch::arange(0, trajectories.numPairs(), 7);
    const ConsistencyMidTraining mid_training({.num_classes = 1, .label_dropout = 0});
    const auto secants = selectPairs(trajectories, pairs.pair_indices, PairTimes::kSolver);
    const auto mid = mid_training.evaluate(student, trajectories, pairs);
    QVERIFY(torch::allclose(perSample(mid, "loss"), mid.err_sq / 18));
    QVERIFY(torch::allclose(perSample(mid, "target"), rms(secants.u_tgt)));
    TimeFigures figures;
    for (const auto& terms : {matched, mid}) figures.add(terms);  // every name is known
    QVERIFY(!figures.empty());
  }
};
STUDIO_TEST(TestTimeFigures)
#include "tst_time_figures.moc"
