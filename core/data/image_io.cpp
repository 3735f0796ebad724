// SPDX-License-Identifier: Apache-2.0
#include "core/data/image_io.h"

#include <png.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#ifdef STUDIO_OPENCV_IMGCODECS
#include <opencv2/imgcodecs.hpp>
#endif
#include <opencv2/imgproc.hpp>

#include <jpeglib.h>  // after cstdio, which it needs
// The error numbers of libjpeg; it includes nothing.
#include <jerror.h>

namespace meanflow::core {
namespace {

using base::Error;
using base::Image8;
using Bytes = std::vector<std::uint8_t>;

constexpr std::int64_t kMaxPixels = 1 << 28;  // a damaged header must not ask for all memory

base::Result<Image8> decodePng(const Bytes& bytes, const std::string& name) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const auto failure = [&] { return Error{fmt::format("{}: damaged PNG: {}", name, png.message)}; };
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) return failure();
  if (static_cast<std::int64_t>(png.width) * png.height > kMaxPixels) {
    png_image_free(&png);
    return Error{fmt::format("{}: PNG of {}x{} pixels is too large", name, png.width, png.height)};
  }
  png.format = PNG_FORMAT_RGBA;
  Bytes rgba(PNG_IMAGE_SIZE(png));
  if (!png_image_finish_read(&png, nullptr, rgba.data(), 0, nullptr)) return failure();
  Image8 image(static_cast<int>(png.width), static_cast<int>(png.height));
  for (std::size_t i = 0; i < image.pixels.size() / 3; ++i) std::copy_n(&rgba[4 * i], 3, &image.pixels[3 * i]);
  return image;
}

struct JpegErrors {
  jpeg_error_mgr manager;  // first member: libjpeg hands back a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void leaveJpeg(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

/// libjpeg only warns when a file ends early and fills the rest with grey; for training data that is an error.
void onJpegMessage(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) leaveJpeg(info);
}

/// Adobe's CMYK files store inverted ink: 255 means none.
void cmykRowToRgb(const std::uint8_t* cmyk, int width, bool inverted, std::uint8_t* rgb) {
  for (int x = 0; x < width; ++x) {
    const auto light = [&](int c) { return inverted ? cmyk[4 * x + c] : 255 - cmyk[4 * x + c]; };
    for (int c = 0; c < 3; ++c) rgb[3 * x + c] = static_cast<std::uint8_t>(light(c) * light(3) / 255);
  }
}

/// longjmp leaves this function, so it owns nothing with a destructor: `image` and `row` live in the caller.
bool decodeJpegInto(const Bytes& bytes, jpeg_decompress_struct& info, JpegErrors& errors, Image8& image, Bytes& row) {
  if (setjmp(errors.jump)) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes.data(), bytes.size());
  jpeg_read_header(&info, TRUE);
  if (static_cast<std::int64_t>(info.image_width) * info.image_height > kMaxPixels) {
    std::snprintf(errors.message, sizeof errors.message, "%ux%u pixels are too many", info.image_width,
                  info.image_height);
    return false;
  }
  const bool is_cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&info);
  image = Image8(static_cast<int>(info.output_width), static_cast<int>(info.output_height));
  row.resize(static_cast<std::size_t>(info.output_width) * 4);
  while (info.output_scanline < info.output_height) {
    std::uint8_t* out = image.at(0, static_cast<int>(info.output_scanline));
    JSAMPROW target = is_cmyk ? row.data() : out;
    jpeg_read_scanlines(&info, &target, 1);
    if (is_cmyk) cmykRowToRgb(row.data(), image.width, info.saw_Adobe_marker, out);
  }
  jpeg_finish_decompress(&info);
  return true;
}

base::Result<Image8> decodeJpeg(const Bytes& bytes, const std::string& name) {
  jpeg_decompress_struct info{};
  JpegErrors errors{};
  info.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = leaveJpeg;
  errors.manager.emit_message = onJpegMessage;
  Image8 image;
  Bytes row;
  const bool done = decodeJpegInto(bytes, info, errors, image, row);
  jpeg_destroy_decompress(&info);
  if (!done) return Error{fmt::format("{}: damaged JPEG: {}", name, errors.message)};
  return image;
}

/// uint8 [N, 3, H, W] on the CPU, contiguous.
torch::Tensor asBytes(const torch::Tensor& images) {
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3, "images: expected [N, 3, H, W], got ", images.sizes());
  const auto detached = images.detach().cpu();
  const auto bytes = detached.scalar_type() == torch::kUInt8
                         ? detached
                         : detached.to(torch::kFloat).clamp(0, 1).mul(255).to(torch::kUInt8);
  return bytes.contiguous();
}

void writeText(Image8& image, const std::string& text, int left, int baseline) {
  cv::Mat pixels(image.height, image.width, CV_8UC3, image.pixels.data());
  cv::putText(pixels, text, {left, baseline}, cv::FONT_HERSHEY_SIMPLEX, 0.45, cv::Scalar(32, 32, 32), 1, cv::LINE_AA);
}

int textWidth(const std::string& text) {
  int base_line = 0;
  return cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, 0.45, 1, &base_line).width;
}

}  // namespace

base::Result<Image8> readImage(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code ignored;
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path, ignored)) {
    return Error{fmt::format("{}: cannot read the image: {}", name, std::strerror(errno ? errno : EISDIR))};
  }
  const Bytes bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  constexpr std::array<std::uint8_t, 4> kPngStart = {0x89, 'P', 'N', 'G'};
  constexpr std::array<std::uint8_t, 3> kJpegStart = {0xff, 0xd8, 0xff};
  const auto starts = [&](const auto& magic) {
    return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
  };
  if (starts(kPngStart)) return decodePng(bytes, name);
  if (starts(kJpegStart)) return decodeJpeg(bytes, name);
#ifdef STUDIO_OPENCV_IMGCODECS
  // WebP, BMP, TIFF and whatever else OpenCV was built with.
  const cv::Mat bgr = bytes.empty() ? cv::Mat() : cv::imdecode(bytes, cv::IMREAD_COLOR);
  if (!bgr.empty()) {
    Image8 image(bgr.cols, bgr.rows);
    const cv::Mat rgb(bgr.rows, bgr.cols, CV_8UC3, image.pixels.data());
    cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
    return image;
  }
#endif
  return Error{fmt::format("{}: neither PNG nor JPEG ({} bytes)", name, bytes.size())};
}

torch::Tensor toTensor(const Image8& image) {
  const auto rows =
      torch::from_blob(const_cast<std::uint8_t*>(image.pixels.data()), {image.height, image.width, 3}, torch::kUInt8);
  return rows.permute({2, 0, 1}).contiguous();  // contiguous() copies: the layout changes
}

std::vector<Image8> toImages(const torch::Tensor& images) {
  const auto rows = asBytes(images).permute({0, 2, 3, 1}).contiguous();
  std::vector<Image8> result;
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    Image8 image(static_cast<int>(rows.size(2)), static_cast<int>(rows.size(1)));
    std::memcpy(image.pixels.data(), rows[i].data_ptr<std::uint8_t>(), image.pixels.size());
    result.push_back(std::move(image));
  }
  return result;
}

Image8 makeGrid(const torch::Tensor& images, std::int64_t cols, int padding, int scale) {
  TORCH_CHECK(cols >= 1 && padding >= 0 && scale >= 1, "makeGrid: cols ", cols, ", padding ", padding, ", scale ",
              scale, " (need cols >= 1, padding >= 0, scale >= 1)");
  const auto cells = toImages(images);
  if (cells.empty()) return {};
  const int num_cols = static_cast<int>(cols);
  const int num_rows = (static_cast<int>(cells.size()) + num_cols - 1) / num_cols;
  const int cell_w = cells[0].width * scale, cell_h = cells[0].height * scale;
  Image8 grid(num_cols * (cell_w + padding) - padding, num_rows * (cell_h + padding) - padding, 255);
  for (int i = 0; i < static_cast<int>(cells.size()); ++i) {
    const int left = i % num_cols * (cell_w + padding), top = i / num_cols * (cell_h + padding);
    for (int y = 0; y < cell_h; ++y) {
      for (int x = 0; x < cell_w; ++x) {
        std::copy_n(cells[static_cast<std::size_t>(i)].at(x / scale, y / scale), 3, grid.at(left + x, top + y));
      }
    }
  }
  return grid;
}

Image8 makeLabelledGrid(const torch::Tensor& images, std::int64_t cols, const std::vector<std::string>& row_labels,
                        const std::string& title, int padding, int scale) {
  const auto grid = makeGrid(images, cols, padding, scale);
  constexpr int kMargin = 6, kTitleHeight = 22;
  int label_width = 0;
  for (const auto& label : row_labels) label_width = std::max(label_width, textWidth(label));
  const int left = row_labels.empty() ? 0 : label_width + 2 * kMargin;
  const int top = title.empty() ? 0 : kTitleHeight;
  const int width = std::max(left + grid.width, title.empty() ? 0 : textWidth(title) + 2 * kMargin);
  Image8 page(width, top + grid.height, 255);
  for (int y = 0; y < grid.height; ++y) {
    std::memcpy(page.at(left, top + y), grid.at(0, y), static_cast<std::size_t>(grid.width) * 3);
  }
  if (!title.empty()) writeText(page, title, kMargin, kTitleHeight - 7);
  const int row_height = static_cast<int>(images.size(2)) * scale + padding;
  for (std::size_t row = 0; row < row_labels.size(); ++row) {
    writeText(page, row_labels[row], kMargin, top + static_cast<int>(row) * row_height + row_height / 2 + 5);
  }
  return page;
}

}  // namespace meanflow::core
