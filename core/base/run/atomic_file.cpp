// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

namespace meanflow::base {
namespace fs = std::filesystem;
namespace {

Error systemError(const fs::path& path, std::string_view doing, int reason) {
  const char* hint = reason == ENOSPC || reason == EDQUOT || reason == EFBIG
                         ? "; free some space, nothing that was saved before is lost"
                         : "";
  return {fmt::format("{}: cannot {}: {}{}", path.string(), doing, std::strerror(reason), hint)};
}

fs::path folderOf(const fs::path& target) { return target.has_parent_path() ? target.parent_path() : fs::path("."); }

fs::path temporaryFor(const fs::path& target) {
  static std::atomic<unsigned> counter{0};  // names must differ between the threads of one process
  fs::path name = target.filename();
  if (name.empty()) name = target.parent_path().filename();
  return folderOf(target) / fmt::format("{}{}-{}-{}", kTemporaryPrefix, name.string(), ::getpid(), counter++);
}

/// fsync of a file or folder by name; returns errno or 0.
int flush(const fs::path& path, bool is_folder) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (is_folder ? O_DIRECTORY : 0));
  if (fd < 0) return errno;
  const int reason = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  // Some network file systems refuse fsync on folders; the rename itself is still ordered there.
  return is_folder && (reason == EINVAL || reason == ENOTSUP) ? 0 : reason;
}

fs::path withoutTrailingSlash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

}  // namespace

Result<AtomicFile> AtomicFile::create(const fs::path& target) {
  const fs::path temporary = temporaryFor(target);
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return systemError(target, "write beside it", errno);
  return AtomicFile(target, temporary, fd);
}

AtomicFile::AtomicFile(fs::path target, fs::path temporary, int fd)
    : target_(std::move(target)), temporary_(std::move(temporary)), fd_(fd) {}
AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)), temporary_(std::move(other.temporary_)), fd_(std::exchange(other.fd_, -1)) {}
AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  std::swap(target_, other.target_), std::swap(temporary_, other.temporary_), std::swap(fd_, other.fd_);
  return *this;
}
AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() {
  if (fd_ < 0) return;
  ::close(std::exchange(fd_, -1));
  ::unlink(temporary_.c_str());
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  constexpr std::size_t kMaxWrite = std::size_t{1} << 30;  // Linux writes at most 2 GiB at once
  while (!bytes.empty()) {
    const auto written = ::write(fd_, bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return systemError(target_, "write", written < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> AtomicFile::commit() {
  if (::fsync(fd_) != 0) return systemError(target_, "flush to disk", errno);
  if (::close(std::exchange(fd_, -1)) != 0) {  // network file systems report a full disk only here
    const int reason = errno;
    ::unlink(temporary_.c_str());
    return systemError(target_, "finish writing", reason);
  }
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary_.c_str());
    return systemError(target_, "put the finished file in place", reason);
  }
  if (const int reason = flush(folderOf(target_), true)) return systemError(target_, "flush its folder", reason);
  return {};
}

Result<void> writeFileAtomically(const fs::path& target, std::span<const std::byte> bytes) {
  auto file = AtomicFile::create(target);
  if (!file) return file.error();
  if (auto written = file->write(bytes); !written) return written;
  return file->commit();
}
Result<void> writeFileAtomically(const fs::path& target, std::string_view text) {
  return writeFileAtomically(target, std::as_bytes(std::span(text.data(), text.size())));
}

Result<AtomicFolder> AtomicFolder::create(const fs::path& target) {
  const fs::path clean = withoutTrailingSlash(target);
  std::error_code code;
  fs::create_directories(folderOf(clean), code);
  const fs::path temporary = temporaryFor(clean);
  if (code || !fs::create_directory(temporary, code))
    return systemError(clean, "make a folder beside it", code ? code.value() : EEXIST);
  return AtomicFolder(clean, temporary);
}

AtomicFolder::AtomicFolder(fs::path target, fs::path temporary)
    : target_(std::move(target)), temporary_(std::move(temporary)) {}
AtomicFolder::AtomicFolder(AtomicFolder&& other) noexcept
    : target_(std::move(other.target_)), temporary_(std::exchange(other.temporary_, {})) {}
AtomicFolder& AtomicFolder::operator=(AtomicFolder&& other) noexcept {
  std::swap(target_, other.target_), std::swap(temporary_, other.temporary_);
  return *this;
}
AtomicFolder::~AtomicFolder() { discard(); }

void AtomicFolder::discard() {
  if (temporary_.empty()) return;
  std::error_code code;
  fs::remove_all(temporary_, code);
  temporary_.clear();
}

Result<void> AtomicFolder::commit() {
  std::error_code code;
  for (auto it = fs::recursive_directory_iterator(temporary_, code); !code && it != fs::end(it); it.increment(code)) {
    const bool is_folder = it->is_directory();
    if (!is_folder && !it->is_regular_file()) continue;
    if (const int reason = flush(it->path(), is_folder)) return systemError(target_, "flush to disk", reason);
  }
  if (code) return systemError(target_, "list its files", code.value());
  if (const int reason = flush(temporary_, true)) return systemError(target_, "flush to disk", reason);

  bool is_in_place = ::rename(temporary_.c_str(), target_.c_str()) == 0;
  int reason = errno;
  if (!is_in_place && (reason == ENOTEMPTY || reason == EEXIST)) {
    is_in_place = ::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0;
    reason = errno;
    if (is_in_place) {
      discard();  // the name now holds what was replaced
    } else if (reason == EINVAL || reason == ENOSYS) {  // no exchange on this file system: the old one steps aside first
      const fs::path old = temporaryFor(target_);
      is_in_place = ::rename(target_.c_str(), old.c_str()) == 0 && ::rename(temporary_.c_str(), target_.c_str()) == 0;
      reason = errno;
      if (is_in_place) fs::remove_all(old, code);
    }
  }
  if (!is_in_place) return systemError(target_, "put the finished folder in place", reason);
  temporary_.clear();
  if (const int failed = flush(folderOf(target_), true)) return systemError(target_, "flush its folder", failed);
  return {};
}

Result<std::string> readFile(const fs::path& path, std::uintmax_t max_bytes) {
  std::error_code code;
  if (!fs::is_regular_file(path, code))
    return Error{fmt::format("{}: {}", path.string(), fs::exists(path, code) ? "is not a file" : "does not exist")};
  const auto size = fs::file_size(path, code);
  if (!code && size > max_bytes)
    return Error{fmt::format("{}: holds {} bytes, at most {} are expected", path.string(), size, max_bytes)};
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return systemError(path, "open", errno);
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad()) return systemError(path, "read", errno);
  return text;
}

}  // namespace meanflow::base
