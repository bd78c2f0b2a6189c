#pragma once
/// @file
/// One owner for every C handle: HDF5 identifiers, MPI communicators and windows, NCCL communicators, file descriptors.

#include <utility>

namespace invaria {

/// Owns a C handle and closes it exactly once.
///
/// `Traits` gives `using Type`, `static Type invalid()` and `static void close(Type) noexcept`. Closing never throws:
/// where a failed close loses data (files), call the checked close of the wrapper first.
template <class Traits>
class UniqueHandle {
 public:
  using Type = typename Traits::Type;

  UniqueHandle() = default;
  explicit UniqueHandle(Type handle) : handle_(handle) {}
  UniqueHandle(UniqueHandle&& other) noexcept : handle_(other.release()) {}
  UniqueHandle& operator=(UniqueHandle&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = other.release();
    }
    return *this;
  }
  UniqueHandle(const UniqueHandle&) = delete;
  UniqueHandle& operator=(const UniqueHandle&) = delete;
  ~UniqueHandle() { reset(); }

  const Type& get() const { return handle_; }
  explicit operator bool() const { return handle_ != Traits::invalid(); }
  Type release() { return std::exchange(handle_, Traits::invalid()); }
  void reset() {
    if (handle_ != Traits::invalid()) Traits::close(release());
  }

 private:
  Type handle_ = Traits::invalid();
};

}  // namespace invaria
