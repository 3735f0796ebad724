// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <numeric>

#include "core/flow/noise.h"
#include "core/flow/spherical_mix.h"
#include "core/objectives/draws.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

class TestNoise : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void reproducesThePublishedPhiloxVectors() {
    using Words = std::array<std::uint32_t, 4>;
    constexpr std::uint32_t kOnes = 0xffffffff;
    QVERIFY((philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    QVERIFY((philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
             Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    QVERIFY((philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
             Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  }

  void theWayBetweenTwoNoisesStaysOnTheSphere() {
    const auto a = noise(7, Stream::kSampleNoise, 0, 1, {8, 16, 16});
    const auto b = noise(8, Stream::kSampleNoise, 0, 1, {8, 16, 16});
    const auto shares = torch::tensor({0.0, 0.25, 0.5, 0.75, 1.0}, torch::kFloat64);
    const auto way = sphericalMix(a.expand({5, 8, 16, 16}), b.expand({5, 8, 16, 16}), shares);
    QVERIFY(torch::equal(way[0], a[0]));
    QVERIFY(torch::equal(way[4], b[0]));
    const auto norms = way.flatten(1).norm(2, 1);
    const double low = std::min(norms[0].item<double>(), norms[4].item<double>());
    const double high = std::max(norms[0].item<double>(), norms[4].item<double>());
    for (int k = 1; k < 4; ++k) {
      QVERIFY(norms[k].item<double>() > 0.98 * low);
      QVERIFY(norms[k].item<double>() < 1.02 * high);
    }
    // The angle from the start grows evenly.
    const auto angle = [&](int i, int j) {
      const auto cosine = (way[i] * way[j]).sum() / (way[i].norm() * way[j].norm());
      return std::acos(cosine.item<double>());
    };
    QVERIFY(std::abs(angle(0, 1) - angle(0, 4) / 4) < 0.01);
    // On a circle the points are known: half way from (1, 0) to (0, 1).
    const auto half = sphericalMix(torch::tensor({{1.0, 0.0}}), torch::tensor({{0.0, 1.0}}), torch::tensor({0.5}));
    QVERIFY(torch::allclose(half, torch::full({1, 2}, std::sqrt(0.5), torch::kFloat64).to(half.scalar_type())));
    // Equal ends: no angle to divide by.
    QVERIFY(torch::allclose(sphericalMix(a, a, torch::tensor({0.3})), a));
    QVERIFY_THROWS_EXCEPTION(c10::Error, sphericalMix(a, b, torch::tensor({0.3, 0.4})));
  }

  void isBitIdenticalWhateverTheBatch() {
    const auto all = noise(7, Stream::kSampleNoise, 100, 9, {3, 5, 5});
    const auto tail = noise(7, Stream::kSampleNoise, 104, 5, {3, 5, 5});
    QVERIFY(torch::equal(all.narrow(0, 4, 5), tail));
    const std::array<std::uint64_t, 2> picked = {107, 101};
    QVERIFY(
        torch::equal(noise(7, Stream::kSampleNoise, picked, {3, 5, 5}), all.index_select(0, torch::tensor({7, 1}))));
  }

  void differsBetweenSeedsStreamsAndIndices() {
    const auto reference = noise(7, Stream::kEps, 0, 1, {64});
    QVERIFY(!torch::equal(reference, noise(8, Stream::kEps, 0, 1, {64})));
    QVERIFY(!torch::equal(reference, noise(7, Stream::kSampleNoise, 0, 1, {64})));
    QVERIFY(!torch::equal(reference, noise(7, Stream::kEps, 1, 1, {64})));
    QVERIFY(!torch::equal(reference, noise(7, Stream::kEps, std::uint64_t{1} << 32, 1, {64})));
  }

  void hasTheMomentsOfAStandardNormal() {
    const auto x = noise(1, Stream::kEps, 0, 1000, {1000}).to(torch::kFloat64);
    // Five standard deviations of each estimate from 10^6 draws.
    QVERIFY(std::abs(x.mean().item<double>()) < 5e-3);
    QVERIFY(std::abs(x.square().mean().item<double>() - 1) < 5 * std::sqrt(2.0) * 1e-3);
    QVERIFY(std::abs(x.pow(4).mean().item<double>() - 3) < 5 * std::sqrt(96.0) * 1e-3);
    const auto neighbours = (x.slice(1, 0, 999) * x.slice(1, 1, 1000)).mean().item<double>();
    QVERIFY(std::abs(neighbours) < 5e-3);
    QVERIFY(x.isfinite().all().item<bool>());
  }

  void givesTheSameGlobalDrawsHoweverTheyAreSplit() {
    const DrawNeeds needs{.times_per_sample = 2, .mask = true, .pair_list_size = 120, .network_label_copies = 3};
    std::vector<std::int64_t> positions(8);
    std::iota(positions.begin(), positions.end(), 0);
    const auto whole = drawFor(needs, 5, 41, positions, {2, 3, 3});
    const auto first = drawFor(needs, 5, 41, std::span(positions).first(3), {2, 3, 3});
    const auto second = drawFor(needs, 5, 41, std::span(positions).last(5), {2, 3, 3});
    const auto joined = [](const torch::Tensor& a, const torch::Tensor& b) { return torch::cat({a, b}); };
    QVERIFY(torch::equal(whole.eps, joined(first.eps, second.eps)));
    QVERIFY(torch::equal(whole.label_uniforms, joined(first.label_uniforms, second.label_uniforms)));
    QVERIFY(torch::equal(whole.time_uniforms, joined(first.time_uniforms, second.time_uniforms)));
    QVERIFY(torch::equal(whole.mask_uniforms, joined(first.mask_uniforms, second.mask_uniforms)));
    QVERIFY(torch::equal(whole.pair_indices, joined(first.pair_indices, second.pair_indices)));
    const auto copies = [](const Draws& draws) { return draws.network_label_uniforms.view({3, -1}); };
    QVERIFY(torch::equal(copies(whole), torch::cat({copies(first), copies(second)}, 1)));
    QVERIFY(!torch::equal(whole.eps, drawFor(needs, 5, 42, positions, {2, 3, 3}).eps));
  }

  void drawsPairsOverTheWholeList() {
    std::vector<std::int64_t> positions(4000);
    std::iota(positions.begin(), positions.end(), 0);
    const auto indices =
        drawFor({.labels = false, .eps = false, .pair_list_size = 10}, 3, 0, positions, {}).pair_indices;
    const auto counts = indices.bincount({}, 10);
    QCOMPARE(counts.size(0), std::int64_t{10});
    QVERIFY(counts.min().item<std::int64_t>() > 300 && counts.max().item<std::int64_t>() < 500);
  }

  void replacesLabelsBelowTheRate() {
    const auto y = torch::tensor({4, 5, 6}, torch::kInt64);
    const auto dropped = dropLabels(y, torch::tensor({0.09F, 0.1F, 0.5F}), 0.1, 10);
    QVERIFY(torch::equal(dropped, torch::tensor({10, 5, 6}, torch::kInt64)));
    QVERIFY(torch::equal(dropLabels(y, {}, 0, 10), y));
    QVERIFY_EXCEPTION_THROWN(dropLabels(y, {}, 0.1, 10), c10::Error);
  }
};
STUDIO_TEST(TestNoise)
#include "tst_noise.moc"
