// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/tensorboard_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace meanflow::base {
namespace {

constexpr std::size_t kMaxValues = 1 << 16;  // of one event: a value takes two bytes in a file and a hundred in memory
constexpr std::size_t kMaxTag = 1024;
constexpr std::size_t kMaxImagesOfTensor = 64;

/// Thrown inside this file only; the text is what is wrong with the message.
struct WireError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Protocol buffers' wire format: fields one after the other, each with a number and one of four shapes.
class WireReader {
 public:
  enum Shape : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  explicit WireReader(std::string_view data) : data_(data) {}

  bool next() {
    if (at_ == data_.size()) return false;
    const std::uint64_t key = varint();
    field_ = key >> 3;
    shape_ = static_cast<std::uint32_t>(key & 7);
    if (field_ == 0 || field_ > 0x1fffffff) throw WireError(fmt::format("has a field of number {}", field_));
    return true;
  }
  std::uint64_t field() const { return field_; }
  bool is(std::uint64_t field, Shape shape) const { return field_ == field && shape_ == shape; }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == data_.size()) throw WireError("ends in the middle of a number");
      const auto byte = static_cast<unsigned char>(data_[at_++]);
      if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    throw WireError("has a number of more than ten bytes");
  }
  template <class T>
  T fixed() {
    if (data_.size() - at_ < sizeof(T)) throw WireError("ends in the middle of a number");
    T value;
    std::memcpy(&value, data_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::string_view bytes() {
    const std::uint64_t length = varint();
    if (length > data_.size() - at_)
      throw WireError(fmt::format("has a field of {} bytes where {} are left", length, data_.size() - at_));
    const auto found = data_.substr(at_, static_cast<std::size_t>(length));
    at_ += static_cast<std::size_t>(length);
    return found;
  }
  void skip() {
    switch (shape_) {
      case kVarint:
        varint();
        break;
      case kFixed64:
        fixed<std::uint64_t>();
        break;
      case kBytes:
        bytes();
        break;
      case kFixed32:
        fixed<std::uint32_t>();
        break;
      default:
        throw WireError(fmt::format("has a field of the unknown shape {}", shape_));
    }
  }

 private:
  std::string_view data_;
  std::size_t at_ = 0;
  std::uint64_t field_ = 0;
  std::uint32_t shape_ = 0;
};

double fromHalf(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return fraction != 0 ? std::nan("") : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

double fromBfloat16(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

/// Numbers of tensorflow/core/framework/types.proto.
enum DataType : std::uint64_t {
  kFloat = 1,
  kDouble = 2,
  kInt32 = 3,
  kUint8 = 4,
  kString = 7,
  kInt64 = 9,
  kBool = 10,
  kBfloat16 = 14,
  kHalf = 19
};

/// A TensorProto as far as it can be one number or a picture.
struct Tensor {
  std::uint64_t type = 0;
  std::string_view content;
  std::size_t num_values = 0;
  double value = 0;  ///< The first of float_val, double_val, ...
  std::vector<std::string_view> texts;

  std::optional<double> scalar() const {
    if (num_values == 1 && content.empty() && type != kString) return value;
    const auto as = [&]<class T>(T) -> std::optional<T> {
      if (content.size() != sizeof(T)) return std::nullopt;
      T read;
      std::memcpy(&read, content.data(), sizeof(T));
      return read;
    };
    const auto wide = [](auto read) { return read ? std::optional<double>(static_cast<double>(*read)) : std::nullopt; };
    switch (type) {
      case kFloat:
        return wide(as(float{}));
      case kDouble:
        return wide(as(double{}));
      case kInt32:
        return wide(as(std::int32_t{}));
      case kInt64:
        return wide(as(std::int64_t{}));
      case kUint8:
      case kBool:
        return wide(as(std::uint8_t{}));
      case kHalf:
        if (const auto read = as(std::uint16_t{})) return fromHalf(*read);
        return std::nullopt;
      case kBfloat16:
        if (const auto read = as(std::uint16_t{})) return fromBfloat16(*read);
        return std::nullopt;
      default:
        return std::nullopt;
    }
  }
};

Tensor parseTensor(std::string_view message) {
  Tensor tensor;
  const auto take = [&](double value) {
    if (tensor.num_values++ == 0) tensor.value = value;
  };
  WireReader reader(message);
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        reader.is(1, WireReader::kVarint) ? static_cast<void>(tensor.type = reader.varint()) : reader.skip();
        break;
      case 4:
        reader.is(4, WireReader::kBytes) ? static_cast<void>(tensor.content = reader.bytes()) : reader.skip();
        break;
      case 5:  // float_val, packed or not
        if (reader.is(5, WireReader::kFixed32)) {
          take(std::bit_cast<float>(reader.fixed<std::uint32_t>()));
        } else if (reader.is(5, WireReader::kBytes)) {
          const auto packed = reader.bytes();
          if (packed.size() >= 4) {
            WireReader first(packed);
            take(std::bit_cast<float>(first.fixed<std::uint32_t>()));
            tensor.num_values += packed.size() / 4 - 1;
          }
        } else {
          reader.skip();
        }
        break;
      case 6:  // double_val
        if (reader.is(6, WireReader::kFixed64)) {
          take(std::bit_cast<double>(reader.fixed<std::uint64_t>()));
        } else if (reader.is(6, WireReader::kBytes)) {
          const auto packed = reader.bytes();
          if (packed.size() >= 8) {
            WireReader first(packed);
            take(std::bit_cast<double>(first.fixed<std::uint64_t>()));
            tensor.num_values += packed.size() / 8 - 1;
          }
        } else {
          reader.skip();
        }
        break;
      case 7:     // int_val
      case 10:    // int64_val
      case 11:    // bool_val
      case 13: {  // half_val: the bits of a half or bfloat16
        const bool is_half = reader.field() == 13;
        const auto convert = [&](std::uint64_t bits) {
          if (!is_half) return static_cast<double>(static_cast<std::int64_t>(bits));
          return tensor.type == kBfloat16 ? fromBfloat16(static_cast<std::uint16_t>(bits))
                                          : fromHalf(static_cast<std::uint16_t>(bits));
        };
        if (reader.is(reader.field(), WireReader::kVarint)) {
          take(convert(reader.varint()));
        } else if (reader.is(reader.field(), WireReader::kBytes)) {
          const auto packed = reader.bytes();
          if (!packed.empty()) {
            WireReader first(packed);
            take(convert(first.varint()));
            // Whether it is one number is all that matters.
            tensor.num_values += static_cast<std::size_t>(
                std::count_if(packed.begin(), packed.end(), [](char c) { return (c & 0x80) == 0; }) - 1);
          }
        } else {
          reader.skip();
        }
        break;
      }
      case 8:
        if (reader.is(8, WireReader::kBytes)) {
          const auto text = reader.bytes();
          if (tensor.texts.size() < 2 + kMaxImagesOfTensor) tensor.texts.push_back(text);
        } else {
          reader.skip();
        }
        break;
      default:
        reader.skip();
    }
  }
  return tensor;
}

bool looksLikeImage(std::string_view bytes) {
  using namespace std::string_view_literals;
  return bytes.starts_with("\x89PNG\r\n"sv) || bytes.starts_with("\xff\xd8\xff"sv) || bytes.starts_with("GIF8"sv) ||
         (bytes.starts_with("RIFF"sv) && bytes.size() > 12 && bytes.substr(8, 4) == "WEBP"sv);
}

int sizeFrom(std::uint64_t value) { return value > 1'000'000 ? 0 : static_cast<int>(value); }

int sizeFrom(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return status == std::errc() && end == digits.data() + digits.size() ? sizeFrom(value) : 0;
}

class EventParser {
 public:
  EventParser(std::string_view message, std::uint64_t offset) : message_(message), offset_(offset) {}

  TensorboardEvent parse() {
    WireReader reader(message_);
    while (reader.next()) {
      if (reader.is(1, WireReader::kFixed64))
        event_.wall_time = std::bit_cast<double>(reader.fixed<std::uint64_t>());
      else if (reader.is(2, WireReader::kVarint))
        event_.step = static_cast<std::int64_t>(reader.varint());
      else if (reader.is(5, WireReader::kBytes))
        summary(reader.bytes());
      else if (reader.is(7, WireReader::kBytes))
        sessionLog(reader.bytes());
      else
        reader.skip();
    }
    if (!std::isfinite(event_.wall_time)) event_.wall_time = 0;
    return std::move(event_);
  }

 private:
  void summary(std::string_view message) {
    WireReader reader(message);
    while (reader.next()) {
      if (!reader.is(1, WireReader::kBytes)) {
        reader.skip();
        continue;
      }
      if (++num_values_ > kMaxValues) throw WireError(fmt::format("has more than {} values", kMaxValues));
      value(reader.bytes());
    }
  }

  void value(std::string_view message) {
    std::string_view tag, image, tensor;
    std::optional<double> simple;
    WireReader reader(message);
    while (reader.next()) {
      if (reader.is(1, WireReader::kBytes))
        tag = reader.bytes();
      else if (reader.is(2, WireReader::kFixed32))
        simple = std::bit_cast<float>(reader.fixed<std::uint32_t>());
      else if (reader.is(4, WireReader::kBytes))
        image = reader.bytes();
      else if (reader.is(8, WireReader::kBytes))
        tensor = reader.bytes();
      else
        reader.skip();
    }
    if (tag.size() > kMaxTag) throw WireError(fmt::format("has a tag of {} bytes", tag.size()));
    if (simple)
      event_.scalars.push_back({std::string(tag), *simple});
    else if (!image.empty())
      addImage(std::string(tag), image);
    else if (!tensor.empty())
      addTensor(std::string(tag), parseTensor(tensor));
  }

  void addImage(std::string tag, std::string_view message) {
    TensorboardImage image;
    image.tag = std::move(tag);
    std::string_view encoded;
    WireReader reader(message);
    while (reader.next()) {
      if (reader.is(1, WireReader::kVarint))
        image.height = sizeFrom(reader.varint());
      else if (reader.is(2, WireReader::kVarint))
        image.width = sizeFrom(reader.varint());
      else if (reader.is(4, WireReader::kBytes))
        encoded = reader.bytes();
      else
        reader.skip();
    }
    place(std::move(image), encoded);
  }

  void addTensor(const std::string& tag, const Tensor& tensor) {
    if (const auto number = tensor.scalar()) {
      event_.scalars.push_back({tag, *number});
      return;
    }
    // tf.summary.image: width and height as texts, then the pictures.
    if (tensor.texts.size() < 3 || !looksLikeImage(tensor.texts[2])) return;
    for (std::size_t i = 2; i < tensor.texts.size(); ++i) {
      TensorboardImage image;
      image.tag = tensor.texts.size() == 3 ? tag : fmt::format("{}/{}", tag, i - 2);
      image.width = sizeFrom(tensor.texts[0]);
      image.height = sizeFrom(tensor.texts[1]);
      place(std::move(image), tensor.texts[i]);
    }
  }

  void place(TensorboardImage image, std::string_view encoded) {
    if (encoded.empty()) return;
    image.offset = offset_ + static_cast<std::uint64_t>(encoded.data() - message_.data());
    image.size = encoded.size();
    event_.images.push_back(std::move(image));
  }

  void sessionLog(std::string_view message) {
    WireReader reader(message);
    while (reader.next()) {
      if (reader.is(1, WireReader::kVarint))
        event_.is_session_start = reader.varint() == 1;
      else
        reader.skip();
    }
  }

  std::string_view message_;
  std::uint64_t offset_;
  std::size_t num_values_ = 0;
  TensorboardEvent event_;
};

}  // namespace

Result<TensorboardEvent> parseTensorboardEvent(std::string_view message, const std::string& file,
                                               std::uint64_t offset) {
  try {
    return EventParser(message, offset).parse();
  } catch (const WireError& error) {
    return Error{fmt::format("{}: the event at byte {} {}", file, offset, error.what())};
  }
}

Result<TensorboardReader> TensorboardReader::open(const std::filesystem::path& path) {
  auto records = TfRecordReader::open(path);
  if (!records) return records.error();
  return TensorboardReader(std::move(*records));
}

Result<std::vector<TensorboardEvent>> TensorboardReader::poll(std::size_t max_events) {
  std::vector<TensorboardEvent> events;
  while (!error_ && events.size() < max_events) {
    const auto record = records_.next();
    if (!record) {
      error_ = record.error();
      break;
    }
    if (!*record) return events;
    auto event = parseTensorboardEvent(**record, records_.name(), records_.dataOffset());
    if (!event) {
      error_ = event.error();
      break;
    }
    events.push_back(std::move(*event));
  }
  if (error_ && events.empty()) return *error_;
  return events;
}

bool isTensorboardName(std::string_view file_name) { return file_name.find("tfevents") != std::string_view::npos; }

}  // namespace meanflow::base
