// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz_targets.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/base/config/config_io.h"
#include "core/base/formats/numpy_file.h"
#include "core/base/formats/pt_file.h"
#include "core/base/formats/safetensors.h"
#include "core/base/formats/shard_index.h"
#include "core/base/formats/step_log.h"
#include "core/base/formats/tensorboard_reader.h"

namespace meanflow::fuzz {
namespace {

constexpr std::uint64_t kMaxCopied = 1 << 20;  // a reader may well announce more: views cost nothing

/// Every byte matters: AddressSanitizer only sees what is read.
void touch(std::span<const std::byte> bytes) {
  volatile unsigned sum = 0;
  for (const auto byte : bytes) sum = sum + static_cast<unsigned>(byte);
}

/// A message must be there and begin with the name of the file.
void require(bool holds) {
  if (!holds) std::abort();
}

template <class File, class Items>
void copyAll(File& file, const Items& items) {
  for (const auto& item : items) {
    const auto size = base::numBytes(item.view.shape, base::dtypeSize(item.view.dtype));
    require(size.has_value());
    if (*size > kMaxCopied) continue;
    std::vector<std::byte> out(*size);
    if (file.copy(item, out)) touch(out);
  }
}

void safetensors(std::span<const std::byte> bytes) {
  const auto file = base::SafetensorsFile::parse(bytes, "input");
  if (!file) return require(file.error().message.starts_with("input: "));
  for (const auto& entry : file->tensors()) touch(entry.second.bytes);
}

void npz(std::span<const std::byte> bytes) {
  const auto file = base::NumpyFile::parse(bytes, "input");
  if (!file) return require(file.error().message.starts_with("input: "));
  copyAll(*file, file->arrays());
}

void pt(std::span<const std::byte> bytes) {
  auto file = base::PtFile::parse(bytes, "input");
  if (!file) return require(file.error().message.starts_with("input: "));
  copyAll(*file, file->tensors());
  for (const auto& value : file->values()) touch(std::as_bytes(std::span(value.text)));
  file->root().attribute("args");
}

void yaml(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto config = base::parseConfig(text, "input");
  if (!config) return require(!config.error().message.empty());
  require(base::parseConfig(base::toYaml(*config), "again").ok());  // what was accepted can be written and read
}

void shardIndex(std::span<const std::byte> bytes) {
  const auto index = base::parseShardIndex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!index) return require(!index.error().message.empty());
  for (const auto& file : index->files) require(file.find('/') == std::string::npos);
}

void checkEvent(const base::TensorboardEvent& event, std::size_t file_size) {
  require(std::isfinite(event.wall_time));
  for (const auto& scalar : event.scalars) touch(std::as_bytes(std::span(scalar.tag)));
  for (const auto& image : event.images)
    require(image.size > 0 && image.offset <= file_size && image.size <= file_size - image.offset);
}

/// Checksums stop a mutated file at its first record: the bytes are taken as one event without them, too.
void tfevents(std::span<const std::byte> bytes) {
  base::TensorboardReader reader(bytes, "input");
  for (auto events = reader.poll(16);; events = reader.poll(16)) {
    if (!events) {
      require(events.error().message.starts_with("input: "));
      break;
    }
    if (events->empty()) break;
    for (const auto& event : *events) checkEvent(event, bytes.size());
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const std::size_t skipped : {std::size_t{0}, std::size_t{12}}) {
    if (skipped > text.size()) break;
    const auto event = base::parseTensorboardEvent(text.substr(skipped), "input", skipped);
    event ? checkEvent(*event, bytes.size()) : require(event.error().message.starts_with("input: "));
  }
}

void stepLog(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (const auto line = base::parseStepLine(text.substr(0, end)))
      for (const auto& value : line->values) require(!value.name.empty());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

constexpr Target kTargets[] = {
    {"safetensors", safetensors}, {"npz", npz},           {"pt", pt},           {"yaml", yaml},
    {"shard_index", shardIndex},  {"tfevents", tfevents}, {"step_log", stepLog}};

}  // namespace

std::span<const Target> targets() { return kTargets; }

}  // namespace meanflow::fuzz
