// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/png.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <stdexcept>

#include "core/base/run/atomic_file.h"

namespace meanflow::base {
namespace {

constexpr std::uint64_t kMaxPixels = std::uint64_t{1} << 28;

// libpng reports errors by longjmp. Everything with a destructor therefore lives in the caller of the functions that
// call setjmp (encodeInto, decodeInto), never in them.
struct PngContext {
  std::string error;
  std::span<const std::uint8_t> input;
  std::vector<std::uint8_t> output;
};

void onError(png_structp png, png_const_charp message) {
  static_cast<PngContext*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}
void onWarning(png_structp, png_const_charp) {}
void onRead(png_structp png, png_bytep target, png_size_t size) {
  auto& context = *static_cast<PngContext*>(png_get_io_ptr(png));
  if (size > context.input.size()) png_error(png, "the file is cut short");
  std::memcpy(target, context.input.data(), size);
  context.input = context.input.subspan(size);
}
void onWrite(png_structp png, png_bytep bytes, png_size_t size) {
  auto& output = static_cast<PngContext*>(png_get_io_ptr(png))->output;
  output.insert(output.end(), bytes, bytes + size);
}
void onFlush(png_structp) {}

bool encodeInto(PngContext& context, png_structp png, png_infop info, const Image8& image,
                std::vector<png_text>& chunks) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_write_fn(png, &context, onWrite, onFlush);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(png, 6);
  if (!chunks.empty()) png_set_text(png, info, chunks.data(), static_cast<int>(chunks.size()));
  png_write_info(png, info);
  for (int y = 0; y < image.height; ++y) png_write_row(png, image.at(0, y));
  png_write_end(png, info);
  return true;
}

/// Fills `rgba` (4 bytes a pixel); `rows` is scratch owned by the caller.
bool decodeInto(PngContext& context, png_structp png, png_infop info, std::vector<std::uint8_t>& rgba,
                std::vector<png_bytep>& rows) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_read_fn(png, &context, onRead);
  png_set_user_limits(png, 1 << 20, 1 << 20);
  png_set_chunk_cache_max(png, 1000);
  png_set_chunk_malloc_max(png, 16 << 20);
  png_read_info(png, info);
  const std::uint64_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if (width * height > kMaxPixels) png_error(png, "too many pixels");
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_gray_to_rgb(png);
  png_set_add_alpha(png, 0xff, PNG_FILLER_AFTER);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != width * 4) png_error(png, "unexpected pixel format");
  rgba.resize(width * height * 4);
  rows.resize(height);
  for (std::uint64_t y = 0; y < height; ++y) rows[y] = rgba.data() + y * width * 4;
  png_read_image(png, rows.data());
  png_read_end(png, info);
  return true;
}

bool isAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return (c >= 0x20 && c < 0x7f) || c == '\n'; });
}

}  // namespace

std::vector<std::uint8_t> encodePng(const Image8& image, const PngTexts& texts) {
  if (image.width <= 0 || image.height <= 0 ||
      image.pixels.size() != static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3)
    throw std::invalid_argument(fmt::format("encodePng: {} bytes of pixels for a {} x {} image", image.pixels.size(),
                                            image.width, image.height));
  PngTexts keys_and_texts = texts;  // png_text wants writable pointers
  std::vector<png_text> chunks;
  for (auto& [key, text] : keys_and_texts) {
    if (key.empty() || key.size() > 79 || !isAscii(key) || key.find('\n') != std::string::npos)
      throw std::invalid_argument(fmt::format("encodePng: text key '{}' must be 1 to 79 ASCII characters", key));
    png_text chunk{};
    const bool is_latin = isAscii(text);
    chunk.compression = is_latin ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    chunk.key = const_cast<char*>(key.c_str());
    chunk.text = text.data();
    (is_latin ? chunk.text_length : chunk.itxt_length) = text.size();
    chunks.push_back(chunk);
  }
  PngContext context;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &context, onError, onWarning);
  png_infop info = png_create_info_struct(png);
  const bool is_done = encodeInto(context, png, info, image, chunks);
  png_destroy_write_struct(&png, &info);
  if (!is_done) throw std::invalid_argument("encodePng: " + context.error);
  return std::move(context.output);
}

Result<Image8> decodePng(std::span<const std::uint8_t> bytes, PngTexts* texts) {
  PngContext context;
  context.input = bytes;
  std::vector<std::uint8_t> rgba;
  std::vector<png_bytep> rows;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &context, onError, onWarning);
  png_infop info = png_create_info_struct(png);
  const bool is_done = decodeInto(context, png, info, rgba, rows);
  Image8 image;
  if (is_done) {
    image = Image8(static_cast<int>(png_get_image_width(png, info)), static_cast<int>(png_get_image_height(png, info)));
    for (std::size_t i = 0; i < rgba.size() / 4; ++i) {
      const unsigned alpha = rgba[4 * i + 3];
      for (std::size_t c = 0; c < 3; ++c)
        image.pixels[3 * i + c] = static_cast<std::uint8_t>((rgba[4 * i + c] * alpha + 255u * (255u - alpha) + 127u) / 255u);
    }
    png_textp chunks = nullptr;
    int num_chunks = 0;
    if (texts != nullptr && png_get_text(png, info, &chunks, &num_chunks) > 0)
      for (int i = 0; i < num_chunks; ++i) {
        const auto length = chunks[i].compression > 0 ? chunks[i].itxt_length : chunks[i].text_length;
        (*texts)[chunks[i].key] = chunks[i].text == nullptr ? std::string() : std::string(chunks[i].text, length);
      }
  }
  png_destroy_read_struct(&png, &info, nullptr);
  if (!is_done) return Error{fmt::format("not a readable PNG: {}", context.error)};
  return image;
}

Result<void> writePng(const std::filesystem::path& path, const Image8& image, const PngTexts& texts) {
  const auto bytes = encodePng(image, texts);
  return writeFileAtomically(path, std::as_bytes(std::span(bytes)));
}

Result<Image8> readPng(const std::filesystem::path& path, PngTexts* texts) {
  const auto bytes = readFile(path);
  if (!bytes) return bytes.error();
  auto image = decodePng({reinterpret_cast<const std::uint8_t*>(bytes->data()), bytes->size()}, texts);
  if (!image) return Error{fmt::format("{}: {}", path.string(), image.error().message)};
  return image;
}

}  // namespace meanflow::base
