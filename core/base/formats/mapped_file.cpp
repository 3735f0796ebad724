// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace meanflow::base {

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const auto failure = [&] { return Error{fmt::format("{}: cannot read: {}", path.string(), std::strerror(errno))}; };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not hang the open
  if (fd < 0) return failure();
  struct stat status {};
  MappedFile file;
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return Error{fmt::format("{}: is not a regular file", path.string())};
  }
  if (status.st_size > 0) {
    void* data = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
      const auto error = failure();
      ::close(fd);
      return error;
    }
    file.data_ = static_cast<const std::byte*>(data);
    file.size_ = static_cast<std::size_t>(status.st_size);
  }
  ::close(fd);
  return file;
}

void MappedFile::release(std::span<const std::byte> part) const {
  if (part.empty() || part.data() < data_ || part.data() + part.size() > data_ + size_) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<std::size_t>(part.data() - data_) / page * page;
  const auto end = static_cast<std::size_t>(part.data() - data_) + part.size();
  ::madvise(const_cast<std::byte*>(data_ + begin), end - begin, MADV_DONTNEED);  // advice: failing costs only memory
}

void MappedFile::copyOut(std::span<const std::byte> part, std::span<std::byte> out) const {
  if (part.size() != out.size()) throw std::invalid_argument("MappedFile::copyOut: sizes differ");
  constexpr std::size_t kPiece = std::size_t{64} << 20;
  for (std::size_t at = 0; at < part.size(); at += kPiece) {
    const auto size = std::min(kPiece, part.size() - at);
    std::memcpy(out.data() + at, part.data() + at, size);
    if (part.size() > kPiece) release(part.subspan(at, size));
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}
MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_), std::swap(size_, other.size_);
  return *this;
}

}  // namespace meanflow::base
