#include "mgr/image/decompressor.hpp"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kInputSize = 128 * 1024;
constexpr std::size_t kSniffSize = 6;
// What zstd may keep of the output to refer back to: its own default for streams, and what OCI's tools write.
constexpr int kZstdWindowLogMax = 27;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorClass::kInvalidArgument, message); }

}  // namespace

Compression sniff_compression(std::span<const char> head) {
  const std::string_view text(head.data(), head.size());
  using namespace std::string_view_literals;
  if (text.starts_with("\x1f\x8b"sv)) return Compression::kGzip;
  if (text.starts_with("\x28\xb5\x2f\xfd"sv)) return Compression::kZstd;
  if (text.starts_with("BZh"sv) || text.starts_with("\xfd\x37\x7a\x58\x5a\x00"sv)) return Compression::kOther;
  return Compression::kNone;
}

struct Decompressor::Codec {
  virtual ~Codec() = default;
  // Moves some of `in` to `out`, shortening `in`; returns the bytes written.
  virtual std::size_t decode(std::span<const char>& in, std::span<char> out) = 0;
  // Whether the stream may end where it stands.
  virtual bool complete() const = 0;
};

struct Decompressor::Plain final : Codec {
  std::size_t decode(std::span<const char>& in, std::span<char> out) override {
    const std::size_t count = std::min(in.size(), out.size());
    if (count != 0) std::memcpy(out.data(), in.data(), count);
    in = in.subspan(count);
    return count;
  }
  bool complete() const override { return true; }
};

struct Decompressor::Gzip final : Codec {
  Gzip() { start_member(); }

  void start_member() {
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
    between = false;
  }
  std::size_t decode(std::span<const char>& in, std::span<char> out) override {
    if (between) {
      while (!in.empty() && in.front() == 0) in = in.subspan(1);
      if (in.empty()) return 0;
      start_member();
    }
    state.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(in.data()));
    state.avail_in = static_cast<std::uint32_t>(in.size());
    state.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state.avail_out = static_cast<std::uint32_t>(out.size());
    const int status = isal_inflate(&state);
    if (status == ISAL_INCORRECT_CHECKSUM) refuse("gzip: invalid checksum");
    if (status < 0) refuse("gzip: invalid data");
    in = in.subspan(in.size() - state.avail_in);
    between = state.block_state == ISAL_BLOCK_FINISH;
    return out.size() - state.avail_out;
  }
  bool complete() const override { return between; }

  inflate_state state;
  bool between = false;  // one member has ended, and no other has begun
};

struct Decompressor::Zstd final : Codec {
  Zstd() : stream(ZSTD_createDStream()) {
    if (stream == nullptr) throw Error(ErrorClass::kResourceExhausted, "zstd: out of memory");
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, kZstdWindowLogMax);
  }
  ~Zstd() override { ZSTD_freeDStream(stream); }

  std::size_t decode(std::span<const char>& in, std::span<char> out) override {
    if (between) {
      while (!in.empty() && in.front() == 0) in = in.subspan(1);
      if (in.empty()) return 0;
    }
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const std::size_t status = ZSTD_decompressStream(stream, &to, &from);
    if (ZSTD_isError(status) != 0) refuse(std::string("zstd: ") + ZSTD_getErrorName(status));
    in = in.subspan(from.pos);
    between = status == 0;
    return to.pos;
  }
  bool complete() const override { return between; }

  ZSTD_DStream* stream;
  bool between = false;
};

Decompressor::Decompressor(ByteSource source)
    : source_(std::move(source)), buffer_(std::make_unique_for_overwrite<char[]>(kInputSize)) {
  while (end_ < kSniffSize && !at_end_) {
    const std::size_t got = source_({buffer_.get() + end_, kInputSize - end_});
    at_end_ = got == 0;
    end_ += got;
  }
  switch (sniff_compression({buffer_.get(), end_})) {
    case Compression::kGzip:
      codec_ = std::make_unique<Gzip>();
      break;
    case Compression::kZstd:
      codec_ = std::make_unique<Zstd>();
      break;
    default:
      codec_ = std::make_unique<Plain>();
  }
}

Decompressor::~Decompressor() = default;

std::span<const char> Decompressor::input() {
  if (begin_ == end_ && !at_end_) {
    begin_ = 0;
    end_ = source_({buffer_.get(), kInputSize});
    at_end_ = end_ == 0;
  }
  return {buffer_.get() + begin_, end_ - begin_};
}

std::size_t Decompressor::read(std::span<char> buffer) {
  std::size_t count = 0;
  while (count < buffer.size()) {
    std::span<const char> in = input();
    const std::size_t before = in.size();
    // Without input too: the codec may still hold output for which there was no room.
    const std::size_t produced = codec_->decode(in, buffer.subspan(count));
    begin_ += before - in.size();
    count += produced;
    if (before == 0 && produced == 0) {
      if (!codec_->complete()) refuse("unexpected end of the compressed stream");
      break;
    }
  }
  return count;
}

}  // namespace quoll::mgr
