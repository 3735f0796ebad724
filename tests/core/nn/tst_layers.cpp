// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTest>
#include <numbers>

#include "core/nn/ddt_block.h"
#include "core/nn/embeddings.h"
#include "core/nn/positions.h"
#include "tests/support/studio_test.h"

using namespace meanflow::core;

namespace {

double maxError(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

void randomise(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) parameter.copy_(torch::randn_like(parameter) * 0.3);
}

bool throwsWith(const std::function<void()>& f, const std::string& text) {
  try {
    f();
  } catch (const c10::Error& error) {
    return std::string(error.what()).find(text) != std::string::npos;
  }
  return false;
}

}  // namespace

class TestLayers : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() { torch::manual_seed(7); }

  void rmsNormIsTheFormula() {
    const auto x = torch::randn({3, 5, 8}, torch::kFloat64), weight = torch::randn({8}, torch::kFloat64);
    const auto expected = x / (x.square().mean(-1, true) + 1e-6).sqrt() * weight;
    QVERIFY(maxError(rmsNorm(x, weight), expected) < 1e-14);  // float64 stays float64
  }

  void rmsNormOfHalfPrecisionIsComputedInFloat32() {
    const auto x = (torch::randn({4, 512}) * 100).to(torch::kBFloat16);
    const auto weight = torch::ones({512}, torch::kBFloat16);
    const auto wide = x.to(torch::kFloat32);
    const auto expected = (wide * torch::rsqrt(wide.square().mean(-1, true) + 1e-6)).to(torch::kBFloat16);
    const auto actual = rmsNorm(x, weight);
    QCOMPARE(actual.scalar_type(), torch::kBFloat16);
    QVERIFY(torch::equal(actual, expected));
  }

  void sinCosPositionsPutTheColumnFirst() {
    const auto table = sinCosPositions(8, 3)[0];  // w_k = 1, 0.01
    const auto token = table[1 * 3 + 2];          // row 1, column 2
    const std::vector<double> expected = {std::sin(2.0), std::sin(0.02), std::cos(2.0), std::cos(0.02),
                                          std::sin(1.0), std::sin(0.01), std::cos(1.0), std::cos(0.01)};
    for (int i = 0; i < 8; ++i) QVERIFY(std::abs(token[i].item<double>() - expected[i]) < 1e-7);
  }

  void rotationKeepsNormsAndDependsOnDisplacementOnly() {
    RotaryEmbedding rope(16, 4);
    rope->to(torch::kFloat64);
    const auto factors = rope->factors(16);
    const auto q = torch::randn({16}, torch::kFloat64), k = torch::randn({16}, torch::kFloat64);
    // The same vector at every token: [1, N, 3, 1, d].
    const auto everywhere = [&](const torch::Tensor& v) { return v.view({1, 1, 1, 1, 16}).expand({1, 16, 3, 1, 16}); };
    const auto rotated_q = rotatePairs(everywhere(q).contiguous(), factors)[0];
    const auto rotated_k = rotatePairs(everywhere(k).contiguous(), factors)[0];
    QVERIFY(maxError(rotated_q.norm(2, -1), q.norm().expand({16, 3, 1})) < 1e-6);
    QVERIFY(torch::equal(rotated_q.select(1, 2)[3][0], q));  // values are not rotated, to the bit
    const auto product = [&](int a, int b) { return (rotated_q[a][0][0] * rotated_k[b][1][0]).sum().item<double>(); };
    // Token = 4 row + column: a shift of one row and one column is 5.
    QVERIFY(std::abs(product(0, 6) - product(5, 11)) < 1e-6);
    QVERIFY(std::abs(product(0, 6) - product(0, 9)) > 1e-3);  // another displacement is another product
  }

  void rotaryTableRepeatsRowsConsecutively() {
    RotaryEmbedding rope(8, 2);
    const auto once = rope->factors(4), twice = rope->factors(8);
    QVERIFY(torch::equal(twice[2], once[1]) && torch::equal(twice[3], once[1]));
    QVERIFY(throwsWith([&] { rope->factors(6); }, "6 tokens do not fit a table of 4"));
  }

  void swiGluWidthsAreThePublishedOnes() {
    QCOMPARE(swiGluWidth(1152, 4), 3072);
    QCOMPARE(swiGluWidth(2048, 4), 5461);
    QCOMPARE(swiGluWidth(768, 4), 2048);
    QCOMPARE(swiGluWidth(384, 4), 1024);
  }

  void attentionOfShortSequencesEqualsTheFusedKernel() {
    const auto q = torch::randn({2, 3, 16, 8}), k = torch::randn({2, 3, 16, 8}), v = torch::randn({2, 3, 16, 8});
    const auto expected = at::scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape({2, 16, 24});
    QVERIFY(maxError(attend(q, k, v), expected) < 1e-6);
    const auto long_q = torch::randn({1, 2, 48, 8});
    QCOMPARE(attend(long_q, long_q, long_q).sizes(), (at::IntArrayRef{1, 48, 16}));
  }

  void aBlockWithZeroModulationPassesItsInput() {
    DdtBlock block(DdtBlockOptions{.width = 16, .num_heads = 2});
    zeroModulation(block->adaLN_modulation);
    const auto x = torch::randn({2, 4, 16});
    QVERIFY(torch::equal(block(x, torch::randn({2, 16}), torch::Tensor{}), x));
  }

  void conditionRowsAreRepeatedConsecutively() {
    const auto rows = torch::arange(4, torch::kFloat32).view({1, 2, 2});
    const auto spread = spreadOverTokens(rows, 4);
    QVERIFY(torch::equal(spread[0].select(1, 0), torch::tensor({0.F, 0.F, 2.F, 2.F})));
    QVERIFY(throwsWith([&] { spreadOverTokens(rows, 5); }, "2 condition rows do not divide 5 tokens"));
  }

  void patchEmbeddingEqualsTheConvolution() {
    PatchEmbed embed(3, 2, 5);
    const auto image = torch::randn({2, 3, 6, 6});
    const auto expected = embed->proj(image).flatten(2).transpose(1, 2);
    QVERIFY(maxError(embed(patchify(image, 2)), expected) < 1e-5);
    const auto cells = torch::randn({2, 9, 12});
    // unpatchify reads (row, column, channel); patchify writes (channel, row, column).
    const auto back = patchify(unpatchify(cells, 2), 2).view({2, 9, 3, 2, 2}).permute({0, 1, 3, 4, 2}).flatten(2);
    QVERIFY(torch::equal(back, cells));
  }

  void timeFrequenciesAreFrozen() {
    FourierTimeEmbedding embedding(8);
    QVERIFY(!embedding->W.requires_grad());
    QCOMPARE(embedding->parameters().size(), std::size_t{5});
    // cos(2 pi t W) of t and -t agree and sin changes sign: only the sine half may distinguish them.
    const torch::NoGradGuard no_grad;
    embedding->mlp->ptr<torch::nn::LinearImpl>(0)->weight.slice(1, 0, 256).zero_();
    const auto t = torch::tensor({0.3F});
    QVERIFY(maxError(embedding(t), embedding(-t)) < 1e-6);
  }

  void blockGradientsMatchCentralDifferences() {
    DdtBlock block(DdtBlockOptions{.width = 16, .num_heads = 2, .use_qknorm = true});
    block->to(torch::kFloat64);
    randomise(*block);
    RotaryEmbedding rope(8, 2);
    rope->to(torch::kFloat64);
    const auto x = torch::randn({2, 4, 16}, torch::kFloat64), c = torch::randn({2, 16}, torch::kFloat64);
    const auto loss = [&] { return block(x, c, rope->factors(4)).square().sum(); };
    loss().backward();
    const double h = 1e-6;
    for (auto& entry : block->named_parameters()) {
      const torch::NoGradGuard no_grad;
      auto direction = torch::randn_like(entry.value());
      entry.value().add_(direction, h);
      const auto up = loss().item<double>();
      entry.value().add_(direction, -2 * h);
      const auto down = loss().item<double>();
      entry.value().add_(direction, h);
      const auto expected = (entry.value().grad() * direction).sum().item<double>();
      QVERIFY2(std::abs((up - down) / (2 * h) - expected) < 1e-5 * std::max(1.0, std::abs(expected)),
               entry.key().c_str());
    }
  }
};

STUDIO_TEST(TestLayers)
#include "tst_layers.moc"
