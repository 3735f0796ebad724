// SPDX-License-Identifier: Apache-2.0
#include "core/data/image_io.h"

#include "core/base/formats/png.h"

#include <png.h>

#include <QTemporaryDir>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <jpeglib.h>  // after cstdio, which it needs

#include "core/data/counter_random.h"
#include "tests/support/studio_test.h"

using namespace meanflow;
using base::Image8;

namespace {
Image8 smooth(int width, int height) {
  Image8 image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.at(x, y)[0] = static_cast<std::uint8_t>(4 * x);
      image.at(x, y)[1] = static_cast<std::uint8_t>(4 * y);
      image.at(x, y)[2] = 90;
    }
  }
  return image;
}
void writeJpeg(const std::string& path, const Image8& image) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  jpeg_stdio_dest(&info, file);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = const_cast<std::uint8_t*>(image.at(0, static_cast<int>(info.next_scanline)));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::fclose(file);
}
}  // namespace

class TestImageIo : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void pngReturnsTheSamePixels() {
    const auto image = smooth(33, 21);
    base::writePng(path("a.png"), image).value();
    QVERIFY(core::readImage(path("a.png")).value() == image);
  }

  void alphaIsDroppedNotBlended() {
    const std::uint8_t rgba[] = {200, 100, 50, 0, 200, 100, 50, 128};  // one invisible pixel, one half visible
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.width = 2;
    png.height = 1;
    png.format = PNG_FORMAT_RGBA;
    QVERIFY(png_image_write_to_file(&png, path("alpha.png").c_str(), 0, rgba, 0, nullptr));
    const auto image = core::readImage(path("alpha.png")).value();
    QCOMPARE(int{image.at(0, 0)[0]}, 200);
    QCOMPARE(int{image.at(1, 0)[2]}, 50);
  }

  void jpegIsReadCloseToItsSource() {
    const auto image = smooth(48, 40);
    writeJpeg(path("a.jpg"), image);
    const auto read = core::readImage(path("a.jpg")).value();
    QCOMPARE(read.width, 48);
    double error = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i) error += std::abs(int{image.pixels[i]} - read.pixels[i]);
    QVERIFY(error / static_cast<double>(image.pixels.size()) < 3);
    truncate("a.jpg");
    expectError("a.jpg", "damaged JPEG");
  }

  void errorsNameTheFileAndTheReason() {
    expectError("absent.png", "No such file");
    std::ofstream(path("text.png")) << "hello";
    expectError("text.png", "neither PNG nor JPEG (5 bytes)");
    Image8 noise(64, 64);
    core::CounterRandom random(1, 2, 3);
    for (auto& value : noise.pixels) value = static_cast<std::uint8_t>(random.below(256));
    base::writePng(path("cut.png"), noise).value();
    truncate("cut.png");
    expectError("cut.png", "damaged PNG");
    expectError("", "cannot read the image");  // the folder itself
    QVERIFY(!base::writePng(path("no/such/folder.png"), noise).ok());
  }

  void tensorsAreClampedAndTruncated() {
    auto x = torch::zeros({1, 3, 1, 4});
    x.index_put_({0, 0}, torch::tensor({{-0.5F, 0.9999F, 0.5F, 1.5F}}));
    const auto image = core::toImages(x).at(0);
    QCOMPARE(int{image.at(0, 0)[0]}, 0);
    QCOMPARE(int{image.at(1, 0)[0]}, 254);
    QCOMPARE(int{image.at(2, 0)[0]}, 127);
    QCOMPARE(int{image.at(3, 0)[0]}, 255);
    const auto picture = smooth(5, 3);
    QVERIFY(core::toImages(core::toTensor(picture).unsqueeze(0)).at(0) == picture);
  }

  void gridPutsEnlargedPicturesRowByRow() {
    const auto images = torch::arange(3, torch::kUInt8).mul(50).view({3, 1, 1, 1}).expand({3, 3, 2, 2});
    const auto grid = core::makeGrid(images, 2, 1, 2);
    QCOMPARE(grid.width, 9);
    QCOMPARE(grid.height, 9);
    QCOMPARE(int{grid.at(3, 3)[0]}, 0);
    QCOMPARE(int{grid.at(4, 0)[0]}, 255);  // the gap
    QCOMPARE(int{grid.at(5, 0)[0]}, 50);
    QCOMPARE(int{grid.at(0, 5)[0]}, 100);
    QCOMPARE(int{grid.at(8, 8)[0]}, 255);  // the empty cell
    const auto dense = core::makeGrid(images, 3);
    QCOMPARE(dense.width, 6);
    QCOMPARE(dense.height, 2);
    QVERIFY_THROWS_EXCEPTION(c10::Error, core::makeGrid(torch::zeros({2, 1, 4, 4}), 2));
  }

  void labelsStandLeftOfTheirRows() {
    const auto images = torch::full({4, 3, 32, 32}, 7, torch::kUInt8);
    const auto plain = core::makeGrid(images, 2);
    const auto page = core::makeLabelledGrid(images, 2, {"heart", "clock"}, "samples");
    QVERIFY(page.width > plain.width && page.height > plain.height);
    const int left = page.width - plain.width, top = page.height - plain.height;
    QCOMPARE(int{page.at(left, top)[0]}, 7);
    const auto hasInk = [&](int y_from, int y_to) {
      for (int y = y_from; y < y_to; ++y) {
        for (int x = 0; x < left; ++x) {
          if (page.at(x, y)[0] < 128) return true;
        }
      }
      return false;
    };
    QVERIFY(hasInk(0, top) && hasInk(top, top + 32) && hasInk(top + 32, top + 64));
  }

 private:
  std::string path(const std::string& name) const { return folder_.path().toStdString() + "/" + name; }
  void truncate(const std::string& name) const {
    std::filesystem::resize_file(path(name), std::filesystem::file_size(path(name)) / 2);
  }
  void expectError(const std::string& name, const std::string& part) const {
    const auto image = core::readImage(path(name));
    QVERIFY(!image.ok());
    const auto& message = image.error().message;
    QVERIFY2(message.find(part) != std::string::npos && message.find(name) != std::string::npos, message.c_str());
  }

  QTemporaryDir folder_;
};
STUDIO_TEST(TestImageIo)
#include "tst_image_io.moc"
