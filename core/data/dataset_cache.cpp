// SPDX-License-Identifier: Apache-2.0
//
// Layout: 8 bytes magic, 8 bytes header length (little endian), a JSON header (names, shapes, checksum), then the bytes
// of the tensors in the order of storedTensors().
#include "core/data/dataset_cache.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

namespace meanflow::core {
namespace {

using base::Error;
using nlohmann::json;

constexpr std::string_view kMagic = "MFSDATA1";
constexpr std::size_t kPieceBytes = 16 << 20;  // between two looks for a stop: some hundredths of a second
constexpr int kFormatVersion = 1;  // raise when the drawing or the layout changes: old files are then left alone

class Fnv1a64 {
 public:
  void add(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    for (std::size_t i = 0; i < size; ++i) hash_ = (hash_ ^ bytes[i]) * 0x100000001b3ULL;
  }
  void add(const std::string& text) { add(text.c_str(), text.size() + 1); }
  std::string hex() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

template <class Dataset, class Visit>
void forStoredTensors(Dataset& dataset, const Visit& visit) {
  visit("train_images", dataset.train_images, torch::kUInt8);
  visit("train_labels", dataset.train_labels, torch::kInt64);
  visit("train_pictures", dataset.train_pictures, torch::kInt64);
  visit("test_images", dataset.test_images, torch::kUInt8);
  visit("test_labels", dataset.test_labels, torch::kInt64);
  visit("test_pictures", dataset.test_pictures, torch::kInt64);
}

json makeHeader(const ImageDataset& dataset) {
  json header = {{"class_names", dataset.class_names},
                 {"may_flip", dataset.may_flip},
                 {"picture_ids", dataset.picture_ids},
                 {"checksum", dataset.checksum}};
  forStoredTensors(dataset, [&](const char* name, const torch::Tensor& tensor, torch::ScalarType) {
    header["shapes"][name] = tensor.sizes().vec();
  });
  return header;
}

/// Reads header and tensors; throws json::exception or std::runtime_error on anything unexpected.
ImageDataset parse(std::ifstream& file, std::uint64_t file_size) {
  std::array<char, 8> magic{};
  std::uint64_t header_size = 0;
  file.read(magic.data(), magic.size());
  file.read(reinterpret_cast<char*>(&header_size), sizeof header_size);
  if (!file || std::string_view(magic.data(), magic.size()) != kMagic || header_size > file_size) {
    throw std::runtime_error("it does not start like a data set");
  }
  std::string text(header_size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(header_size));
  const auto header = json::parse(text);
  ImageDataset dataset;
  header.at("class_names").get_to(dataset.class_names);
  header.at("may_flip").get_to(dataset.may_flip);
  header.at("picture_ids").get_to(dataset.picture_ids);
  header.at("checksum").get_to(dataset.checksum);
  std::uint64_t expected = kMagic.size() + sizeof header_size + header_size;
  forStoredTensors(dataset, [&](const char* name, torch::Tensor& tensor, torch::ScalarType type) {
    const auto shape = header.at("shapes").at(name).get<std::vector<std::int64_t>>();
    std::uint64_t bytes = c10::elementSize(type);
    for (const auto size : shape)
      bytes = size >= 0 && bytes <= file_size ? bytes * static_cast<std::uint64_t>(size) : ~0ULL;
    if (bytes > file_size) throw std::runtime_error(fmt::format("{} is larger than the file", name));
    expected += bytes;
    tensor = torch::empty(shape, type);
    file.read(static_cast<char*>(tensor.data_ptr()), static_cast<std::streamsize>(bytes));
  });
  if (!file || expected != file_size) throw std::runtime_error("its size does not match its header");
  return dataset;
}

bool writeAll(int descriptor, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const auto written = ::write(descriptor, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

bool writeContents(int descriptor, const ImageDataset& dataset) {
  const std::string header = makeHeader(dataset).dump();
  const std::uint64_t header_size = header.size();
  bool ok = writeAll(descriptor, kMagic.data(), kMagic.size()) &&
            writeAll(descriptor, &header_size, sizeof header_size) &&
            writeAll(descriptor, header.data(), header.size());
  forStoredTensors(dataset, [&](const char*, const torch::Tensor& tensor, torch::ScalarType) {
    const auto flat = tensor.contiguous();
    ok = ok && writeAll(descriptor, flat.data_ptr(), flat.nbytes());
  });
  return ok && ::fsync(descriptor) == 0;
}

}  // namespace

std::string datasetChecksum(const ImageDataset& dataset, const std::stop_token& stop) {
  Fnv1a64 hash;
  for (const auto& name : dataset.class_names) hash.add(name);
  for (const bool flip : dataset.may_flip) hash.add(flip ? "1" : "0");
  for (const auto& id : dataset.picture_ids) hash.add(id);
  forStoredTensors(dataset, [&](const char*, const torch::Tensor& tensor, torch::ScalarType type) {
    TORCH_CHECK(tensor.scalar_type() == type, "dataset: a tensor has type ", tensor.scalar_type(), ", expected ", type);
    const auto flat = tensor.contiguous();
    for (const auto size : flat.sizes()) hash.add(&size, sizeof size);
    const auto* bytes = static_cast<const std::uint8_t*>(flat.data_ptr());
    for (std::size_t at = 0; at < flat.nbytes() && !stop.stop_requested(); at += kPieceBytes)
      hash.add(bytes + at, std::min(kPieceBytes, flat.nbytes() - at));
  });
  return stop.stop_requested() ? std::string() : hash.hex();
}

std::string datasetCacheName(const base::DataConfig& c) {
  Fnv1a64 hash;
  hash.add(fmt::format("v{} {} {} {} {} {} {} {} {}", kFormatVersion, c.kind, c.image_size, c.train_per_class,
                       c.test_per_class, c.held_out, c.rotation_degrees, c.scale_jitter, c.shift_px));
  return fmt::format("{}-{}px-{}.mfsdata", c.kind, c.image_size, hash.hex());
}

base::Result<ImageDataset> readDatasetCache(const std::filesystem::path& path) {
  std::error_code code;
  const auto size = std::filesystem::file_size(path, code);
  std::ifstream file(path, std::ios::binary);
  if (code || !file) return Error{fmt::format("{}: cannot be read", path.string())};
  try {
    auto dataset = parse(file, size);
    if (const auto seen = datasetChecksum(dataset); seen != dataset.checksum) {
      return Error{fmt::format("{}: damaged: checksum {}, expected {}", path.string(), seen, dataset.checksum)};
    }
    return dataset;
  } catch (const std::exception& e) {
    return Error{fmt::format("{}: damaged: {}", path.string(), e.what())};
  }
}

base::Result<void> writeDatasetCache(const std::filesystem::path& path, const ImageDataset& dataset) {
  std::error_code code;
  std::filesystem::create_directories(path.parent_path(), code);
  if (code) return Error{fmt::format("{}: cannot make the folder: {}", path.parent_path().string(), code.message())};
  std::string beside = path.string() + ".XXXXXX";
  const int descriptor = ::mkostemp(beside.data(), O_CLOEXEC);
  bool ok = descriptor >= 0 && writeContents(descriptor, dataset);
  int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (ok && ::rename(beside.c_str(), path.c_str()) != 0) {
    reason = errno;
    ok = false;
  }
  if (ok) return {};
  if (descriptor >= 0) ::unlink(beside.c_str());
  return Error{fmt::format("{}: cannot be written: {}", path.string(), std::strerror(reason))};
}

}  // namespace meanflow::core
