// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>

#include "core/base/config/config_io.h"
#include "core/base/run/atomic_file.h"

namespace meanflow::base {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kLockName = "lock";

std::optional<std::int64_t> stepOf(const std::string& name) {
  constexpr std::string_view kPrefix = "step_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const auto [end, status] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), step);
  if (status != std::errc() || end != name.data() + name.size() || step < 0) return std::nullopt;
  return step;
}

/// Whether the entry at `path` is what a crash left rather than what someone is writing now.
bool isAbandoned(const fs::path& path, const fs::path& inbox) {
  if (path.parent_path() != inbox) return true;
  std::error_code code;
  const auto written = fs::last_write_time(path, code);
  return !code && fs::file_time_type::clock::now() - written > std::chrono::minutes(1);
}

}  // namespace

std::string stepName(std::int64_t step) { return fmt::format("step_{:08}", step); }

bool RunFolder::isRunFolder(const Path& path) {
  std::error_code code;
  return fs::is_regular_file(path / "config.yaml", code);
}

Result<RunFolder> RunFolder::create(const Path& path, const RunConfig& config) {
  const Path root = fs::absolute(path.has_filename() ? path : path.parent_path()).lexically_normal();
  std::error_code code;
  if (isRunFolder(root))
    return Error{fmt::format("{}: already holds a run; resume it, or choose another name", root.string()),
                 ErrorKind::kUsage};
  if (fs::exists(root, code) && !(fs::is_directory(root, code) && fs::is_empty(root, code)))
    return Error{fmt::format("{}: exists and is not an empty folder; choose another name", root.string()),
                 ErrorKind::kUsage};
  fs::create_directories(root / "inbox", code);
  if (code) return Error{fmt::format("{}: cannot make the run folder: {}", root.string(), code.message())};
  RunFolder folder(root);
  if (auto locked = folder.lock(); !locked) return locked.error();
  if (isRunFolder(root)) return Error{fmt::format("{}: another process has just made this run", root.string())};
  if (auto written = writeFileAtomically(folder.config(), toYaml(config)); !written) return written.error();
  return folder;
}

Result<RunFolder> RunFolder::open(const Path& path) {
  const Path root = fs::absolute(path.has_filename() ? path : path.parent_path()).lexically_normal();
  std::error_code code;
  if (!fs::is_directory(root, code))
    return Error{fmt::format("{}: no such folder", root.string()), ErrorKind::kUsage};
  if (!isRunFolder(root))
    return Error{fmt::format("{}: is not a run folder (it has no config.yaml); give the folder of one run", root.string()),
                 ErrorKind::kUsage};
  return RunFolder(root);
}

RunFolder::~RunFolder() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}
RunFolder::RunFolder(RunFolder&& other) noexcept
    : root_(std::move(other.root_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}
RunFolder& RunFolder::operator=(RunFolder&& other) noexcept {
  std::swap(root_, other.root_), std::swap(lock_fd_, other.lock_fd_);
  return *this;
}

Result<void> RunFolder::lock() {
  if (isLocked()) return {};
  const Path path = root_ / kLockName;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Error{fmt::format("{}: cannot open: {}", path.string(), std::strerror(errno))};
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    char owner[128] = {};
    [[maybe_unused]] const auto size = ::pread(fd, owner, sizeof(owner) - 1, 0);
    ::close(fd);
    if (reason != EWOULDBLOCK) return Error{fmt::format("{}: cannot lock: {}", path.string(), std::strerror(reason))};
    return Error{fmt::format("{}: another process is training into this run ({}); stop it first, or choose another name",
                             root_.string(), *owner != '\0' ? owner : "owner unknown")};
  }
  char host[65] = {};
  ::gethostname(host, sizeof(host) - 1);
  const std::string owner = fmt::format("process {} on {}", ::getpid(), host);
  // The text only serves the message above, so a full disk here is no reason to stop.
  if (::ftruncate(fd, 0) == 0) [[maybe_unused]] const auto written = ::pwrite(fd, owner.data(), owner.size(), 0);
  lock_fd_ = fd;
  return {};
}

bool RunFolder::isOwnedBySomeone() const {
  if (isLocked()) return true;
  const int fd = ::open((root_ / kLockName).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool is_held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return is_held;
}

RunFolder::Path RunFolder::checkpoint(std::string_view stage, std::int64_t step) const {
  return checkpoints(stage) / stepName(step);
}

std::string RunFolder::relative(const Path& path) const { return path.lexically_relative(root_).generic_string(); }

Result<RunConfig> RunFolder::readConfig() const { return loadConfig(config().string()); }

std::vector<CheckpointEntry> RunFolder::listCheckpoints(std::string_view stage) const {
  std::vector<CheckpointEntry> found;
  std::error_code code;
  for (auto it = fs::directory_iterator(checkpoints(stage), code); !code && it != fs::end(it); it.increment(code)) {
    const auto step = stepOf(it->path().filename().string());
    std::error_code ignored;
    if (step && fs::is_regular_file(it->path() / "state.json", ignored)) found.push_back({*step, it->path()});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

Result<int> RunFolder::sweepTemporaries() const {
  if (!isLocked()) return Error{fmt::format("{}: only the process that trains may remove temporary files", root_.string())};
  std::vector<Path> abandoned;
  std::error_code code;
  auto it = fs::recursive_directory_iterator(root_, fs::directory_options::skip_permission_denied, code);
  for (; !code && it != fs::end(it); it.increment(code)) {
    if (!it->path().filename().string().starts_with(kTemporaryPrefix)) continue;
    it.disable_recursion_pending();
    if (isAbandoned(it->path(), inbox())) abandoned.push_back(it->path());
  }
  if (code) return Error{fmt::format("{}: cannot list: {}", root_.string(), code.message())};
  for (const auto& path : abandoned) {
    fs::remove_all(path, code);
    if (code) return Error{fmt::format("{}: cannot remove: {}", path.string(), code.message())};
  }
  return static_cast<int>(abandoned.size());
}

}  // namespace meanflow::base
