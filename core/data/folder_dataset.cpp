// SPDX-License-Identifier: Apache-2.0
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>

#include "core/data/dataset.h"
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

struct Part {
  std::vector<torch::Tensor> images;
  std::vector<std::int64_t> labels, pictures;
};

base::Result<void> readClass(const fs::path& folder, const base::DataConfig& config, ImageDataset& dataset, Part& train,
                             Part& test) {
  const auto files =
      sortedChildren(folder, [](const auto& entry) { return entry.is_regular_file() && isImageName(entry.path()); });
  const std::string class_name = folder.filename().string();
  if (files.size() < 3) {
    return Error{fmt::format("{}: {} PNG or JPEG images, at least 3 are needed (2 are held out for testing)",
                             folder.string(), files.size()),
                 ErrorKind::kUsage};
  }
  const std::int64_t label = dataset.numClasses();
  dataset.class_names.push_back(class_name);
  dataset.may_flip.push_back(true);
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(file.filename().string());
  const auto is_held_out = chooseHeldOut(names, config.held_out, kSplitSeed);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto image = readImage(files[i]);
    if (!image) return image.error();
    Part& part = is_held_out[i] ? test : train;
    part.images.push_back(toTensor(centerCrop(*image, static_cast<int>(config.image_size))));
    part.labels.push_back(label);
    part.pictures.push_back(static_cast<std::int64_t>(dataset.picture_ids.size()));
    dataset.picture_ids.push_back(class_name + "/" + names[i]);
  }
  return {};
}

}  // namespace

base::Result<ImageDataset> readFolderDataset(const base::DataConfig& config) {
  const fs::path root = config.path;
  if (config.path.empty()) return Error{"data.path is empty; kind: folder needs an image folder", ErrorKind::kUsage};
  if (!fs::is_directory(root)) {
    return Error{fmt::format("data.path: {} is not a folder", config.path), ErrorKind::kUsage};
  }
  ImageDataset dataset;
  Part train, test;
  try {
    const auto classes = sortedChildren(root, [](const auto& entry) { return entry.is_directory(); });
    if (classes.empty()) {
      return Error{fmt::format("data.path: {} has no sub-folders; put the images of each class into one of their own",
                               config.path),
                   ErrorKind::kUsage};
    }
    for (const auto& folder : classes) {
      if (const auto read = readClass(folder, config, dataset, train, test); !read) return read.error();
    }
  } catch (const fs::filesystem_error& e) {
    return Error{fmt::format("data.path: {}", e.what())};
  }
  dataset.class_names = readableClassNames(std::move(dataset.class_names));
  dataset.train_images = torch::stack(train.images);
  dataset.train_labels = torch::tensor(train.labels, torch::kInt64);
  dataset.train_pictures = torch::tensor(train.pictures, torch::kInt64);
  dataset.test_images = torch::stack(test.images);
  dataset.test_labels = torch::tensor(test.labels, torch::kInt64);
  dataset.test_pictures = torch::tensor(test.pictures, torch::kInt64);
  dataset.checksum = datasetChecksum(dataset);
  return dataset;
}

}  // namespace meanflow::core
