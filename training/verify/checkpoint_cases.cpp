// SPDX-License-Identifier: Apache-2.0
#include "training/verify/checkpoint_cases.h"

#include <algorithm>
#include <filesystem>

#include "core/checkpoint/checkpoint.h"

namespace meanflow::training {
namespace {

constexpr auto kExpected = "expected";

/// Which tensors of a file are to equal which of expected.safetensors.
struct Part {
  std::string group, expected_prefix;
};

std::vector<Part> partsOf(const core::Checkpoint& checkpoint) {
  const auto names = checkpoint.group("", core::WrapperNames::kKept).value();
  if (names.size() == 2 && names.contains("mean") && names.contains("var")) return {{"", "stat."}};
  std::vector<Part> parts;
  if (checkpoint.hasGroup("model")) {
    parts.push_back({"model", "sd."});
    if (checkpoint.hasGroup("ema")) parts.push_back({"ema", "ema."});
  } else {
    parts.push_back({checkpoint.hasGroup("ema") ? "ema" : "", "sd."});
  }
  if (checkpoint.hasGroup("opt.state.0")) parts.push_back({"opt.state.0", "opt."});
  return parts;
}

}  // namespace

void runCheckpoints(const CaseFolder& folder, CaseChecker& checker) {
  const auto& expected = folder.file(kExpected);
  std::set<std::string> left;
  for (const auto& entry : expected) left.insert(entry.first);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (entry.path().extension() == ".pt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  TORCH_CHECK(!files.empty(), folder.name(), ": no .pt file in ", folder.path());
  for (const auto& file : files) {
    const auto checkpoint = core::Checkpoint::open(file.string()).value();
    for (const auto& part : partsOf(checkpoint)) {
      const auto found = checkpoint.readGroup(part.group, core::WrapperNames::kStripped).value();
      for (const auto& [name, tensor] : found) {
        const auto full_name = part.expected_prefix + name;
        const auto wanted = expected.find(full_name);
        TORCH_CHECK(wanted != expected.end(), file.string(), ": tensor '", name, "' is not expected there");
        TORCH_CHECK(tensor.scalar_type() == wanted->second.scalar_type(), file.string(), ": tensor '", name,
                    "' has dtype ", tensor.scalar_type(), ", expected ", wanted->second.scalar_type());
        checker.check(kExpected, full_name, tensor);
        left.erase(full_name);
      }
      for (const auto& entry : expected) {
        const bool is_due = entry.first.starts_with(part.expected_prefix);
        TORCH_CHECK(!is_due || found.contains(entry.first.substr(part.expected_prefix.size())), file.string(),
                    ": tensor '", entry.first, "' is missing");
      }
    }
  }
  TORCH_CHECK(left.empty(), folder.name(), ": no file holds '", *left.begin(), "'");
}

}  // namespace meanflow::training
