// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/inbox.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "core/base/events/command_json.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::base {
namespace fs = std::filesystem;
namespace {

constexpr std::uintmax_t kMaxCommandBytes = 1 << 16;

void reject(const fs::path& file, const std::string& why) {
  std::error_code code;
  const fs::path aside = file.parent_path() / "rejected";
  fs::create_directories(aside, code);
  fs::rename(file, aside / file.filename(), code);
  if (code) fs::remove(file, code);  // it must not come up again at every step
  spdlog::warn("{}: not taken: {}", file.string(), why);
}

}  // namespace

Result<void> Inbox::send(const Command& command) const {
  static std::atomic<unsigned> counter{0};  // orders the commands that one process sends within a clock tick
  std::error_code code;
  fs::create_directories(folder_, code);
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                       std::chrono::system_clock::now().time_since_epoch()).count();
  const auto name = fmt::format("{:020}-{:010}-{}.json", now, counter++, ::getpid());
  return writeFileAtomically(folder_ / name, toJson(command));
}

std::vector<Command> Inbox::take() const {
  std::vector<fs::path> files;
  std::error_code code;
  for (auto it = fs::directory_iterator(folder_, code); !code && it != fs::end(it); it.increment(code)) {
    const auto name = it->path().filename().string();
    if (name.ends_with(".json") && !name.starts_with(kTemporaryPrefix)) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Command> commands;
  for (const auto& file : files) {
    const auto text = readFile(file, kMaxCommandBytes);
    if (!text) {
      reject(file, text.error().message);
      continue;
    }
    auto command = commandFromJson(*text);
    if (!command) {
      reject(file, command.error().message);
      continue;
    }
    fs::remove(file, code);
    if (code) {  // taking a command that cannot be removed would repeat it at every step
      spdlog::warn("{}: cannot be removed and is not carried out: {}", file.string(), code.message());
      continue;
    }
    commands.push_back(std::move(*command));
  }
  return commands;
}

}  // namespace meanflow::base
