// SPDX-License-Identifier: Apache-2.0
#include "core/data/resample.h"

#include <cstring>

#include "core/data/counter_random.h"
#include "tests/core/data/golden_tensors.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using base::Image8;
using core::ResampleFilter;

namespace {

Image8 noise(int width, int height) {
  Image8 image(width, height);
  core::CounterRandom random(3, 0, 0);
  for (auto& value : image.pixels) value = static_cast<std::uint8_t>(random.below(256));
  return image;
}

Image8 fromRows(const torch::Tensor& rows) {  // [H, W, 3]
  Image8 image(static_cast<int>(rows.size(1)), static_cast<int>(rows.size(0)));
  std::memcpy(image.pixels.data(), rows.contiguous().data_ptr(), image.pixels.size());
  return image;
}

constexpr ResampleFilter kFilters[] = {ResampleFilter::kBox, ResampleFilter::kBilinear, ResampleFilter::kBicubic,
                                       ResampleFilter::kLanczos};

}  // namespace

class TestResample : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void keepsAConstantImageConstant() {
    for (const auto filter : kFilters) {
      for (const int side : {5, 20, 31, 64}) {
        QCOMPARE(core::resample(Image8(20, 13, 137), side, side + 2, filter) == Image8(side, side + 2, 137), true);
      }
    }
  }

  void leavesAnImageOfTheSameSizeAlone() {
    const auto image = noise(11, 7);
    for (const auto filter : kFilters) QVERIFY(core::resample(image, 11, 7, filter) == image);
  }

  void boxByAWholeFactorIsTheMeanOfEachAxis() {
    const auto image = noise(8, 6);
    const auto wide = core::resample(image, 4, 6, ResampleFilter::kBox);
    for (int y = 0; y < 6; ++y) {
      for (int x = 0; x < 4; ++x) {
        const int sum = image.at(2 * x, y)[1] + image.at(2 * x + 1, y)[1];
        QCOMPARE(int{wide.at(x, y)[1]}, (sum + 1) / 2);
      }
    }
  }

  void bilinearEnlargementOfAStepHasQuarters() {
    Image8 step(2, 1);
    std::fill_n(step.at(1, 0), 3, std::uint8_t{200});
    const auto wide = core::resample(step, 4, 1, ResampleFilter::kBilinear);
    QCOMPARE(int{wide.at(0, 0)[0]}, 0);
    QCOMPARE(int{wide.at(1, 0)[0]}, 50);
    QCOMPARE(int{wide.at(2, 0)[0]}, 150);
    QCOMPARE(int{wide.at(3, 0)[0]}, 200);
  }

  void lanczosKeepsAStripePatternSharperThanBilinear() {
    Image8 stripes(40, 1);
    for (int x = 0; x < 40; ++x) std::fill_n(stripes.at(x, 0), 3, static_cast<std::uint8_t>(x / 4 % 2 ? 230 : 20));
    const auto contrast = [&](ResampleFilter filter) {
      const auto small = core::resample(stripes, 20, 1, filter);
      int low = 255, high = 0;
      for (int x = 4; x < 16; ++x) {
        low = std::min<int>(low, small.at(x, 0)[0]);
        high = std::max<int>(high, small.at(x, 0)[0]);
      }
      return high - low;
    };
    QVERIFY(contrast(ResampleFilter::kLanczos) > contrast(ResampleFilter::kBilinear) + 10);
  }

  void equalsPillowOnTheGoldenImages() {
    const auto tensors = testing::goldenTensors("preprocess", "io.safetensors");
    const auto info = testing::goldenCase("preprocess");
    int num_checked = 0;
    for (int i = 0; tensors.contains("in" + std::to_string(i)); ++i) {
      const std::string n = std::to_string(i);
      const auto image = fromRows(tensors.at("in" + n));
      const int size = info["config"]["case" + n]["size"].get<int>();
      QVERIFY2(core::centerCrop(image, size) == fromRows(tensors.at("adm_crop" + n)),
               qPrintable("adm_crop" + QString::fromStdString(n)));
      const auto equal = [&](const std::string& name, ResampleFilter filter) {
        const auto expected = fromRows(tensors.at(name));
        return core::resample(image, expected.width, expected.height, filter) == expected;
      };
      QVERIFY2(equal("box_half" + n, ResampleFilter::kBox), n.c_str());
      QVERIFY2(equal("pil_bicubic" + n, ResampleFilter::kBicubic), n.c_str());
      QVERIFY2(equal("pil_bilinear" + n, ResampleFilter::kBilinear), n.c_str());
      QVERIFY2(core::resizeShorterSide(image, size * 3 / 2) == fromRows(tensors.at("resize15_" + n)), n.c_str());
      ++num_checked;
    }
    QVERIFY(num_checked > 0);
  }

  void refusesEmptySizesAndWindowsOutside() {
    QVERIFY_THROWS_EXCEPTION(c10::Error, core::resample(Image8(4, 4), 0, 4, ResampleFilter::kBox));
    QVERIFY_THROWS_EXCEPTION(c10::Error, core::crop(Image8(4, 4), 2, 0, 3, 3));
  }
};
STUDIO_TEST(TestResample)
#include "tst_resample.moc"
