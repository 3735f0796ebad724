// SPDX-License-Identifier: Apache-2.0
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>

#include "core/data/dataset.h"
#include "core/data/folder_listing.h"
#include "core/data/image_io.h"
#include "core/data/imagenet_names.h"
#include "core/data/resample.h"

namespace meanflow::core {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

constexpr std::uint64_t kSplitSeed = 20250914;

bool isImageName(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

/// Children of `folder` accepted by `keep`, sorted by name; hidden ones are skipped.
template <class Keep>
std::vector<fs::path> sortedChildren(const fs::path& folder, const Keep& keep) {
  std::vector<fs::path> children;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with(".") && keep(entry)) children.push_back(entry.path());
  }
  std::sort(children.begin(), children.end());
  return children;
}

/// Filled row by row: images put together at the end would be in memory twice.
struct Part {
  torch::Tensor images;
  std::vector<std::int64_t> labels, pictures;

  Part(std::int64_t count, std::int64_t size) : images(torch::empty({count, 3, size, size}, torch::kUInt8)) {}
};

base::Result<void> readClass(const FolderClass& folder_class, const base::DataConfig& config, ImageDataset& dataset,
                             Part& train, Part& test, const std::stop_token& stop) {
  const std::int64_t label = dataset.numClasses();
  dataset.class_names.push_back(folder_class.name);
  dataset.may_flip.push_back(true);
  for (std::size_t i = 0; i < folder_class.files.size(); ++i) {
    if (stop.stop_requested()) return loadingStopped();
    const auto image = readCropped(folder_class.files[i], config.image_size);
    if (!image) return image.error();
    Part& part = folder_class.is_held_out[i] ? test : train;
    part.images[static_cast<std::int64_t>(part.labels.size())].copy_(*image);
    part.labels.push_back(label);
    part.pictures.push_back(static_cast<std::int64_t>(dataset.picture_ids.size()));
    dataset.picture_ids.push_back(folder_class.name + "/" + folder_class.files[i].filename().string());
  }
  return {};
}

}  // namespace

base::Result<std::vector<FolderClass>> listFolderDataset(const base::DataConfig& config, const std::stop_token& stop) {
  const fs::path root = config.path;
  if (config.path.empty()) return Error{"data.path is empty; kind: folder needs an image folder", ErrorKind::kUsage};
  if (!fs::is_directory(root)) {
    return Error{fmt::format("data.path: {} is not a folder", config.path), ErrorKind::kUsage};
  }
  std::vector<FolderClass> listed;
  try {
    const auto classes = sortedChildren(root, [](const auto& entry) { return entry.is_directory(); });
    if (classes.empty()) {
      return Error{fmt::format("data.path: {} has no sub-folders; put the images of each class into one of their own",
                               config.path),
                   ErrorKind::kUsage};
    }
    for (const auto& folder : classes) {
      if (stop.stop_requested()) return loadingStopped();
      FolderClass found;
      found.name = folder.filename().string();
      found.files = sortedChildren(
          folder, [](const auto& entry) { return entry.is_regular_file() && isImageName(entry.path()); });
      if (found.files.size() < 3) {
        return Error{fmt::format("{}: {} PNG or JPEG images, at least 3 are needed (2 are held out for testing)",
                                 folder.string(), found.files.size()),
                     ErrorKind::kUsage};
      }
      std::vector<std::string> names;
      for (const auto& file : found.files) names.push_back(file.filename().string());
      found.is_held_out = chooseHeldOut(names, config.held_out, kSplitSeed);
      listed.push_back(std::move(found));
    }
  } catch (const fs::filesystem_error& e) {
    return Error{fmt::format("data.path: {}", e.what())};
  }
  return listed;
}

base::Result<torch::Tensor> readCropped(const fs::path& file, std::int64_t image_size) {
  const auto image = readImage(file);
  if (!image) return image.error();
  return toTensor(centerCrop(*image, static_cast<int>(image_size)));
}

base::Result<ImageDataset> readFolderDataset(const base::DataConfig& config, const std::stop_token& stop) {
  const auto classes = listFolderDataset(config, stop);
  if (!classes) return classes.error();
  std::int64_t total = 0, held_out = 0;
  for (const auto& each : *classes) {
    total += static_cast<std::int64_t>(each.files.size());
    held_out += std::count(each.is_held_out.begin(), each.is_held_out.end(), true);
  }
  ImageDataset dataset;
  Part train(total - held_out, config.image_size), test(held_out, config.image_size);
  for (const auto& each : *classes)
    if (const auto read = readClass(each, config, dataset, train, test, stop); !read) return read.error();
  dataset.class_names = readableClassNames(std::move(dataset.class_names));
  dataset.train_images = train.images;
  dataset.train_labels = torch::tensor(train.labels, torch::kInt64);
  dataset.train_pictures = torch::tensor(train.pictures, torch::kInt64);
  dataset.test_images = test.images;
  dataset.test_labels = torch::tensor(test.labels, torch::kInt64);
  dataset.test_pictures = torch::tensor(test.pictures, torch::kInt64);
  dataset.checksum = datasetChecksum(dataset, stop);
  if (dataset.checksum.empty()) return loadingStopped();
  return dataset;
}

}  // namespace meanflow::core
